// Open variables fall into components that no conflict, slot, clause or synergy joins. The best selection of
// the whole is made of the best selections of its components. Internal to the resolver.
#pragma once

#include "core/resolver/state.hpp"

namespace belay::resolver {

class Components {
 public:
  explicit Components(const State& state);

  // The open ones of `variables`, which must hold every open variable that they are related to, by
  // components. Components stand in the order of their first variables, and variables keep their order.
  [[nodiscard]] std::vector<std::vector<Index>> split(std::span<const Index> variables);

 private:
  void join_all(std::span<const Index> variables);
  void join_relations(Index v);
  void join_open(Index v, std::span<const Index> others);
  [[nodiscard]] Index root(Index v);

  const State& state_;
  const Instance& instance_;
  std::vector<Index> parent_;     // union-find; reset for the variables of each call
  std::vector<Index> component_;  // number of the component whose root this is
  std::vector<Index> slot_seen_, clause_seen_, synergy_seen_;
  Index call_ = 0;
};

// A component as an instance of its own: what is decided is left out. Its variable i is component variable
// sorted(i).
struct Extract {
  Instance instance;
  std::vector<Index> variables;  // of the whole, ascending
};
[[nodiscard]] Extract extract(const State& state, std::vector<Index> component, std::vector<Index>& scratch);

}  // namespace belay::resolver
