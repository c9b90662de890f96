// Figures that no command shows: what dispatch adds to a call of a kernel, how long it takes from the plugin
// folder to the open plugin (from the second run on with cached probes), what handing one parallel region to
// the threads takes, and how fast memory is read. Prints one JSON object. usage: belay_bench_core
// [dispatch|choice|handoff|read]...
#include "core/base/json.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/graph/builder.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/memory/buffer.hpp"
#include "core/memory/tensor.hpp"
#include "core/runtime/choice.hpp"
#include "core/threading/pool.hpp"
#include "host/paths.hpp"
#include "host/workbench.hpp"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace belay {
namespace {

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// A plugin whose kernels do nothing, so that only the way to them is measured.
belay_status_t nothing(belay_kernel_t* /*kernel*/, const belay_run_t* /*run*/) { return BELAY_OK; }

const belay_compute_t kNothing = {
    sizeof(belay_compute_t),
    0,
    [](belay_instance_t*, const belay_op_t*, std::uint64_t count, belay_support_t* answers, belay_error_t*) {
      for (std::uint64_t i = 0; i < count; ++i) answers[i].yes = 1;
      return belay_status_t{BELAY_OK};
    },
    [](belay_instance_t*, const belay_op_t*, belay_packed_t*, belay_error_t*) {
      return belay_status_t{BELAY_OK};
    },
    nullptr,
    [](belay_instance_t*, const belay_op_t*, const void*, std::uint64_t, belay_kernel_t** kernel,
       belay_error_t*) {
      *kernel = new belay_kernel_t{sizeof(belay_kernel_t), 0, &nothing};
      return belay_status_t{BELAY_OK};
    },
    [](const belay_kernel_t*, std::uint64_t, std::uint64_t* bytes, belay_error_t*) {
      *bytes = 64;
      return belay_status_t{BELAY_OK};
    },
    [](belay_kernel_t* kernel) { delete kernel; },
    nullptr,
    nullptr};

constexpr int kNodes = 480;  // about a step of SmolLM2
constexpr int kSteps = 2000;

graph::Graph chain_of_adds() {
  graph::Builder build;
  graph::ValueId x = build.input("x", DType::kF32, {graph::kTokens, 1});
  for (int i = 0; i < kNodes; ++i) x = build.add("sum", x, x);
  return *std::move(build).finish({x});
}

// Nanoseconds of one call, the best of some rounds.
template <class Call>
double best_call(const Call& call) {
  double best = 1e9;
  for (int round = 0; round < 7; ++round) {
    const auto start = Clock::now();
    for (int step = 0; step < kSteps; ++step) {
      for (std::size_t node = 0; node < kNodes; ++node) call(node);
    }
    best = std::min(best, nanoseconds_since(start) / (kSteps * kNodes));
  }
  return best;
}

Status measure_dispatch(Json& out) {
  const graph::Graph graph = chain_of_adds();
  std::vector<std::unique_ptr<dispatch::Backend>> backends;
  backends.push_back(
      std::make_unique<dispatch::Backend>("nothing", BELAY_NUMERICS_F32, []() -> Result<dispatch::Compute> {
        return dispatch::Compute{&kNothing, nullptr};
      }));
  dispatch::FallbackLog fallbacks;
  dispatch::Dispatcher dispatcher(graph, backends, dispatch::Chains(graph.nodes.size(), {0}), fallbacks, {});
  BELAY_TRY(dispatcher.confirm());
  BELAY_TRY(dispatcher.bind(1));
  belay_run_t run = {};
  run.struct_size = sizeof run;
  bool failed = false;
  out["dispatch_ns"] =
      best_call([&](std::size_t node) { failed = !dispatcher.run(node, run).ok() || failed; });
  std::vector<std::unique_ptr<belay_kernel_t>> kernels;
  kernels.reserve(kNodes);
  for (int i = 0; i < kNodes; ++i)
    kernels.push_back(std::make_unique<belay_kernel_t>(belay_kernel_t{sizeof(belay_kernel_t), 0, &nothing}));
  out["direct_ns"] = best_call([&](std::size_t node) {
    failed = kernels[node]->run(kernels[node].get(), &run) != BELAY_OK || failed;
  });
  if (failed) return Error{ErrorCode::kGeneral, "a call that does nothing failed"};
  return {};
}

Result<double> choose_and_open_ms(const hardware::Profile& profile,
                                  const registry::RegistryOptions& options) {
  registry::HostServices services({});
  const auto start = Clock::now();
  BELAY_TRY_ASSIGN(registry::Registry registry, registry::Registry::create(options));
  BELAY_TRY_ASSIGN(const resolver::Resolution choice, runtime::choose(profile, registry, {}));
  if (choice.selected.empty()) return Error{ErrorCode::kNoPlugin, "no plugin was chosen"};
  BELAY_TRY(registry.open(choice.selected[0].id, services));
  return nanoseconds_since(start) / 1e6;
}

Status measure_choice(Json& out) {
  const hardware::Profile profile = hardware::probe(hardware::RealSource());
  BELAY_TRY_ASSIGN(const SelfLauncher self, host::self_launcher());
  const std::filesystem::path program = std::filesystem::path(self.program).parent_path() / "belay";
  registry::RegistryOptions options;
  options.search.folders.push_back({host::plugin_folder(program), registry::Origin::kBuiltIn});
  options.profile = profile;
  options.launcher = self;
  options.launcher.program = program.string();
  if (const auto cache = host::cache_folder()) options.cache_file = *cache / "probes-bench.json";
  BELAY_TRY_ASSIGN(out["choose_and_open_ms"], choose_and_open_ms(profile, options));
  return {};
}

threading::PoolOptions pool_options(const hardware::Profile& profile) {
  threading::PoolOptions options;
  options.threads = profile.cpu.usable_cpus.value_or(1);
  for (const hardware::LogicalCpu& cpu : profile.cpu.allowed) options.cpus.push_back(cpu.os_index);
  return options;
}

constexpr std::chrono::microseconds kWork(2);  // long enough for every thread to be there for its part

// What a parallel region takes longer within a step than the work of one thread, when each has the same.
Status measure_handoff(Json& out) {
  threading::Pool pool(pool_options(hardware::probe(hardware::RealSource())));
  constexpr int kRegions = 500;
  const auto work = [](void*, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
    for (const auto until = Clock::now() + kWork * (end - begin); Clock::now() < until;) continue;
  };
  const threading::Pool::Step step(pool);
  double best = 1e9;
  for (int round = 0; round < 40; ++round) {
    const auto start = Clock::now();
    for (int region = 0; region < kRegions; ++region) pool.parallel_for(pool.threads(), 1, work, nullptr);
    best = std::min(best, nanoseconds_since(start) / kRegions);
  }
  out["handoff_ns"] = best - std::chrono::duration<double, std::nano>(kWork).count();
  out["handoff_threads"] = pool.threads();
  return {};
}

constexpr std::uint64_t kReadBytes = std::uint64_t{1} << 30U;  // far more than caches hold
constexpr std::uint64_t kReadRange = std::uint64_t{16} << 20U;

// Four streams, each fetched 2 KiB ahead: what reads fastest on the machines that were tried.
__attribute__((target("avx2"))) void read_range(const std::byte* from) {
  constexpr std::uint64_t kStreams = 4;
  constexpr std::uint64_t kStream = kReadRange / kStreams;
  __m256i sum = _mm256_setzero_si256();
  for (std::uint64_t at = 0; at < kStream; at += 64) {
    for (std::uint64_t stream = 0; stream < kStreams; ++stream) {
      const std::byte* line = from + stream * kStream + at;
      _mm_prefetch(reinterpret_cast<const char*>(line + 2048), _MM_HINT_T0);
      sum = _mm256_xor_si256(sum, _mm256_load_si256(reinterpret_cast<const __m256i*>(line)));
      sum = _mm256_xor_si256(sum, _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 32)));
    }
  }
  volatile long long sink = _mm256_extract_epi64(sum, 0);
  static_cast<void>(sink);
}

Status measure_read(Json& out) {
  out["read_gb_per_s"] = nullptr;
  if (__builtin_cpu_supports("avx2") == 0) return {};
  threading::Pool pool(pool_options(hardware::probe(hardware::RealSource())));
  BELAY_TRY_ASSIGN(memory::Buffer buffer, memory::Buffer::allocate(kReadBytes, "what is read"));
  std::memset(buffer.data(), 1, buffer.size());
  const auto read = [](void* from, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
    for (; begin < end; ++begin) read_range(static_cast<std::byte*>(from) + begin * kReadRange);
  };
  const threading::Pool::Step step(pool);
  double best = 1e12;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    pool.parallel_for(kReadBytes / kReadRange, 1, read, buffer.data());
    best = std::min(best, nanoseconds_since(start));
  }
  out["read_gb_per_s"] = static_cast<double>(kReadBytes) / best;
  return {};
}

struct Measurement {
  std::string_view name;
  Status (*measure)(Json& out);
};
constexpr std::array<Measurement, 4> kMeasurements = {{
    {"dispatch", &measure_dispatch},
    {"choice", &measure_choice},
    {"handoff", &measure_handoff},
    {"read", &measure_read},
}};

}  // namespace
}  // namespace belay

// NOLINTNEXTLINE(bugprone-exception-escape): without memory for its own words the program may end
int main(int argc, char** argv) {
  const std::vector<std::string_view> wanted(argv + 1, argv + argc);
  belay::Json out;
  for (const belay::Measurement& each : belay::kMeasurements) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), each.name) == wanted.end()) continue;
    if (const belay::Status status = each.measure(out); !status.ok()) {
      std::fprintf(stderr, "belay_bench_core: %s\n", status.error().message.c_str());
      return 1;
    }
  }
  std::puts(belay::to_line(out).c_str());
  return 0;
}
