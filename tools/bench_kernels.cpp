// How fast the operators of one CPU plugin are, through its C ABI. Time is what the threads got from the CPUs
// for it, divided by their number: on a machine that is not idle the clock on the wall tells of the other
// programs. GFLOP/s stand beside what the FMA units do in the same seconds, GB/s are those of the operands.
// The best of many runs.
//
// usage: belay_bench_kernels PLUGIN.so THREADS [CASE...]     without a case: the ones listed below
//   CASE  linear/TYPE/TOKENSxKxN, linear_q8/... with 8-bit activations,
//   attention_none/TYPE/TOKENSxHEADSxKV_HEADSxD, attention_causal/...,
//         gelu_tanh/f32/TOKENSxN, gelu_erf/..., layer_norm/..., rope/f32/TOKENSxHEADSxD
#include "core/base/dtype.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/memory/buffer.hpp"
#include "core/memory/tensor.hpp"
#include "core/registry/host_services.hpp"
#include "core/threading/pool.hpp"

#include <belay/ext/compute.h>

#include <dlfcn.h>
#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

namespace belay {
namespace {

constexpr const char* kCases[] = {
    "linear/f32/1x2048x6144",
    "linear/f32/8x2048x6144",
    "linear/f32/8x768x3072",
    "linear/f32/64x2048x6144",
    "linear/f32/64x768x768",
    "linear/f32/512x2048x2048",
    "linear/f32/3072x1024x4096",
    "linear/f32/3072x4096x1024",
    "linear/f16/64x2048x6144",
    "linear/f16/512x2048x2048",
    "linear/bf16/64x2048x6144",
    "linear/q8_0/64x2048x6144",
    "linear/q4_k/512x2048x2048",
    "linear_q8/q8_0/1x2048x6144",
    "linear_q8/q8_0/16x2048x6144",
    "linear_q8/q8_0/512x2048x2048",
    "linear_q8/q8_0/3072x1024x4096",
    "linear_q8/q4_0/512x2048x2048",
    "linear_q8/q4_k/512x2048x2048",
    "linear_q8/q6_k/512x2048x2048",
    "attention_none/f32/3072x16x16x64",
    "attention_none/f32/3072x16x16x72",
    "attention_causal/f32/2048x16x8x128",
    "attention_causal/f16/2048x16x8x128",
    "attention_causal/f32/1x16x8x128",
    "attention_causal/f16/1x16x8x128",
    "attention_causal/q8_0/1x16x8x128",
    "gelu_tanh/f32/3072x4096",
    "gelu_erf/f32/3072x4096",
    "layer_norm/f32/3072x1024",
    "rope/f32/3072x16x64",
};
constexpr double kSecondsPerCase = 1.5;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "belay_bench_kernels: %s\n", what.c_str());
  std::exit(1);
}

double wall_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Nanoseconds that the calling thread computed.
std::int64_t thread_now() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The pool as plugins see it, with a clock on what the helpers do.
class Threads {
 public:
  explicit Threads(std::uint32_t count) : pool_(options(count)) {}

  void parallel_for(std::uint64_t count, std::uint64_t grain, belay_range_fn body, void* user) {
    struct Timed {
      belay_range_fn body;
      void* user;
      std::atomic<std::int64_t>& helped;
    } timed{body, user, helped_};
    const belay_range_fn call = [](void* data, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
      const Timed& range = *static_cast<Timed*>(data);
      const std::int64_t start = worker == 0 ? 0 : thread_now();
      range.body(range.user, begin, end, worker);
      if (worker != 0) range.helped += thread_now() - start;
    };
    pool_.parallel_for(count, grain, call, &timed);
  }
  // Seconds that `work` took of each thread, the caller's waiting included.
  template <class Work>
  double seconds(const Work& work) {
    helped_ = 0;
    const std::int64_t start = thread_now();
    work();
    return 1e-9 * static_cast<double>(thread_now() - start + helped_) / pool_.threads();
  }
  threading::Pool& pool() { return pool_; }

 private:
  static threading::PoolOptions options(std::uint32_t count) {
    threading::PoolOptions options;
    options.threads = count;
    for (std::uint32_t cpu = 0; cpu < count; ++cpu) options.cpus.push_back(cpu);
    return options;
  }
  threading::Pool pool_;
  std::atomic<std::int64_t> helped_ = 0;
};

// ---- the machine

constexpr int kPeakSteps = 200'000;
constexpr double kPeakFlops = kPeakSteps * 12.0 * 16.0;

// As many products in flight as the units can take, all in registers: twelve chains of the same numbers,
// which the empty asm keeps apart.
__attribute__((target("avx2,fma"))) float fma_steps() {
  const __m256 x = _mm256_set1_ps(0.5F);
  __m256 a[12] = {x, x, x, x, x, x, x, x, x, x, x, x};
  for (int step = 0; step < kPeakSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) {
      a[i] = _mm256_fmadd_ps(a[i], x, x);
      asm volatile("" : "+x"(a[i]));
    }
  }
  const __m256 sum = a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7] + a[8] + a[9] + a[10] + a[11];
  return _mm256_cvtss_f32(sum);
}

// GFLOP/s of all threads at once, now.
double fma_peak(Threads& threads) {
  const std::uint64_t ranges = 4 * std::uint64_t{threads.pool().threads()};
  const auto body = [](void*, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
    for (; begin < end; ++begin) {
      volatile float sink = fma_steps();
      static_cast<void>(sink);
    }
  };
  const double seconds = threads.seconds([&] { threads.parallel_for(ranges, 1, body, nullptr); });
  return static_cast<double>(ranges) * kPeakFlops / seconds / 1e9;
}

// ---- a plugin and its host

registry::HostCallbacks callbacks_of(Threads& threads) {
  registry::HostCallbacks callbacks;
  callbacks.cpu_features = registry::usable_features(hardware::probe(hardware::RealSource()));
  callbacks.threads = &threads;
  callbacks.parallel_for = [](void* to, std::uint64_t count, std::uint64_t grain, belay_range_fn body,
                              void* user) {
    static_cast<Threads*>(to)->parallel_for(count, grain, body, user);
    return belay_status_t{BELAY_OK};
  };
  callbacks.max_concurrency = [](void* to) { return static_cast<Threads*>(to)->pool().threads(); };
  return callbacks;
}

struct Plugin {
  const belay_compute_t* compute = nullptr;
  belay_instance_t* instance = nullptr;
};

Plugin open_plugin(const char* path, const belay_host_t& host) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(dlerror());
  const auto entry = reinterpret_cast<belay_entry_fn>(dlsym(library, BELAY_ENTRY_SYMBOL));
  if (entry == nullptr) fail(std::string(path) + " is no plugin");
  belay_error_t error = {};
  error.struct_size = sizeof error;
  static belay_plugin_t table = {};  // the plugin stays open until the program ends
  table.struct_size = sizeof table;
  belay_open_t options = {};
  options.struct_size = sizeof options;
  Plugin plugin;
  if (entry(&host, &table, &error) != BELAY_OK ||
      table.open(&host, &options, &plugin.instance, &error) != BELAY_OK) {
    fail(std::string(path) + ": " + error.message);
  }
  plugin.compute = static_cast<const belay_compute_t*>(
      table.get_interface(plugin.instance, {BELAY_COMPUTE_1, std::strlen(BELAY_COMPUTE_1)}));
  if (plugin.compute == nullptr) fail(std::string(path) + " offers no " BELAY_COMPUTE_1);
  return plugin;
}

// ---- a case: operands with plain values, and what a run of it amounts to

using Shape = std::vector<std::int64_t>;

struct Case {
  std::string id;
  std::vector<std::byte> attributes;
  std::vector<belay_tensor_t> inputs;
  std::vector<belay_tensor_t> constants;
  std::vector<belay_tensor_t> outputs;
  std::deque<memory::Buffer> memory;
  std::int64_t tokens = 0;
  double flops = 0;  // 0: give GB/s of the operands instead

  belay_tensor_t operand(DType dtype, const Shape& shape) {
    belay_tensor_t tensor = memory::describe(dtype, shape, nullptr);
    auto buffer = memory::Buffer::allocate(tensor.nbytes, "an operand");
    if (!buffer) fail(buffer.error().message);
    fill(dtype, *buffer);
    tensor.data = buffer->data();
    memory.push_back(*std::move(buffer));
    return tensor;
  }
  template <class Attributes>
  void set(Attributes values) {
    values.struct_size = sizeof values;
    const auto* bytes = reinterpret_cast<const std::byte*>(&values);
    attributes.assign(bytes, bytes + sizeof values);
  }

 private:
  // Floats in [-1, 1); other types in 16-bit pieces that are finite in each of them.
  static void fill(DType dtype, memory::Buffer& buffer) {
    std::uint32_t state = 1;
    const auto next = [&] { return state = state * 1664525U + 1013904223U; };
    if (dtype == DType::kF32) {
      for (float& value : buffer.as<float>())
        value = static_cast<float>(static_cast<std::int32_t>(next())) * 0x1p-31F;
    } else if (dtype != DType::kI32) {
      for (std::uint16_t& piece : buffer.as<std::uint16_t>())
        piece = static_cast<std::uint16_t>((next() >> 16 & 0x83FFU) | 0x3800U);
    }
  }
};

void make_linear(const std::string& kind, DType type, const Shape& size, Case& made) {
  made.id = BELAY_OP_LINEAR;
  made.set(belay_linear_attributes_t{0, kind == "linear_q8" ? BELAY_NUMERICS_ACT_Q8 : BELAY_NUMERICS_F32});
  made.inputs = {made.operand(DType::kF32, {size.at(0), size.at(1)})};
  made.constants = {made.operand(type, {size.at(2), size.at(1)})};
  made.outputs = {made.operand(DType::kF32, {size.at(0), size.at(2)})};
  made.flops = 2.0 * static_cast<double>(size[0] * size[1] * size[2]);
}

// As the first step of a prompt; a single token stands behind 4095 others.
void make_attention(std::int32_t mask, DType type, const Shape& size, Case& made) {
  made.id = BELAY_OP_ATTENTION;
  belay_attention_attributes_t attributes = {};
  attributes.mask = mask;
  attributes.scale = 0.125F;
  made.set(attributes);
  const std::int64_t positions = size.at(0) == 1 ? 4096 : size[0];
  const Shape cache = {size.at(2), (positions + BELAY_KV_BLOCK - 1) / BELAY_KV_BLOCK, BELAY_KV_BLOCK,
                       size.at(3)};
  made.inputs = {made.operand(DType::kF32, {size[0], size.at(1), size[3]}), made.operand(type, cache),
                 made.operand(type, cache)};
  made.outputs = {made.operand(DType::kF32, {size[0], size[1], size[3]})};
  const double seen = mask == BELAY_MASK_CAUSAL && size[0] > 1 ? static_cast<double>(positions + 1) / 2
                                                               : static_cast<double>(positions);
  made.flops = 4.0 * static_cast<double>(size[0] * size[1] * size[3]) * seen;
}

void make_row_op(const std::string& id, const Shape& size, Case& made) {
  made.id = id;
  made.inputs = {made.operand(DType::kF32, size)};
  made.outputs = {made.operand(DType::kF32, size)};
}

void make_rope(const Shape& size, Case& made) {
  make_row_op(BELAY_OP_ROPE, {size.at(0), size.at(1), size.at(2)}, made);
  belay_rope_attributes_t attributes = {};
  attributes.style = BELAY_ROPE_HALVES;
  attributes.theta = 10000;
  attributes.position_scale = 1;
  attributes.rotary_dim = static_cast<std::uint32_t>(size[2]);
  made.set(attributes);
  made.inputs.push_back(made.operand(DType::kI32, {size[0]}));
  auto positions = made.memory.back().as<std::int32_t>();
  std::iota(positions.begin(), positions.end(), 0);
}

Case make(const std::string& text) {
  const std::size_t first = text.find('/');
  const std::size_t second = text.find('/', first + 1);
  if (second == std::string::npos) fail("not a case: " + text);
  const std::string kind = text.substr(0, first);
  const std::string type_name = text.substr(first + 1, second - first - 1);
  const auto* type = std::find_if(kDTypes.begin(), kDTypes.end(),
                                  [&](const DTypeInfo& row) { return row.name == type_name; });
  if (type == kDTypes.end()) fail("no such type: " + type_name);
  Shape size;
  for (const char* at = text.c_str() + second; *at != '\0';) {
    char* end = nullptr;
    size.push_back(std::strtoll(at + 1, &end, 10));
    if (size.back() <= 0 || (*end != 'x' && *end != '\0')) fail("not sizes: " + text);
    at = end;
  }
  Case made;
  made.tokens = size[0];
  if (kind == "linear" || kind == "linear_q8") {
    make_linear(kind, type->dtype, size, made);
  } else if (kind == "attention_none" || kind == "attention_causal") {
    make_attention(kind == "attention_none" ? BELAY_MASK_NONE : BELAY_MASK_CAUSAL, type->dtype, size, made);
  } else if (kind == "gelu_tanh" || kind == "gelu_erf") {
    make_row_op(BELAY_OP_GELU, size, made);
    made.set(belay_gelu_attributes_t{0, kind == "gelu_erf" ? BELAY_GELU_ERF : BELAY_GELU_TANH});
  } else if (kind == "layer_norm") {
    make_row_op(BELAY_OP_LAYER_NORM, size, made);
    made.set(belay_norm_attributes_t{0, 1e-6F});
    made.constants = {made.operand(DType::kF32, {size.at(1)}), made.operand(DType::kF32, {size[1]})};
  } else if (kind == "rope") {
    make_rope(size, made);
  } else {
    fail("no such operator: " + kind);
  }
  return made;
}

// ---- running

class Bound {
 public:
  Bound(const Plugin& plugin, Case& of) : plugin_(plugin) {
    belay_op_t op = {};
    op.struct_size = sizeof op;
    op.id = {of.id.data(), of.id.size()};
    op.attributes = of.attributes.data();
    op.attributes_size = of.attributes.size();
    op.inputs = of.inputs.data();
    op.input_count = of.inputs.size();
    op.constants = of.constants.data();
    op.constant_count = of.constants.size();
    op.outputs = of.outputs.data();
    op.output_count = of.outputs.size();
    error_.struct_size = sizeof error_;
    if (!offered(op)) return;
    pack(op);
    check(plugin.compute->bind(plugin.instance, &op, packed_.data(), packed_.size(), &kernel_, &error_));
    std::uint64_t bytes = 0;
    check(plugin.compute->workspace(kernel_, static_cast<std::uint64_t>(of.tokens), &bytes, &error_));
    workspace_ = allocate(std::max<std::uint64_t>(bytes, 1));
    for (const belay_tensor_t& input : of.inputs) inputs_.push_back(&input);
    for (const belay_tensor_t& output : of.outputs) outputs_.push_back(&output);
    run_.struct_size = sizeof run_;
    run_.inputs = inputs_.data();
    run_.input_count = inputs_.size();
    run_.outputs = outputs_.data();
    run_.output_count = outputs_.size();
    run_.position = of.id == BELAY_OP_ATTENTION && of.tokens == 1 ? 4095 : 0;
    run_.workspace = workspace_.data();
    run_.workspace_bytes = workspace_.size();
    run_.error = &error_;
  }
  ~Bound() { plugin_.compute->release(kernel_); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

  // Why the plugin does not offer the case; empty when it does. Without an offer there is nothing to run.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

  void run() { check(kernel_->run(kernel_, &run_)); }

 private:
  void check(belay_status_t status) const {
    if (status != BELAY_OK) fail(error_.message);
  }
  static memory::Buffer allocate(std::uint64_t bytes) {
    auto buffer = memory::Buffer::allocate(bytes, "a benchmark");
    if (!buffer) fail(buffer.error().message);
    return *std::move(buffer);
  }
  bool offered(const belay_op_t& op) {
    belay_support_t answer = {};
    answer.struct_size = sizeof answer;
    check(plugin_.compute->supports(plugin_.instance, &op, 1, &answer, &error_));
    if (answer.yes == 0) refusal_ = answer.detail;
    return answer.yes != 0;
  }
  void pack(const belay_op_t& op) {
    belay_packed_t form = {};
    form.struct_size = sizeof form;
    check(plugin_.compute->packed(plugin_.instance, &op, &form, &error_));
    if (form.layout == BELAY_LAYOUT_ROW) return;
    packed_ = allocate(form.bytes);
    check(plugin_.compute->pack(plugin_.instance, &op, packed_.data(), packed_.size(), &error_));
  }

  const Plugin& plugin_;
  std::string refusal_;
  belay_error_t error_ = {};
  belay_kernel_t* kernel_ = nullptr;
  memory::Buffer packed_;
  memory::Buffer workspace_;
  std::vector<const belay_tensor_t*> inputs_;
  std::vector<const belay_tensor_t*> outputs_;
  belay_run_t run_ = {};
};

double megabytes(const Case& of) {
  double bytes = 0;
  for (const auto* operands : {&of.inputs, &of.constants, &of.outputs}) {
    for (const belay_tensor_t& operand : *operands) bytes += static_cast<double>(operand.nbytes);
  }
  return bytes / 1e6;
}

void measure(const Plugin& plugin, Threads& threads, const std::string& text) {
  Case of = make(text);
  Bound bound(plugin, of);
  if (!bound.refusal().empty()) {
    std::printf("%-36s not offered: %s\n", text.c_str(), bound.refusal().c_str());
    return;
  }
  const threading::Pool::Step step(threads.pool());
  bound.run();
  double best = 1e9;
  double peak = 0;
  for (const double start = wall_now(); wall_now() - start < kSecondsPerCase;) {
    peak = std::max(peak, fma_peak(threads));
    for (const double round = wall_now(); wall_now() - round < 0.02;)
      best = std::min(best, threads.seconds([&] { bound.run(); }));
  }
  std::printf("%-36s %2u %10.3f ms", text.c_str(), threads.pool().threads(), best * 1e3);
  if (of.flops > 0)
    std::printf(" %8.1f GFLOP/s %5.1f %%", of.flops / best / 1e9, of.flops / best / peak / 1e7);
  std::printf(" %7.1f GB/s   (FMA peak %.0f)\n", megabytes(of) / best / 1e3, peak);
  std::fflush(stdout);
}

}  // namespace
}  // namespace belay

int main(int argc, char** argv) {
  if (argc < 3 || std::atoi(argv[2]) < 1)
    belay::fail("usage: belay_bench_kernels PLUGIN.so THREADS [CASE...]");
  belay::Threads threads(static_cast<std::uint32_t>(std::atoi(argv[2])));
  belay::registry::HostServices services(belay::callbacks_of(threads));
  const belay::Plugin plugin = belay::open_plugin(argv[1], services.table("bench"));
  std::vector<std::string> cases(argv + 3, argv + argc);
  if (cases.empty()) cases.assign(std::begin(belay::kCases), std::end(belay::kCases));
  for (const std::string& text : cases) belay::measure(plugin, threads, text);
  return 0;
}
