// belay plan: what would run where, and why, without running it.
#include "core/runtime/assembly.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/model_setup.hpp"
#include "host/plan_output.hpp"
#include "host/workbench.hpp"

namespace belay::host {
namespace {

// On this machine the plugins are asked, so that what is printed is what would run; for another one their
// manifests decide.
Result<runtime::Plan> plan_model(Workbench& bench, models::ModelFile file) {
  if (bench.settings.hardware)
    return runtime::plan_only(std::move(file), bench.registry, bench.resolution, plan_options(bench, {}));
  BELAY_TRY_ASSIGN(const auto assembly, assemble(bench, std::move(file), {}, {}));
  return assembly->engine().plan();
}

}  // namespace

Result<int> plan_command(Options& options) {
  BELAY_TRY_ASSIGN(Workbench bench, prepare(options, true));
  std::optional<runtime::Plan> plan;
  if (bench.settings.model) {
    BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench));
    BELAY_TRY_ASSIGN(plan, plan_model(bench, std::move(file)));
  }
  Explanations why;
  if (options.has("explain")) {
    BELAY_TRY_ASSIGN(why, runtime::explain_choice(bench.profile, bench.registry, bench.policy));
  }
  const runtime::Plan* made = plan ? &*plan : nullptr;
  write_out(bench.settings.json ? to_line(plan_json(bench, made, why)) + "\n" : plan_text(bench, made, why));
  return 0;
}

}  // namespace belay::host
