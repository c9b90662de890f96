// Two figures that no command shows: what dispatch adds to a call of a kernel, and how long it takes from the
// plugin folder to the open plugin when probes are cached. Prints one JSON object. usage: belay_bench_core
#include "core/base/json.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/graph/builder.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/memory/tensor.hpp"
#include "core/runtime/choice.hpp"
#include "host/paths.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
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
    [](belay_kernel_t* kernel) { delete kernel; }};

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
  std::vector<double> times;
  for (int round = 0; round < 21; ++round) {
    BELAY_TRY_ASSIGN(const double ms, choose_and_open_ms(profile, options));
    if (round > 0) times.push_back(ms);  // the first fills the cache
  }
  std::sort(times.begin(), times.end());
  out["choose_and_open_ms"] = times[times.size() / 2];
  return {};
}

}  // namespace
}  // namespace belay

int main() {
  belay::Json out;
  for (const auto measure : {&belay::measure_dispatch, &belay::measure_choice}) {
    if (const belay::Status status = measure(out); !status.ok()) {
      std::fprintf(stderr, "belay_bench_core: %s\n", status.error().message.c_str());
      return 1;
    }
  }
  std::puts(belay::to_line(out).c_str());
  return 0;
}
