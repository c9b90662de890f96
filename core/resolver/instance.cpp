#include "core/resolver/instance.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

namespace belay::resolver {
namespace {

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void add_tiers(Instance& instance) {
  const bool leximax = instance.rules.mode == Mode::kLeximax;
  for (const std::int32_t priority : instance.priority) {
    if (!leximax || priority >= 0) instance.tiers.push_back(priority);
  }
  std::ranges::sort(instance.tiers, std::greater{});
  instance.tiers.erase(std::unique(instance.tiers.begin(), instance.tiers.end()), instance.tiers.end());
  for (const std::int32_t priority : instance.priority) {
    const auto place = std::ranges::lower_bound(instance.tiers, priority, std::greater{});
    instance.tier.push_back(static_cast<Index>(place - instance.tiers.begin()));
  }
  instance.order.resize(instance.n);
  std::iota(instance.order.begin(), instance.order.end(), Index{0});
  std::ranges::stable_sort(instance.order, {}, [&](Index v) { return instance.tier[v]; });
}

void add_conflicts(Instance& instance, std::vector<std::pair<Index, Index>> pairs) {
  const std::size_t given = pairs.size();
  for (std::size_t i = 0; i < given; ++i) pairs.emplace_back(pairs[i].second, pairs[i].first);
  sort_unique(pairs);
  auto next = pairs.begin();
  for (Index v = 0; v < instance.n; ++v) {
    for (; next != pairs.end() && next->first == v; ++next) instance.neighbours.items.push_back(next->second);
    instance.neighbours.start.push_back(static_cast<Index>(instance.neighbours.items.size()));
  }
}

void add_slots(Instance& instance, std::vector<std::vector<Index>> slots) {
  for (std::vector<Index>& members : slots) sort_unique(members);
  std::erase_if(slots, [](const std::vector<Index>& members) { return members.size() < 2; });
  sort_unique(slots);
  for (std::vector<Index>& members : slots) {
    std::ranges::stable_sort(members, {}, [&](Index v) { return instance.tier[v]; });
    instance.members.push(members);
  }
  instance.slots_of = invert(instance.members, instance.n);
}

void add_clauses(Instance& instance, std::vector<Clause> clauses) {
  for (Clause& clause : clauses) sort_unique(clause.literals);
  std::erase_if(clauses, [](const Clause& clause) {
    return clause.owner != kNone && std::ranges::binary_search(clause.literals, clause.owner);
  });
  const auto key = [](const Clause& clause) { return std::tie(clause.owner, clause.literals); };
  std::ranges::sort(clauses, {}, key);
  const auto same = [&](const Clause& a, const Clause& b) { return key(a) == key(b); };
  clauses.erase(std::unique(clauses.begin(), clauses.end(), same), clauses.end());
  Lists owners;
  for (const Clause& clause : clauses) {
    instance.owner.push_back(clause.owner);
    instance.literals.push(clause.literals);
    owners.push(clause.owner == kNone ? std::span<const Index>{} : std::span(&clause.owner, 1));
  }
  instance.clauses_with = invert(instance.literals, instance.n);
  instance.owned = invert(owners, instance.n);
}

void add_synergies(Instance& instance, std::vector<Synergy> synergies) {
  for (Synergy& synergy : synergies) {
    for (std::vector<Index>& group : synergy.groups) sort_unique(group);
    sort_unique(synergy.groups);
  }
  std::erase_if(synergies, [](const Synergy& synergy) {
    return synergy.gain == 0 || synergy.groups.empty() || synergy.groups.front().empty();
  });
  std::ranges::sort(synergies, {}, [](const Synergy& s) { return std::tie(s.groups, s.gain); });
  for (const Synergy& synergy : synergies) {
    std::vector<Index> groups;
    for (const std::vector<Index>& group : synergy.groups) {
      groups.push_back(instance.group_members.rows());
      instance.group_members.push(group);
      instance.synergy_of.push_back(static_cast<Index>(instance.gain.size()));
    }
    instance.groups.push(groups);
    instance.gain.push_back(synergy.gain);
  }
  instance.groups_of = invert(instance.group_members, instance.n);
}

}  // namespace

void Lists::push(std::span<const Index> row) {
  items.insert(items.end(), row.begin(), row.end());
  start.push_back(static_cast<Index>(items.size()));
}

Lists invert(const Lists& lists, Index n) {
  Lists inverse;
  inverse.start.assign(n + std::size_t{1}, 0);
  for (const Index item : lists.items) ++inverse.start[item + 1];
  std::partial_sum(inverse.start.begin(), inverse.start.end(), inverse.start.begin());
  inverse.items.resize(lists.items.size());
  std::vector<Index> next(inverse.start.begin(), inverse.start.end() - 1);
  for (Index row = 0; row < lists.rows(); ++row) {
    for (const Index item : lists[row]) inverse.items[next[item]++] = row;
  }
  return inverse;
}

Instance build(Relations relations, const Rules& rules) {
  Instance instance;
  instance.rules = rules;
  instance.n = static_cast<Index>(relations.priority.size());
  instance.priority = std::move(relations.priority);
  add_tiers(instance);
  add_conflicts(instance, std::move(relations.conflicts));
  add_slots(instance, std::move(relations.slots));
  add_clauses(instance, std::move(relations.clauses));
  add_synergies(instance, std::move(relations.synergies));
  return instance;
}

}  // namespace belay::resolver
