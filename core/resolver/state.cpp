#include "core/resolver/state.hpp"

#include <algorithm>

namespace belay::resolver {

State::State(const Instance& instance)
    : instance_(instance),
      value_(instance.n, Value::kOpen),
      clauses_(instance.literals.rows()),
      slots_(instance.members.rows()),
      groups_(instance.group_members.rows()),
      synergies_(instance.gain.size()) {
  const auto fill = [](std::vector<Count>& counts, const Lists& lists) {
    for (Index row = 0; row < lists.rows(); ++row) counts[row].open = static_cast<Index>(lists[row].size());
  };
  fill(clauses_, instance.literals);
  fill(slots_, instance.members);
  fill(groups_, instance.group_members);
  trail_.reserve(instance.n);
}

bool State::required(Index v) const {
  return std::ranges::any_of(instance_.clauses_with[v], [&](Index clause) { return wanting(clause); });
}

bool State::in_promising_group(Index v) const {
  return std::ranges::any_of(instance_.groups_of[v], [&](Index group) { return promising(group); });
}

bool State::assign(Index v, Value value) {
  if (value_[v] != Value::kOpen) return value_[v] == value;
  value_[v] = value;
  trail_.push_back(v);
  count(v, value == Value::kIn);
  return true;
}

void State::count(Index v, bool now_in) {
  const auto step = [&](Count& counter) {
    --counter.open;
    if (now_in) ++counter.in;
  };
  for (const Index clause : instance_.clauses_with[v]) step(clauses_[clause]);
  for (const Index slot : instance_.slots_of[v]) step(slots_[slot]);
  for (const Index group : instance_.groups_of[v]) {
    step(groups_[group]);
    const Index synergy = instance_.synergy_of[group];
    Progress& progress = synergies_[synergy];
    if (now_in && groups_[group].in == 1) {
      ++progress.hit;
      if (progress.hit == instance_.groups[synergy].size()) gain_ += instance_.gain[synergy];
    } else if (!now_in && groups_[group].in == 0 && groups_[group].open == 0) {
      ++progress.dead;
    }
  }
}

void State::uncount(Index v, bool was_in) {
  const auto step = [&](Count& counter) {
    ++counter.open;
    if (was_in) --counter.in;
  };
  for (const Index group : instance_.groups_of[v]) {
    const Index synergy = instance_.synergy_of[group];
    Progress& progress = synergies_[synergy];
    if (was_in && groups_[group].in == 1) {
      if (progress.hit == instance_.groups[synergy].size()) gain_ -= instance_.gain[synergy];
      --progress.hit;
    } else if (!was_in && groups_[group].in == 0 && groups_[group].open == 0) {
      --progress.dead;
    }
    step(groups_[group]);
  }
  for (const Index clause : instance_.clauses_with[v]) step(clauses_[clause]);
  for (const Index slot : instance_.slots_of[v]) step(slots_[slot]);
}

bool State::propagate() {
  while (head_ < trail_.size()) {
    const Index v = trail_[head_++];
    if (!(in(v) ? spread_in(v) : spread_out(v))) return false;
  }
  return true;
}

bool State::propagate_all() {
  for (Index clause = 0; clause < instance_.literals.rows(); ++clause) {
    if (!check(clause)) return false;
  }
  return propagate();
}

bool State::spread_in(Index v) {
  for (const Index neighbour : instance_.neighbours[v]) {
    if (!assign(neighbour, Value::kOut)) return false;
  }
  for (const Index slot : instance_.slots_of[v]) {
    if (slots_[slot].in > 1) return false;
    if (slots_[slot].open == 0) continue;
    for (const Index member : instance_.members[slot]) {
      if (member != v && !assign(member, Value::kOut)) return false;
    }
  }
  return std::ranges::all_of(instance_.owned[v], [&](Index clause) { return check(clause); });
}

bool State::spread_out(Index v) {
  return std::ranges::all_of(instance_.clauses_with[v], [&](Index clause) { return check(clause); });
}

// The clause is hit, or may be; its last literal goes in, and an owner who can no longer be served goes out.
bool State::check(Index clause) {
  if (!wanting(clause)) return true;
  const Count& literals = clauses_[clause];
  const Index owner = instance_.owner[clause];
  if (literals.open == 0) return owner != kNone && assign(owner, Value::kOut);
  if (literals.open > 1 || !owner_in(clause)) return true;
  const auto last = std::ranges::find_if(instance_.literals[clause], [&](Index v) { return open(v); });
  return assign(*last, Value::kIn);
}

void State::undo(std::size_t mark) {
  while (trail_.size() > mark) {
    const Index v = trail_.back();
    trail_.pop_back();
    uncount(v, in(v));
    value_[v] = Value::kOpen;
  }
  head_ = mark;
}

}  // namespace belay::resolver
