#include "core/resolver/dominance.hpp"

#include <algorithm>

namespace belay::resolver {

Dominance::Dominance(State& state)
    : state_(state),
      instance_(state.instance()),
      leximax_(instance_.rules.mode == Mode::kLeximax),
      slot_seen_(instance_.members.rows(), 0) {}

bool Dominance::settle(std::span<const Index> variables) {
  if (!state_.propagate()) return false;
  std::size_t before = 0;
  do {
    before = state_.mark();
    if (!drop_unneeded(variables) || !drop_slot_losers(variables) || !take_winners(variables)) return false;
  } while (state_.mark() != before);
  return true;
}

bool Dominance::drop_unneeded(std::span<const Index> variables) {
  for (const Index v : variables) {
    if (!state_.open(v) || !better_without(v) || state_.required(v)) continue;
    if (!state_.assign(v, Value::kOut) || !state_.propagate()) return false;
  }
  return true;
}

// Removing it from a selection that does not need it makes the selection better.
bool Dominance::better_without(Index v) const {
  if (leximax_) return instance_.negative_tier(v);
  return instance_.priority[v] < 0 && !state_.in_promising_group(v);
}

bool Dominance::drop_slot_losers(std::span<const Index> variables) {
  ++pass_;
  for (const Index v : variables) {
    if (!state_.open(v)) continue;
    for (const Index slot : instance_.slots_of[v]) {
      if (slot_seen_[slot] == pass_ || state_.open_in_slot(slot) < 2) continue;
      slot_seen_[slot] = pass_;
      if (!drop_losers_of(slot)) return false;
    }
  }
  return true;
}

bool Dominance::drop_losers_of(Index slot) {
  const std::span<const Index> members = instance_.members[slot];
  const auto champion =
      std::ranges::find_if(members, [&](Index v) { return state_.open(v) && bound_only_by(v, slot); });
  if (champion == members.end()) return true;
  for (const Index v : std::span(champion + 1, members.end())) {
    if (!state_.open(v) || !loses(v, *champion)) continue;
    if (!state_.assign(v, Value::kOut)) return false;
  }
  return state_.propagate();
}

bool Dominance::bound_only_by(Index v, Index slot) const {
  const auto no_open = [&](Index neighbour) { return !state_.open(neighbour); };
  const auto alone = [&](Index other) { return other == slot || state_.open_in_slot(other) == 1; };
  return clauses_hit(v) && std::ranges::all_of(instance_.slots_of[v], alone) &&
         std::ranges::all_of(instance_.neighbours[v], no_open);
}

// Exchanging v for the champion, which stands before it in the slot's order, is better. In kLeximax a higher
// tier decides whatever the synergies are.
bool Dominance::loses(Index v, Index champion) const {
  if (state_.required(v)) return false;
  if (leximax_ && instance_.tier[champion] < instance_.tier[v]) return true;
  return !state_.in_promising_group(v);
}

bool Dominance::take_winners(std::span<const Index> variables) {
  for (const Index v : variables) {
    if (!state_.open(v) || !may_win(v)) continue;
    const std::size_t mark = state_.mark();
    const bool consistent = state_.assign(v, Value::kIn) && state_.propagate();
    if (consistent && wins(v, mark)) continue;
    state_.undo(mark);
    if (consistent) continue;
    if (!state_.assign(v, Value::kOut) || !state_.propagate()) return false;
  }
  return true;
}

// A cheap look before wins(): nothing that excludes v is as good as it.
bool Dominance::may_win(Index v) const {
  if (leximax_ ? instance_.negative_tier(v) : instance_.priority[v] < 0) return false;
  const auto worse = [&](Index u) { return !state_.open(u) || instance_.tier[u] > instance_.tier[v]; };
  return std::ranges::all_of(instance_.neighbours[v], worse) &&
         std::ranges::all_of(instance_.slots_of[v], [&](Index slot) { return first_in_slot(v, slot); });
}

bool Dominance::first_in_slot(Index v, Index slot) const {
  if (state_.open_in_slot(slot) == 1) return true;
  for (const Index member : instance_.members[slot]) {
    if (member == v || !state_.open(member)) continue;
    return instance_.tier[member] > instance_.tier[v];  // the best of the others
  }
  return true;
}

// v was set in after `mark`. Whatever a selection without v looks like: with v and all that it forces in, and
// without all that it forces out, it stays feasible and becomes strictly better.
bool Dominance::wins(Index v, std::size_t mark) const {
  bool excludes = false;
  Int128 slack = instance_.priority[v];
  for (const Index u : state_.since(mark)) {
    if (state_.in(u)) {
      if (!clauses_hit(u)) return false;
      if (u != v) slack += std::min(instance_.priority[u], 0);
    } else {
      if (state_.required(u) || (leximax_ && instance_.tier[u] <= instance_.tier[v])) return false;
      slack -= loss_of(u);
      excludes = true;
    }
  }
  return leximax_ || slack > 0 || (slack == 0 && !excludes);
}

bool Dominance::clauses_hit(Index v) const {
  return std::ranges::all_of(instance_.owned[v], [&](Index clause) { return state_.hit(clause); });
}

// kWeighted: the most that a selection can lose with v.
Int128 Dominance::loss_of(Index v) const {
  Int128 loss = std::max(instance_.priority[v], 0);
  for (const Index group : instance_.groups_of[v]) {
    loss += Int128{instance_.rules.lambda} * instance_.gain[instance_.synergy_of[group]];
  }
  return loss;
}

}  // namespace belay::resolver
