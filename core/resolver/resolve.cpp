#include "core/resolver/resolve.hpp"

#include "core/base/format.hpp"
#include "core/resolver/outcome.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace belay::resolver {
namespace {

template <class T>
std::optional<std::size_t> place_in(std::span<const T> all, const T* one) {
  const std::less<const T*> before;
  if (one == nullptr || all.empty() || before(one, all.data()) || !before(one, all.data() + all.size()))
    return std::nullopt;
  return static_cast<std::size_t>(one - all.data());
}

Choice choice_of(const Model& model, Index candidate, std::span<const manifest::Manifest> manifests) {
  const Entry& entry = model.entries[candidate];
  return {entry.id, model.problem.candidates[candidate].priority, place_in(manifests, entry.plugin),
          place_in(std::span(entry.plugin->optimizations), entry.optimization)};
}

void sort_choices(std::vector<Choice>& choices) {
  std::ranges::sort(choices, [](const Choice& a, const Choice& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.id < b.id;
  });
}

// An optimization of a version that is not used says nothing when the same one of another version is
// selected.
bool repeats_selected(const Model& model, const Evidence& evidence, Index candidate,
                      const std::set<std::string_view>& selected_ids) {
  return model.entries[candidate].optimization != nullptr && !evidence.selected(candidate) &&
         selected_ids.contains(model.entries[candidate].id);
}

std::vector<Refusal> refusals_of(const Model& model, const Solution& solution) {
  std::vector<Refusal> refused = model.refused;
  const Evidence evidence(model, solution.selected, solution.outcome == Outcome::kOptimal);
  std::set<std::string_view> selected_ids;
  for (const Index candidate : solution.selected) selected_ids.insert(model.entries[candidate].id);
  for (Index candidate = 0; candidate < model.entries.size(); ++candidate) {
    if (evidence.selected(candidate) || repeats_selected(model, evidence, candidate, selected_ids)) continue;
    const Blocker blocker = evidence.why_not(candidate);
    refused.push_back(
        {model.entries[candidate].id, Stage::kResolve, std::string(blocker.code), blocker.detail});
  }
  std::ranges::sort(refused, [](const Refusal& a, const Refusal& b) {
    return std::tie(a.id, a.detail) < std::tie(b.id, b.detail);
  });
  return refused;
}

bool all_built_in(const Model& model, const Synergy& synergy) {
  return std::ranges::all_of(synergy.groups, [&](const std::vector<Index>& group) {
    return std::ranges::all_of(group, [&](Index candidate) { return model.entries[candidate].built_in(); });
  });
}

bool complete(const Synergy& synergy, const std::vector<Index>& selected) {
  return std::ranges::all_of(synergy.groups, [&](const std::vector<Index>& group) {
    return std::ranges::any_of(group, [&](Index c) { return std::ranges::binary_search(selected, c); });
  });
}

}  // namespace

std::vector<std::string> ids_of(std::span<const Choice> choices) {
  std::vector<std::string> ids;
  for (const Choice& choice : choices) ids.push_back(choice.id);
  return ids;
}

Result<Solution> solve_model(const Model& model) {
  Solution solution = solve(model.problem);
  if (solution.outcome == Outcome::kUnsatisfiable) {
    return fail(ErrorCode::kUsage, "the pins cannot all be met: {}",
                contradiction_text(model, solution.contradiction));
  }
  if (solution.outcome == Outcome::kUnknown) {
    return fail(ErrorCode::kGeneral, "no selection with all pins was found within {} steps; pin less",
                model.problem.node_budget);
  }
  return solution;
}

Worth worth_of(const Model& model, const std::vector<Index>& selected) {
  Worth worth;
  for (const Index candidate : selected) {
    if (model.entries[candidate].built_in()) continue;
    const std::int32_t priority = model.problem.candidates[candidate].priority;
    if (priority >= 0) {
      worth.priorities.push_back(priority);
    } else {
      ++worth.negatives;
    }
  }
  std::ranges::sort(worth.priorities, std::greater{});
  for (const Synergy& synergy : model.problem.synergies) {
    if (!all_built_in(model, synergy) && complete(synergy, selected)) worth.synergy_permille += synergy.gain;
  }
  return worth;
}

Result<Resolution> resolve(const hardware::Profile& profile, std::span<const manifest::Manifest> manifests,
                           std::span<const Refusal> already_refused, const Policy& policy) {
  BELAY_TRY_ASSIGN(const Model model, make_model({profile, manifests, already_refused, policy}));
  BELAY_TRY_ASSIGN(const Solution solution, solve_model(model));
  Resolution resolution;
  resolution.optimal = solution.outcome == Outcome::kOptimal;
  resolution.objective = worth_of(model, solution.selected);
  for (const Index candidate : solution.selected) {
    if (candidate == model.core) continue;
    const bool plugin = model.entries[candidate].optimization == nullptr;
    (plugin ? resolution.selected : resolution.optimizations)
        .push_back(choice_of(model, candidate, manifests));
  }
  sort_choices(resolution.selected);
  sort_choices(resolution.optimizations);
  resolution.refused.assign(already_refused.begin(), already_refused.end());
  for (Refusal& refusal : refusals_of(model, solution)) resolution.refused.push_back(std::move(refusal));
  return resolution;
}

}  // namespace belay::resolver
