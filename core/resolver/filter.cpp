#include "core/resolver/filter.hpp"

#include "core/base/format.hpp"
#include "core/manifest/requirement.hpp"

#include <algorithm>

namespace belay::resolver {
namespace {

using manifest::Budget;
using manifest::Manifest;
using manifest::Optimization;

// A reason code and its evidence; an empty code: admitted.
struct Objection {
  std::string code;
  std::string detail;
  Stage stage = Stage::kResolve;
};

Objection banned(const Policy& policy, const std::string& id, std::string_view bare_name) {
  for (const std::string& pattern : policy.bans) {
    if (matches_glob(pattern, id) || matches_glob(pattern, bare_name)) {
      return {std::string(reason::kBanned), format("the configuration bans \"{}\"", pattern)};
    }
  }
  const auto entry = policy.overrides.find(id);
  if (entry != policy.overrides.end() && entry->second.enabled == false) {
    return {std::string(reason::kBanned), "the configuration sets enabled = false for it"};
  }
  return {};
}

Objection against_plugin(const Policy& policy, const Manifest& plugin) {
  if (plugin.id == kCoreId) return {};
  if (!policy.only.empty() && std::ranges::find(policy.only, plugin.id) == policy.only.end()) {
    return {std::string(reason::kBanned), format("--plugins allows only {}", join(policy.only, ", "))};
  }
  return banned(policy, plugin.id, plugin.id);
}

Objection above_level(manifest::Level level, const Optimization& optimization) {
  if (optimization.lossless || optimization.level <= level) return {};
  return {std::string(reason::kLevel),
          format("it needs level {}; this is {}", manifest::to_string(optimization.level),
                 manifest::to_string(level))};
}

Objection over_budget(const Budget& measured, const Budget& allowed, std::string_view whose) {
  const auto breach = [&](std::string_view what, std::optional<double> value, std::optional<double> limit,
                          bool at_least) {
    // A measurement that is not a number keeps no budget.
    if (!value || !limit || (at_least ? *value >= *limit : *value <= *limit)) return Objection{};
    return Objection{std::string(reason::kBudget),
                     format("{} {} on this model; {} allows {} {}", what, *value, whose,
                            at_least ? "at least" : "at most", *limit)};
  };
  for (const Objection& objection : {breach("KL divergence", measured.kld, allowed.kld, false),
                                     breach("same top-1", measured.top1, allowed.top1, true),
                                     breach("perplexity increase", measured.ppl, allowed.ppl, false)}) {
    if (!objection.code.empty()) return objection;
  }
  return {};
}

Objection against_measurement(const Policy& policy, const std::string& id, const Optimization& optimization) {
  const auto measured = policy.measured.find(id);
  if (measured == policy.measured.end()) return {};
  Objection own = over_budget(measured->second, optimization.budget, "its own budget");
  if (!own.code.empty()) return own;
  return over_budget(measured->second, level_budget(policy.level),
                     format("level {}", manifest::to_string(policy.level)));
}

Objection against_optimization(const Inputs& inputs, const Manifest& plugin, const Optimization& optimization,
                               const std::string& id) {
  if (Objection ban = banned(inputs.policy, id, optimization.id); !ban.code.empty()) return ban;
  if (Objection level = above_level(inputs.policy.level, optimization); !level.code.empty()) return level;
  if (Objection budget = against_measurement(inputs.policy, id, optimization); !budget.code.empty())
    return budget;
  const std::vector<Refusal> unmet = manifest::unmet(plugin, optimization, inputs.profile);
  if (unmet.empty()) return {};
  return {unmet.front().reason, unmet.front().detail, unmet.front().stage};
}

void refuse(Model& model, const std::string& id, const Objection& objection) {
  model.refused.push_back({id, objection.stage, objection.code, objection.detail});
}

void admit_optimization(const Inputs& inputs, const Manifest& plugin, const Optimization& optimization,
                        Index plugin_entry, Model& model) {
  const std::string id = plugin.id + "/" + optimization.id;
  const Objection objection = against_optimization(inputs, plugin, optimization, id);
  if (!objection.code.empty()) return refuse(model, id, objection);
  model.entries.push_back({id, &plugin, &optimization, plugin_entry});
}

void admit_plugin(const Inputs& inputs, const Manifest& plugin, Model& model) {
  const Objection objection = against_plugin(inputs.policy, plugin);
  if (!objection.code.empty()) {
    refuse(model, plugin.id, objection);
    for (const Optimization& optimization : plugin.optimizations) {
      refuse(model, plugin.id + "/" + optimization.id,
             {std::string(reason::kRequires),
              format("its plugin {} is refused ({})", plugin.id, objection.code)});
    }
    return;
  }
  const auto entry = static_cast<Index>(model.entries.size());
  if (plugin.id == kCoreId) model.core = entry;
  model.entries.push_back({plugin.id, &plugin, nullptr, kNone});
  for (const Optimization& optimization : plugin.optimizations) {
    admit_optimization(inputs, plugin, optimization, entry, model);
  }
}

const Manifest& bare_core() {
  static const Manifest core = [] {
    Manifest manifest;
    manifest.id = kCoreId;
    return manifest;
  }();
  return core;
}

}  // namespace

void admit(const Inputs& inputs, Model& model) {
  for (const Manifest& plugin : inputs.manifests) admit_plugin(inputs, plugin, model);
  if (model.core == kNone) admit_plugin(inputs, bare_core(), model);
}

}  // namespace belay::resolver
