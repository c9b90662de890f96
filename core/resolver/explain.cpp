#include "core/resolver/explain.hpp"

#include "core/base/format.hpp"
#include "core/resolver/outcome.hpp"
#include "core/resolver/subproblem.hpp"

#include <algorithm>
#include <tuple>

namespace belay::resolver {
namespace {

Explanation excluded(const Refusal& refusal) {
  return {refusal.id, "", Verdict::kExcluded, refusal, "", {}, {}, {}, {}};
}

class Explainer {
 public:
  Explainer(const Model& model, const Solution& solution)
      : model_(model),
        solution_(solution),
        evidence_(model, solution.selected, solution.outcome == Outcome::kOptimal),
        parts_(model.problem) {}

  Explanation explain(Index candidate) {
    Explanation explanation;
    explanation.id = model_.entries[candidate].id;
    explanation.version = model_.entries[candidate].plugin->version.text();
    if (evidence_.selected(candidate)) return explanation;
    const Blocker blocker = evidence_.why_not(candidate);
    explanation.refusal = {explanation.id, Stage::kResolve, std::string(blocker.code), blocker.detail};
    const std::optional<std::vector<Index>> alternative = selection_with(candidate);
    if (!alternative) {
      explanation.verdict = Verdict::kExcluded;
      return explanation;
    }
    explanation.verdict = Verdict::kLost;
    if (blocker.winner != kNone) explanation.lost_to = model_.entries[blocker.winner].id;
    explanation.level = lost_at(*alternative);
    explanation.chosen = worth_of(model_, solution_.selected);
    explanation.alternative = worth_of(model_, *alternative);
    explanation.alternative_selection = ids(*alternative);
    return explanation;
  }

 private:
  // The best selection with the candidate: only its part of the problem is solved again.
  std::optional<std::vector<Index>> selection_with(Index candidate) {
    const std::vector<Index> members = parts_.with(candidate);
    Problem part = restrict_to(model_.problem, members);
    const auto place = std::ranges::lower_bound(members, candidate);
    part.pins.push_back(static_cast<Index>(place - members.begin()));
    const Solution solution = solve(part);
    if (solution.outcome == Outcome::kUnsatisfiable || solution.outcome == Outcome::kUnknown)
      return std::nullopt;
    std::vector<Index> selection;
    std::ranges::set_difference(solution_.selected, members, std::back_inserter(selection));
    for (const Index index : solution.selected) selection.push_back(members[index]);
    std::ranges::sort(selection);
    return selection;
  }

  [[nodiscard]] LostAt lost_at(const std::vector<Index>& alternative) const {
    const Mode mode = model_.problem.mode;
    const Objective& chosen = solution_.objective;
    const Objective other = evaluate(model_.problem, alternative);
    if (std::is_lt(compare(chosen, other, mode))) return LostAt::kUnproved;
    if (mode == Mode::kWeighted && chosen.weight != other.weight) return LostAt::kWeight;
    if (mode == Mode::kLeximax && chosen.priorities != other.priorities) return LostAt::kPriorities;
    if (mode == Mode::kLeximax && chosen.negatives != other.negatives) return LostAt::kNegatives;
    if (mode == Mode::kLeximax && chosen.synergy != other.synergy) return LostAt::kSynergy;
    return ids(solution_.selected) == ids(alternative) ? LostAt::kVersion : LostAt::kId;
  }

  [[nodiscard]] std::vector<std::string> ids(const std::vector<Index>& selection) const {
    std::vector<std::string> names;
    for (const Index index : selection) {
      if (index != model_.core) names.push_back(model_.entries[index].id);
    }
    std::ranges::sort(names);
    return names;
  }

  const Model& model_;
  const Solution& solution_;
  const Evidence evidence_;
  Parts parts_;
};

std::string_view bare_name(std::string_view id) { return id.substr(id.find('/') + 1); }

std::string worth_text(const Worth& worth) {
  std::string text = format("priorities [{}]", join(worth.priorities, ", "));
  if (worth.negatives > 0) text += format(", {} of negative priority", worth.negatives);
  return text + format(", synergy {}", worth.synergy_permille);
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSelected:
      return "SELECTED";
    case Verdict::kExcluded:
      return "EXCLUDED";
    case Verdict::kLost:
      break;
  }
  return "LOST";
}

std::string_view to_string(LostAt level) {
  switch (level) {
    case LostAt::kPriorities:
      return "priorities";
    case LostAt::kNegatives:
      return "negative priorities";
    case LostAt::kSynergy:
      return "synergy";
    case LostAt::kWeight:
      return "weighted sum";
    case LostAt::kVersion:
      return "version";
    case LostAt::kId:
      return "id";
    case LostAt::kUnproved:
      break;
  }
  return "unproved";
}

Result<std::vector<Explanation>> explain(const hardware::Profile& profile,
                                         std::span<const manifest::Manifest> manifests,
                                         std::span<const Refusal> already_refused, const Policy& policy,
                                         std::optional<std::string_view> id) {
  BELAY_TRY_ASSIGN(const Model model, make_model({profile, manifests, already_refused, policy}));
  BELAY_TRY_ASSIGN(const Solution solution, solve_model(model));
  const auto asked = [&](std::string_view name) { return !id || *id == name || bare_name(name) == *id; };
  std::vector<Explanation> explanations;
  for (const auto& refusals : {already_refused, std::span<const Refusal>(model.refused)}) {
    for (const Refusal& refusal : refusals) {
      if (asked(refusal.id)) explanations.push_back(excluded(refusal));
    }
  }
  Explainer explainer(model, solution);
  for (Index candidate = 0; candidate < model.entries.size(); ++candidate) {
    if (candidate != model.core && asked(model.entries[candidate].id))
      explanations.push_back(explainer.explain(candidate));
  }
  if (id && explanations.empty())
    return fail(ErrorCode::kUsage, "there is no plugin or optimization {}", *id);
  std::ranges::stable_sort(explanations, {}, [](const Explanation& e) { return std::tie(e.id, e.version); });
  return explanations;
}

std::string to_text(const Explanation& e) {
  const std::string name = e.version.empty() ? e.id : format("{} {}", e.id, e.version);
  if (e.verdict == Verdict::kSelected) return format("{}: SELECTED", name);
  const std::string why = format("{}: {}", e.refusal->reason, e.refusal->detail);
  if (e.verdict == Verdict::kExcluded)
    return format("{}: EXCLUDED at {}, {}", name, to_string(e.refusal->stage), why);
  return format("{}: LOST{} by {}, {}\n  chosen: {}\n  with it: {} ({})", name,
                e.lost_to.empty() ? "" : " to " + e.lost_to, to_string(e.level), why, worth_text(e.chosen),
                worth_text(e.alternative), join(e.alternative_selection, ", "));
}

}  // namespace belay::resolver
