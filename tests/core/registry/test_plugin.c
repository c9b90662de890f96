/* A small plugin with one operator, belay.add/1, that is right or fails in the way that its build asks for
 * (TEST_*). */
#include <belay/belay.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

BELAY_PLUGIN_NOTE(TEST_ID, TEST_VERSION);

struct belay_instance_t {
  const belay_host_t* host;
};

#if defined(TEST_CRASH_AT_EXIT)
__attribute__((destructor)) static void die_at_exit(void) { raise(SIGSEGV); }
#endif

static belay_status_t describe(belay_error_t* error, belay_status_t code, const char* message) {
  if (error != NULL) {
    error->code = code;
    strncpy(error->message, message, sizeof error->message - 1);
  }
  return code;
}

static belay_status_t probe(const belay_host_t* host, belay_device_t* devices, uint64_t capacity,
                            uint64_t* count, belay_error_t* error) {
  (void)host;
  (void)error;
#if defined(TEST_NO_DRIVER)
  return describe(error, BELAY_NO_DRIVER, "libtest.so.1 is not installed");
#endif
  *count = 1;
  if (capacity == 0) return BELAY_OK;
  const uint32_t size = devices[0].struct_size;
  memset(&devices[0], 0, size);
  devices[0].struct_size = size;
  devices[0].id = (belay_str_t)BELAY_STR("cpu");
  devices[0].name = (belay_str_t)BELAY_STR("test device");
  return BELAY_OK;
}

static belay_status_t open_device(const belay_host_t* host, const belay_open_t* options,
                                  belay_instance_t** instance, belay_error_t* error) {
  (void)options;
  (void)error;
#if defined(TEST_EXIT)
  exit(0);
#endif
#if defined(TEST_PRINT)
  puts(
      "{\"schema\":\"belay.probe_verdict/"
      "1\",\"usable\":false,\"stage\":\"probe\",\"reason\":\"PROBE_FAILED\"}");
  fflush(stdout);
#endif
  *instance = host->allocate(host->context, sizeof **instance, 16, (belay_str_t)BELAY_STR("instance"));
  if (*instance == NULL) return BELAY_OOM_HOST;
  (*instance)->host = host;
  host->log(host->context, BELAY_LOG_INFO, (belay_str_t)BELAY_STR("opened"));
  return BELAY_OK;
}

static belay_status_t drain(belay_instance_t* instance, uint64_t deadline_ns, belay_error_t* error) {
  (void)instance;
  (void)deadline_ns;
  (void)error;
  return BELAY_OK;
}

static void close_device(belay_instance_t* instance) {
  if (instance != NULL) instance->host->release(instance->host->context, instance, sizeof *instance);
}

static belay_status_t supports(belay_instance_t* instance, const belay_op_t* ops, uint64_t count,
                               belay_support_t* answers, belay_error_t* error) {
  (void)instance;
  (void)error;
  for (uint64_t i = 0; i < count; ++i) {
    answers[i].yes = ops[i].id.size == sizeof BELAY_OP_ADD - 1 &&
                     memcmp(ops[i].id.data, BELAY_OP_ADD, ops[i].id.size) == 0;
    answers[i].reason = answers[i].yes ? BELAY_OK : BELAY_UNSUPPORTED;
    answers[i].cost_ns = 1;
  }
  return BELAY_OK;
}

static belay_status_t packed(belay_instance_t* instance, const belay_op_t* op, belay_packed_t* result,
                             belay_error_t* error) {
  (void)instance;
  (void)op;
  (void)error;
  result->layout = BELAY_LAYOUT_ROW;
  result->bytes = 0;
  result->alignment = 1;
  return BELAY_OK;
}

static belay_status_t pack(belay_instance_t* instance, const belay_op_t* op, void* buffer, uint64_t bytes,
                           belay_error_t* error) {
  (void)instance;
  (void)op;
  (void)buffer;
  (void)bytes;
  return describe(error, BELAY_INTERNAL, "there is nothing to pack");
}

static belay_status_t run_add(belay_kernel_t* kernel, const belay_run_t* run) {
  (void)kernel;
  const belay_tensor_t* out = run->outputs[0];
  const float* a = run->inputs[0]->data;
  const float* b = run->inputs[1]->data;
  float* sum = out->data;
  const int64_t count = out->shape[0] * out->shape[1];
  for (int64_t i = 0; i < count; ++i) sum[i] = a[i] + b[i];
#if defined(TEST_CRASH_IN_RUN)
  raise(SIGBUS);
#endif
  return BELAY_OK;
}

static belay_status_t bind(belay_instance_t* instance, const belay_op_t* op, const void* buffer,
                           uint64_t bytes, belay_kernel_t** kernel, belay_error_t* error) {
  static belay_kernel_t add = {sizeof add, 0, run_add};
  (void)instance;
  (void)op;
  (void)buffer;
  (void)bytes;
  (void)error;
  *kernel = &add;
  return BELAY_OK;
}

static belay_status_t workspace(const belay_kernel_t* kernel, uint64_t tokens, uint64_t* bytes,
                                belay_error_t* error) {
  (void)kernel;
  (void)tokens;
  (void)error;
  *bytes = 0;
  return BELAY_OK;
}

static void release(belay_kernel_t* kernel) { (void)kernel; }

static const void* get_interface(belay_instance_t* instance, belay_str_t id) {
  static const belay_compute_t compute = {sizeof compute, 0,         supports, packed, pack,
                                          bind,           workspace, release,  NULL,   NULL};
  (void)instance;
  return id.size == sizeof BELAY_COMPUTE_1 - 1 && memcmp(id.data, BELAY_COMPUTE_1, id.size) == 0 ? &compute
                                                                                                 : NULL;
}

BELAY_EXPORT belay_status_t belay_plugin_entry_v1(const belay_host_t* host, belay_plugin_t* plugin,
                                                  belay_error_t* error);

#if defined(TEST_TWO_EXPORTS)
BELAY_EXPORT int second_export(void);
int second_export(void) { return 2; }
#endif

belay_status_t belay_plugin_entry_v1(const belay_host_t* host, belay_plugin_t* plugin, belay_error_t* error) {
  if (host->min_minor > BELAY_ABI_MINOR) return describe(error, BELAY_ABI_MISMATCH, "too new");
  plugin->abi_minor = BELAY_ABI_MINOR;
#if defined(TEST_OTHER_ID)
  plugin->id = (belay_str_t)BELAY_STR("somebody_else");
#else
  plugin->id = (belay_str_t)BELAY_STR(TEST_ID);
#endif
  plugin->version = (belay_str_t)BELAY_STR(TEST_VERSION);
  plugin->probe = probe;
  plugin->open = open_device;
  plugin->drain = drain;
  plugin->close = close_device;
  plugin->get_interface = get_interface;
  return BELAY_OK;
}
