#include "host/model_setup.hpp"

#include "core/base/format.hpp"
#include "core/monitoring/memory_use.hpp"
#include "core/monitoring/pressure.hpp"
#include "host/console.hpp"
#include "host/paths.hpp"
#include "host/signals.hpp"

#include <algorithm>

namespace belay::host {

Result<models::ModelFile> open_model(const Workbench& bench) {
  const CommonSettings& settings = bench.settings;
  const auto path = settings.model ? settings.model : default_model();
  if (!path)
    return fail(ErrorCode::kUsage,
                "no model: give --model FILE.gguf or a Hugging Face folder, or run tools/demo once to fetch "
                "a small one");
  models::ModelOptions options;
  options.mmproj = settings.mmproj;
  options.quantize = settings.quantize;
  return models::ModelFile::open(*path, options);
}

namespace {

// What the process will still grow by beside what the plan counts: threads, tables, code that was not run
// yet.
constexpr std::uint64_t kGrowth = std::uint64_t{4} << 20U;

// What the machine can give without pushing anything else out, when the user sets no limit: a tenth of what
// is free stays free, and of a cgroup's limit a twentieth. A model beyond that is streamed rather than
// swapped.
std::optional<std::uint64_t> usable_memory(const hardware::Memory& memory, std::uint64_t held) {
  std::optional<std::uint64_t> usable;
  if (memory.available_bytes) usable = held + *memory.available_bytes / 10 * 9;
  if (memory.limit_bytes) {
    const std::uint64_t within = *memory.limit_bytes / 20 * 19;
    usable = std::min(usable.value_or(within), within);
  }
  return usable;
}

}  // namespace

runtime::PlanOptions plan_options(const Workbench& bench, const Needs& needs) {
  runtime::PlanOptions options;
  options.context = bench.settings.context.value_or(needs.context);
  options.image_patches = needs.image_patches;
  options.head_rows = needs.head_rows;
  options.save_memory = bench.policy.balance == resolver::Balance::kMemory;
  if (!bench.settings.hardware && !needs.shares_process)
    options.program_bytes = monitoring::rss_bytes().value_or(0) + kGrowth;
  if (bench.settings.hardware && !bench.profile.gpus.empty()) {
    const hardware::Gpu& gpu = bench.profile.gpus.front();
    options.gpu_bytes = gpu.memory_free_bytes ? gpu.memory_free_bytes : gpu.memory_bytes;
  }
  options.limit_is_set = bench.settings.memory_limit.has_value();
  options.memory_limit = options.limit_is_set ? bench.settings.memory_limit
                                              : usable_memory(bench.profile.memory, options.program_bytes);
  return options;
}

Result<std::unique_ptr<runtime::Assembly>> assemble(Workbench& bench, models::ModelFile file,
                                                    const Needs& needs,
                                                    const dispatch::DispatchOptions& dispatch) {
  runtime::AssemblyOptions options;
  options.plan = plan_options(bench, needs);
  options.dispatch = dispatch;
  options.dispatch.strict = bench.settings.strict;
  options.threads = static_cast<std::uint32_t>(bench.settings.threads.value_or(0));
  // Half of what the plan leaves free; below, something else needs the memory.
  options.relief = {monitoring::available_bytes, bench.profile.memory.available_bytes.value_or(0) / 20};
  options.interrupted = &interrupted();
  options.plugin_options = bench.settings.plugin_options;
  options.spill_folder = cache_folder().value_or(std::filesystem::path());
  if (!options.spill_folder.empty()) options.making.folder = options.spill_folder / "weights";
  options.making.strict = bench.settings.strict;
  options.making.on_weight = [](std::size_t done, std::size_t total) -> Status {
    progress(format("making weight {} of {}", done + 1, total));
    if (interrupted().load()) return Error{ErrorCode::kInterrupted, "interrupted"};
    return {};
  };
  return runtime::Assembly::create(bench.profile, bench.registry, bench.resolution, std::move(file), options);
}

runtime::Stop make_stop(const CommonSettings& settings) {
  runtime::Stop stop;
  stop.interrupted = &interrupted();
  if (settings.deadline_s) {
    const auto allowed = std::chrono::duration<double>(*settings.deadline_s);
    stop.deadline = std::chrono::steady_clock::now() +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(allowed);
  }
  return stop;
}

}  // namespace belay::host
