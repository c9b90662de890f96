#include "core/resolver/model.hpp"

#include "core/base/format.hpp"
#include "core/resolver/filter.hpp"
#include "core/resolver/link.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

namespace belay::resolver {
namespace {

// Numbers the versions of each id from the oldest on; files decide between equal versions.
void rank_versions(Model& model) {
  std::vector<Index> order(model.entries.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::ranges::stable_sort(order, [&](Index a, Index b) {
    const Entry& x = model.entries[a];
    const Entry& y = model.entries[b];
    return std::tie(x.id, x.plugin->version, y.plugin->file) <
           std::tie(y.id, y.plugin->version, x.plugin->file);
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (model.entries[order[i]].id != model.entries[order[i - 1]].id) continue;
    model.problem.candidates[order[i]].version = model.problem.candidates[order[i - 1]].version + 1;
  }
}

void add_candidates(const Policy& policy, Model& model) {
  for (const Entry& entry : model.entries) {
    Candidate candidate;
    candidate.id = entry.id;
    candidate.priority =
        entry.optimization == nullptr ? entry.plugin->priority : entry.optimization->priority;
    const auto changed = policy.overrides.find(entry.id);
    if (changed != policy.overrides.end())
      candidate.priority = changed->second.priority.value_or(candidate.priority);
    model.problem.candidates.push_back(std::move(candidate));
  }
  model.problem.candidates[model.core].priority = 0;
  model.problem.pins = {model.core};
  model.problem.mode = policy.mode;
  model.problem.lambda = policy.lambda;
  rank_versions(model);
}

// A pin is something that the core, which is always there, needs: so any version of it will do.
Status add_pins(const Inputs& inputs, const Names& names, Model& model) {
  for (const std::string& pin : inputs.policy.pins) {
    const Names::Found found = names.by_id(pin);
    if (!found.empty()) {
      model.problem.candidates[model.core].clauses.emplace_back(found.begin(), found.end());
      model.needs[model.core].push_back({format("{} (pinned)", pin), ""});
      continue;
    }
    for (const auto& refusals : {inputs.already_refused, std::span<const Refusal>(model.refused)}) {
      const auto refusal = std::ranges::find(refusals, pin, &Refusal::id);
      if (refusal == refusals.end()) continue;
      return fail(ErrorCode::kUsage, "{} is pinned, but refused ({}: {}); remove the pin or the cause", pin,
                  refusal->reason, refusal->detail);
    }
    return fail(ErrorCode::kUsage,
                "{} is pinned, but there is no such plugin or optimization; pins are full ids", pin);
  }
  return {};
}

// Whether the policy may name it: it is there, or refused. Of a refused plugin the optimizations are not
// known, and of a manifest that did not parse only the file.
class KnownNames {
 public:
  KnownNames(const Inputs& inputs, const Model& model) {
    for (const Entry& entry : model.entries) present_.insert(entry.id);
    for (const Refusal& refusal : model.refused) present_.insert(refusal.id);
    for (const Refusal& refusal : inputs.already_refused) refused_.insert(refusal.id);
  }

  [[nodiscard]] bool contains(const std::string& id) const {
    const std::string plugin = id.substr(0, id.find('/'));
    return present_.contains(id) || refused_.contains(id) || refused_.contains(plugin) ||
           refused_.contains(plugin + ".toml");
  }

 private:
  std::set<std::string_view> present_, refused_;
};

Status check_names(const Inputs& inputs, const Model& model) {
  const KnownNames known(inputs, model);
  for (const auto& [id, unused] : inputs.policy.overrides) {
    if (!known.contains(id))
      return fail(ErrorCode::kUsage, "override.\"{}\": there is no such plugin or optimization", id);
  }
  for (const std::string& id : inputs.policy.only) {
    if (!known.contains(id)) return fail(ErrorCode::kUsage, "--plugins {}: there is no such plugin", id);
  }
  return {};
}

Status check_values(const Inputs& inputs) {
  if (inputs.policy.lambda < 0)
    return fail(ErrorCode::kUsage, "lambda is {}; it must not be negative", inputs.policy.lambda);
  for (const auto& [id, change] : inputs.policy.overrides) {
    if (change.device && *change.device >= inputs.profile.gpus.size()) {
      return fail(ErrorCode::kUsage, "override.\"{}\": there is no GPU {}; this machine has {}", id,
                  *change.device, inputs.profile.gpus.size());
    }
  }
  return {};
}

}  // namespace

Result<Model> make_model(const Inputs& inputs) {
  Model model;
  admit(inputs, model);
  BELAY_TRY(check_values(inputs));
  BELAY_TRY(check_names(inputs, model));
  const Names names(model.entries);
  add_candidates(inputs.policy, model);
  link_needs(inputs, names, model);
  link_slots(inputs, model);
  BELAY_TRY(link_conflicts(names, model));
  BELAY_TRY(link_synergies(names, model));
  BELAY_TRY(add_pins(inputs, names, model));
  return model;
}

}  // namespace belay::resolver
