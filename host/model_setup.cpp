#include "host/model_setup.hpp"

#include "core/base/format.hpp"
#include "core/monitoring/memory_use.hpp"
#include "host/paths.hpp"
#include "host/signals.hpp"

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
  options.threads = settings.threads.value_or(bench.profile.cpu.usable_cpus.value_or(1));
  return models::ModelFile::open(*path, options);
}

runtime::PlanOptions plan_options(const Workbench& bench, const Needs& needs) {
  runtime::PlanOptions options;
  options.context = bench.settings.context.value_or(needs.context);
  options.image_patches = needs.image_patches;
  options.memory_limit = bench.settings.memory_limit;
  options.memory_free = bench.profile.memory.available_bytes;
  options.save_memory = bench.settings.balance == "memory";
  if (!bench.settings.hardware) options.program_bytes = monitoring::rss_bytes().value_or(0);
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
  options.interrupted = &interrupted();
  options.plugin_options = bench.settings.plugin_options;
  options.spill_folder = cache_folder().value_or(std::filesystem::path());
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
