/* What the host offers a plugin. The table and its context live until the process ends. */
#ifndef BELAY_HOST_H
#define BELAY_HOST_H

#include <belay/status.h>

enum { BELAY_LOG_TRACE = 0, BELAY_LOG_DEBUG = 1, BELAY_LOG_INFO = 2, BELAY_LOG_WARN = 3, BELAY_LOG_ERROR = 4 };

/* Works on the indices [begin, end). Called from several threads at once, each call with another `worker`, a number below
 * max_concurrency() by which scratch memory can be told apart. Must not call parallel_for again. */
typedef void (*belay_range_fn)(void* user, uint64_t begin, uint64_t end, uint32_t worker);

/* Entries marked optional may be NULL: check before use. All are [any] unless said otherwise. */
typedef struct belay_host_t {
  uint32_t struct_size;
  uint32_t flags;      /* 0 */
  uint32_t abi_major;  /* the host's BELAY_ABI_MAJOR */
  uint32_t min_minor;  /* lowest and highest minor that this host speaks */
  uint32_t max_minor;
  uint32_t reserved;
  void* context;       /* first argument of every entry below */

  /* Host memory, aligned to `alignment` (a power of two). NULL when there is none. `tag` names the use in reports. */
  void* (*allocate)(void* context, uint64_t bytes, uint64_t alignment, belay_str_t tag);
  /* Frees what allocate gave, with the same size. NULL is ignored. */
  void (*release)(void* context, void* memory, uint64_t bytes);

  /* The only way to talk to people; a plugin writes nothing to stdout or stderr. */
  void (*log)(void* context, int32_t level, belay_str_t message);

  /* Splits [0, count) into ranges of at least `grain` indices (the last may be shorter) and runs `body` on them, on the
   * calling thread and on the host's workers. Returns when all are done. Which thread gets which range is not defined,
   * so a result must not depend on it. Only from inside run and pack. [stream] */
  belay_status_t (*parallel_for)(void* context, uint64_t count, uint64_t grain, belay_range_fn body, void* user);
  /* How many threads parallel_for uses at most, at least 1. Fixed while an instance is open. */
  uint32_t (*max_concurrency)(void* context);

  uint64_t (*now_ns)(void* context); /* monotonic */

  /* True when the user asked to stop: return BELAY_CANCELLED soon (poll at most every 10 ms of own work). */
  uint32_t (*cancelled)(void* context);

  /* Whether the CPU has a feature, by GCC's name ("avx2"), the operating system enables it and the user did not mask it. */
  uint32_t (*has_cpu_feature)(void* context, belay_str_t name);

  /* Optional. A setting of the user for this plugin: BELAY_OK and a value that lives as long as the host, or BELAY_UNSUPPORTED. */
  belay_status_t (*config)(void* context, belay_str_t key, belay_str_t* value);

  /* Optional: NULL unless the user asked for a trace. Spans and counters of it, on the calling thread; names must be
   * literals. The host makes a span for each call of a kernel itself; a span still open when that call returns ends
   * with it. */
  void (*trace_begin)(void* context, belay_str_t name);
  void (*trace_end)(void* context);
  void (*counter_add)(void* context, belay_str_t name, int64_t delta);

  /* Optional. A further service by id ("belay.name/N" or "com.vendor.name/N"), or NULL. */
  const void* (*get_interface)(void* context, belay_str_t id);
} belay_host_t;

#endif
