// belay plan: what would run where, and why, without running it.
#include "core/runtime/assembly.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/model_setup.hpp"
#include "host/plan_output.hpp"
#include "host/workbench.hpp"

namespace belay::host {
namespace {

struct Planned {
  runtime::Plan plan;
  std::optional<runtime::Prediction> prediction;
};

// On this machine the plugins are asked and the tiers are measured, so that what is printed is what would
// run; for another one their manifests decide.
Result<Planned> plan_model(Workbench& bench, models::ModelFile file) {
  Planned planned;
  if (bench.settings.hardware) {
    BELAY_TRY_ASSIGN(planned.plan, runtime::plan_only(std::move(file), bench.registry, bench.resolution,
                                                      plan_options(bench, {})));
    return planned;
  }
  // As in a run, where its memory counts; here it has nothing to say.
  const auto held = file.make_tokenizer();
  BELAY_TRY_ASSIGN(const auto assembly, assemble(bench, std::move(file), {}, {}));
  planned.prediction = assembly->predict();
  planned.plan = assembly->engine().plan();
  return planned;
}

}  // namespace

Result<int> plan_command(Options& options) {
  BELAY_TRY_ASSIGN(Workbench bench, prepare(options, true));
  PlanParts parts;
  Planned planned;
  if (bench.settings.model) {
    BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench));
    BELAY_TRY_ASSIGN(planned, plan_model(bench, std::move(file)));
    parts.plan = &planned.plan;
    parts.prediction = planned.prediction;
  }
  if (options.has("explain")) {
    BELAY_TRY_ASSIGN(parts.why, runtime::explain_choice(bench.profile, bench.registry, bench.policy));
  }
  write_out(bench.settings.json ? to_line(plan_json(bench, parts)) + "\n" : plan_text(bench, parts));
  return 0;
}

}  // namespace belay::host
