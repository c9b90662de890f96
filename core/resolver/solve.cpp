#include "core/resolver/solve.hpp"

#include "core/resolver/contradiction.hpp"
#include "core/resolver/search.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>

namespace belay::resolver {
namespace {

// The candidates by id, newer version first; what else they say only orders candidates that pass for the
// same.
std::vector<Index> canonical_order(const Problem& problem) {
  std::vector<Index> order(problem.candidates.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::ranges::stable_sort(order, [&](Index a, Index b) {
    const Candidate& x = problem.candidates[a];
    const Candidate& y = problem.candidates[b];
    return std::tie(x.id, y.version, y.priority) < std::tie(y.id, x.version, x.priority);
  });
  return order;
}

// The problem in canonical numbers.
class Canonical {
 public:
  explicit Canonical(const Problem& problem)
      : problem_(problem), order_(canonical_order(problem)), place_(order_.size()) {
    for (Index i = 0; i < order_.size(); ++i) place_[order_[i]] = i;
  }

  [[nodiscard]] Index place(Index candidate) const { return place_[candidate]; }
  [[nodiscard]] Index candidate(Index variable) const { return order_[variable]; }

  [[nodiscard]] Relations relations() const {
    Relations relations;
    for (Index v = 0; v < order_.size(); ++v) {
      const Candidate& candidate = problem_.candidates[order_[v]];
      relations.priority.push_back(candidate.priority);
      for (const std::vector<Index>& clause : candidate.clauses)
        relations.clauses.push_back({v, places(clause)});
    }
    for (const auto& [a, b] : problem_.conflicts) relations.conflicts.emplace_back(place_[a], place_[b]);
    relations.slots = slots();
    for (const Synergy& synergy : problem_.synergies) {
      Synergy moved{{}, synergy.gain};
      for (const std::vector<Index>& group : synergy.groups) moved.groups.push_back(places(group));
      relations.synergies.push_back(std::move(moved));
    }
    return relations;
  }

 private:
  [[nodiscard]] std::vector<Index> places(const std::vector<Index>& candidates) const {
    std::vector<Index> moved;
    moved.reserve(candidates.size());
    for (const Index candidate : candidates) moved.push_back(place_[candidate]);
    return moved;
  }

  // The slots that candidates name, and one for each id of several versions.
  [[nodiscard]] std::vector<std::vector<Index>> slots() const {
    std::vector<std::pair<Index, Index>> memberships;
    for (Index v = 0; v < order_.size(); ++v) {
      for (const Index slot : problem_.candidates[order_[v]].slots) memberships.emplace_back(slot, v);
    }
    std::ranges::sort(memberships);
    std::vector<std::vector<Index>> slots;
    for (std::size_t i = 0; i < memberships.size(); ++i) {
      if (i == 0 || memberships[i].first != memberships[i - 1].first) slots.emplace_back();
      slots.back().push_back(memberships[i].second);
    }
    for (Index v = 0; v + 1 < order_.size(); ++v) {
      const auto same = [&](Index u) {
        return problem_.candidates[order_[u]].id == problem_.candidates[order_[v]].id;
      };
      if (!same(v + 1)) continue;
      if (v == 0 || !same(v - 1)) slots.emplace_back(1, v);
      slots.back().push_back(v + 1);
    }
    return slots;
  }

  const Problem& problem_;
  std::vector<Index> order_;  // candidate of each variable
  std::vector<Index> place_;  // variable of each candidate
};

// Solves component by component.
class Solver {
 public:
  Solver(const Problem& problem, bool any_solution)
      : problem_(problem),
        canonical_(problem),
        instance_(build(canonical_.relations(), {problem.mode, problem.lambda})),
        state_(instance_),
        limits_{problem.node_budget, any_solution} {}

  Solution run() {
    if (!start()) {
      solution_.outcome = Outcome::kUnsatisfiable;
      return std::move(solution_);
    }
    collect_decided();
    Components components(state_);
    std::vector<Index> scratch;
    for (std::vector<Index>& component : components.split(instance_.order)) {
      if (!solve_component(extract(state_, std::move(component), scratch))) return std::move(solution_);
    }
    finish();
    return std::move(solution_);
  }

 private:
  bool start() {
    const auto assign_all = [&](const std::vector<Index>& candidates, Value value) {
      return std::ranges::all_of(candidates,
                                 [&](Index c) { return state_.assign(canonical_.place(c), value); });
    };
    for (const auto& [a, b] : problem_.conflicts) {
      if (a == b && !state_.assign(canonical_.place(a), Value::kOut)) return false;
    }
    Dominance dominance(state_);
    return assign_all(problem_.bans, Value::kOut) && assign_all(problem_.pins, Value::kIn) &&
           state_.propagate_all() && dominance.settle(instance_.order);
  }

  void collect_decided() {
    for (Index v = 0; v < instance_.n; ++v) {
      if (state_.in(v)) solution_.selected.push_back(canonical_.candidate(v));
    }
  }

  // False when the component has no selection, or none that was found.
  bool solve_component(const Extract& part) {
    Search search(part.instance, limits_);
    const std::optional<Score> found = search.run();
    solution_.nodes += search.nodes();
    if (!found) {
      solution_.outcome = search.exhaustive() ? Outcome::kUnsatisfiable : Outcome::kUnknown;
      solution_.selected.clear();
      return false;
    }
    for (Index i = 0; i < part.instance.n; ++i) {
      if (found->has(i)) solution_.selected.push_back(canonical_.candidate(part.variables[i]));
    }
    if (!search.exhaustive()) {
      solution_.outcome = Outcome::kBounded;
      add_slack(part.instance, *found, search.bound());
    }
    return true;
  }

  // How far the bound of a component lies above what was found.
  void add_slack(const Instance& instance, const Score& found, const Score& bound) {
    for (std::size_t tier = 0; tier < bound.counts.size(); ++tier) {
      const std::int32_t more = bound.counts[tier] - found.counts[tier];
      if (tier < instance.tiers.size()) {
        slack_[instance.tiers[tier]] += more;
      } else {
        negatives_slack_ += more;
      }
    }
    total_slack_ += bound.total - found.total;
  }

  void finish() {
    std::ranges::sort(solution_.selected);
    solution_.objective = evaluate(problem_, solution_.selected);
    solution_.upper = solution_.objective;
    if (solution_.outcome == Outcome::kOptimal) return;
    Objective& upper = solution_.upper;
    if (problem_.mode == Mode::kWeighted) {
      upper.weight += total_slack_;
      return;
    }
    std::map<std::int32_t, std::int64_t, std::greater<>> counts(slack_.begin(), slack_.end());
    for (const std::int32_t priority : upper.priorities) ++counts[priority];
    upper.priorities.clear();
    for (const auto& [priority, count] : counts) {
      upper.priorities.insert(upper.priorities.end(),
                              static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), priority);
    }
    upper.negatives -= negatives_slack_;
    upper.synergy += static_cast<std::int64_t>(total_slack_);
  }

  const Problem& problem_;
  const Canonical canonical_;
  const Instance instance_;
  State state_;
  const SearchLimits limits_;
  Solution solution_;
  std::map<std::int32_t, std::int64_t> slack_;  // by priority
  std::int64_t negatives_slack_ = 0;
  Int128 total_slack_ = 0;
};

}  // namespace

Solution solve(const Problem& problem) {
  Solution solution = Solver(problem, false).run();
  if (solution.outcome == Outcome::kUnsatisfiable) solution.contradiction = minimal_contradiction(problem);
  return solution;
}

Solution find_any(const Problem& problem) { return Solver(problem, true).run(); }

}  // namespace belay::resolver
