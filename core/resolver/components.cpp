#include "core/resolver/components.hpp"

#include <algorithm>

namespace belay::resolver {

Components::Components(const State& state)
    : state_(state),
      instance_(state.instance()),
      parent_(instance_.n),
      component_(instance_.n),
      slot_seen_(instance_.members.rows(), 0),
      clause_seen_(instance_.literals.rows(), 0),
      synergy_seen_(instance_.gain.size(), 0) {}

std::vector<std::vector<Index>> Components::split(std::span<const Index> variables) {
  ++call_;
  join_all(variables);
  std::vector<std::vector<Index>> components;
  for (const Index v : variables) {
    if (!state_.open(v)) continue;
    Index& number = component_[root(v)];
    if (number == kNone) {
      number = static_cast<Index>(components.size());
      components.emplace_back();
    }
    components[number].push_back(v);
  }
  return components;
}

void Components::join_all(std::span<const Index> variables) {
  for (const Index v : variables) {
    parent_[v] = v;
    component_[v] = kNone;
  }
  for (const Index v : variables) {
    if (state_.open(v)) join_relations(v);
  }
}

void Components::join_relations(Index v) {
  const auto first_visit = [&](std::vector<Index>& seen, Index row) {
    return std::exchange(seen[row], call_) != call_;
  };
  join_open(v, instance_.neighbours[v]);
  for (const Index slot : instance_.slots_of[v]) {
    if (state_.open_in_slot(slot) > 1 && first_visit(slot_seen_, slot)) join_open(v, instance_.members[slot]);
  }
  for (const Index clause : instance_.clauses_with[v]) {
    if (state_.wanting(clause) && first_visit(clause_seen_, clause)) join_open(v, instance_.literals[clause]);
  }
  for (const Index clause : instance_.owned[v]) {
    if (!state_.hit(clause)) join_open(v, instance_.literals[clause]);
  }
  for (const Index group : instance_.groups_of[v]) {
    const Index synergy = instance_.synergy_of[group];
    if (!state_.promising(group) || !first_visit(synergy_seen_, synergy)) continue;
    for (const Index other : instance_.groups[synergy]) {
      if (state_.promising(other)) join_open(v, instance_.group_members[other]);
    }
  }
}

void Components::join_open(Index v, std::span<const Index> others) {
  for (const Index other : others) {
    if (state_.open(other)) parent_[root(other)] = root(v);
  }
}

Index Components::root(Index v) {
  while (parent_[v] != v) {
    parent_[v] = parent_[parent_[v]];
    v = parent_[v];
  }
  return v;
}

namespace {

// Copies the open part of each relation that touches the component, in local numbers.
class Extractor {
 public:
  Extractor(const State& state, const std::vector<Index>& variables, std::vector<Index>& local)
      : state_(state), instance_(state.instance()), variables_(variables), local_(local) {
    for (Index i = 0; i < variables.size(); ++i) local_[variables[i]] = i;
  }

  Relations relations() {
    std::vector<Index> slots, clauses, synergies;
    for (const Index v : variables_) {
      relations_.priority.push_back(instance_.priority[v]);
      for (const Index u : instance_.neighbours[v]) {
        if (u > v && state_.open(u)) relations_.conflicts.emplace_back(local_[v], local_[u]);
      }
      append(slots, instance_.slots_of[v]);
      append(clauses, instance_.clauses_with[v]);
      append(clauses, instance_.owned[v]);
      for (const Index group : instance_.groups_of[v]) {
        if (state_.promising(group)) synergies.push_back(instance_.synergy_of[group]);
      }
    }
    for (const Index slot : unique(slots)) relations_.slots.push_back(open_part(instance_.members[slot]));
    for (const Index clause : unique(clauses)) add_clause(clause);
    for (const Index synergy : unique(synergies)) add_synergy(synergy);
    return std::move(relations_);
  }

 private:
  static void append(std::vector<Index>& rows, std::span<const Index> more) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  static const std::vector<Index>& unique(std::vector<Index>& rows) {
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
  }

  [[nodiscard]] std::vector<Index> open_part(std::span<const Index> members) const {
    std::vector<Index> part;
    for (const Index member : members) {
      if (state_.open(member)) part.push_back(local_[member]);
    }
    return part;
  }

  void add_clause(Index clause) {
    if (!state_.wanting(clause)) return;
    const Index owner = state_.owner_in(clause) ? kNone : local_[instance_.owner[clause]];
    relations_.clauses.push_back({owner, open_part(instance_.literals[clause])});
  }

  void add_synergy(Index synergy) {
    Synergy part{{}, instance_.gain[synergy]};
    for (const Index group : instance_.groups[synergy]) {
      if (state_.promising(group)) part.groups.push_back(open_part(instance_.group_members[group]));
    }
    relations_.synergies.push_back(std::move(part));
  }

  const State& state_;
  const Instance& instance_;
  const std::vector<Index>& variables_;
  std::vector<Index>& local_;
  Relations relations_;
};

}  // namespace

Extract extract(const State& state, std::vector<Index> component, std::vector<Index>& scratch) {
  std::ranges::sort(component);
  scratch.resize(state.instance().n);
  Relations relations = Extractor(state, component, scratch).relations();
  return {build(std::move(relations), state.instance().rules), std::move(component)};
}

}  // namespace belay::resolver
