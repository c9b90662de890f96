#include "core/resolver/search.hpp"

#include <algorithm>

namespace belay::resolver {

Search::Search(const Instance& instance, const SearchLimits& limits)
    : instance_(instance),
      limits_(limits),
      state_(instance),
      dominance_(state_),
      components_(state_),
      slot_stamp_(instance.members.rows(), 0),
      synergy_stamp_(instance.gain.size(), 0),
      clique_stamp_(instance.n, 0),
      clique_of_(instance.n, 0) {}

std::optional<Score> Search::run() {
  root_bound_ = bound_of(instance_.order);
  return branch(instance_.order, Score(instance_), nullptr);
}

std::optional<Score> Search::branch(const std::vector<Index>& variables, const Score& outside,
                                    const Score* goal) {
  if (budget_spent() || depth_ >= kMaxDepth) return complete_greedily(variables);
  ++nodes_;
  visited_ += static_cast<std::int64_t>(variables.size());
  ++depth_;
  std::optional<Score> best = decide(variables, Value::kIn, outside, goal);
  const bool enough = best && (limits_.any_solution || budget_spent());
  if (enough) {
    exhaustive_ = limits_.any_solution && exhaustive_;
  } else {
    const Score reached = best ? outside + *best : Score();
    if (best && (goal == nullptr || reached > *goal)) goal = &reached;
    std::optional<Score> other = decide(variables, Value::kOut, outside, goal);
    if (other && (!best || *other > *best)) best = std::move(other);
  }
  --depth_;
  return best;
}

std::optional<Score> Search::decide(const std::vector<Index>& variables, Value value, const Score& outside,
                                    const Score* goal) {
  const std::size_t mark = state_.mark();
  const std::int64_t gain_before = state_.gain();
  std::optional<Score> found;
  if (state_.assign(variables.front(), value) && dominance_.settle(variables)) {
    found = combine(variables, mark, gain_before, outside, goal);
  }
  state_.undo(mark);
  return found;
}

std::optional<Score> Search::combine(const std::vector<Index>& variables, std::size_t mark,
                                     std::int64_t gain_before, const Score& outside, const Score* goal) {
  Score sum = decided(mark, gain_before);
  const std::vector<std::vector<Index>> parts = components_.split(variables);
  std::vector<Score> bounds;
  Score rest = outside + sum;
  for (const std::vector<Index>& part : parts) {
    bounds.push_back(bound_of(part));
    rest += bounds.back();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (goal != nullptr && !(rest > *goal)) return std::nullopt;
    rest -= bounds[i];
    const std::optional<Score> found = branch(parts[i], rest, goal);
    if (!found) return std::nullopt;
    rest += *found;
    sum += *found;
  }
  return sum;
}

std::optional<Score> Search::complete_greedily(const std::vector<Index>& variables) {
  exhaustive_ = false;
  const std::size_t mark = state_.mark();
  const std::int64_t gain_before = state_.gain();
  std::optional<Score> found;
  if (std::ranges::all_of(variables, [&](Index v) { return !state_.open(v) || take_if_possible(v); })) {
    found = decided(mark, gain_before);
  }
  state_.undo(mark);
  return found;
}

bool Search::take_if_possible(Index v) {
  Value first = Value::kIn;
  Value second = Value::kOut;
  if (instance_.priority[v] < 0) std::swap(first, second);
  const std::size_t mark = state_.mark();
  if (state_.assign(v, first) && state_.propagate()) return true;
  state_.undo(mark);
  return state_.assign(v, second) && state_.propagate();
}

Score Search::decided(std::size_t mark, std::int64_t gain_before) const {
  Score score(instance_);
  for (const Index v : state_.since(mark)) {
    if (state_.in(v)) score.add(instance_, v);
  }
  const std::int64_t gain = state_.gain() - gain_before;
  score.total +=
      instance_.rules.mode == Mode::kWeighted ? Int128{instance_.rules.lambda} * gain : Int128{gain};
  return score;
}

// Tiers are counted with each group of mutually exclusive variables once, where it is best. That bounds the
// lexicographic order: a selection that takes a group's member of a lower tier is already behind at the
// higher one.
Score Search::bound_of(const std::vector<Index>& variables) {
  ++call_;
  cliques_.clear();
  Score bound(instance_);
  const bool weighted = instance_.rules.mode == Mode::kWeighted;
  for (const Index v : variables) {
    const bool counts = opens_clique(v);
    const bool worth = weighted ? instance_.priority[v] > 0 : !instance_.negative_tier(v);
    if (counts && worth) {
      bound.add(instance_, v);
    } else {
      bound.mark(v);
    }
  }
  bound.total += possible_gain(variables);
  return bound;
}

Int128 Search::possible_gain(const std::vector<Index>& variables) {
  std::int64_t gain = 0;
  for (const Index v : variables) {
    for (const Index group : instance_.groups_of[v]) {
      const Index synergy = instance_.synergy_of[group];
      if (!state_.promising(group) || std::exchange(synergy_stamp_[synergy], call_) == call_) continue;
      gain += instance_.gain[synergy];
    }
  }
  return instance_.rules.mode == Mode::kWeighted ? Int128{instance_.rules.lambda} * gain : Int128{gain};
}

bool Search::opens_clique(Index v) {
  if (joins_slot(v) || joins_conflict_clique(v)) return false;
  const auto live = [&](Index slot) { return state_.open_in_slot(slot) > 1; };
  const std::span<const Index> slots = instance_.slots_of[v];
  if (const auto slot = std::ranges::find_if(slots, live); slot != slots.end()) {
    slot_stamp_[*slot] = call_;
    return true;
  }
  clique_stamp_[v] = call_;
  clique_of_[v] = static_cast<Index>(cliques_.size());
  cliques_.push_back({1, 0, kNone});
  return true;
}

bool Search::joins_slot(Index v) const {
  return std::ranges::any_of(instance_.slots_of[v], [&](Index slot) { return slot_stamp_[slot] == call_; });
}

bool Search::joins_conflict_clique(Index v) {
  for (const Index u : instance_.neighbours[v]) {
    if (clique_stamp_[u] != call_) continue;
    Clique& clique = cliques_[clique_of_[u]];
    if (clique.seen_by != v) clique.adjacent = 0;
    clique.seen_by = v;
    if (++clique.adjacent < clique.size) continue;
    ++clique.size;
    clique_stamp_[v] = call_;
    clique_of_[v] = clique_of_[u];
    return true;
  }
  return false;
}

}  // namespace belay::resolver
