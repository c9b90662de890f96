// What can be decided without branching: an assignment is fixed when every selection that decides otherwise
// can be exchanged for a strictly better one, so the best selection is never lost. Internal to the resolver.
#pragma once

#include "core/resolver/state.hpp"

namespace belay::resolver {

class Dominance {
 public:
  explicit Dominance(State& state);

  // Propagates, then applies the rules below to `variables` (ordered by tier and number) until nothing more
  // follows. The variables must hold every open one that they are related to. False on a contradiction.
  bool settle(std::span<const Index> variables);

 private:
  // A candidate of negative priority that nothing can need goes out.
  bool drop_unneeded(std::span<const Index> variables);
  // Slot dominance: behind a member that is bound by nothing but this slot, worse ones go out unless
  // something may need them.
  bool drop_slot_losers(std::span<const Index> variables);
  bool drop_losers_of(Index slot);
  // Leximax dominance: a candidate that forces out only worse ones, which nothing may need, goes in.
  bool take_winners(std::span<const Index> variables);

  [[nodiscard]] bool better_without(Index v) const;
  [[nodiscard]] bool bound_only_by(Index v, Index slot) const;
  [[nodiscard]] bool loses(Index v, Index champion) const;
  [[nodiscard]] bool may_win(Index v) const;
  [[nodiscard]] bool first_in_slot(Index v, Index slot) const;
  [[nodiscard]] bool wins(Index v, std::size_t mark) const;
  [[nodiscard]] bool clauses_hit(Index v) const;
  [[nodiscard]] Int128 loss_of(Index v) const;

  State& state_;
  const Instance& instance_;
  const bool leximax_;
  std::vector<std::uint32_t> slot_seen_;  // number of the pass that looked at the slot
  std::uint32_t pass_ = 0;
};

}  // namespace belay::resolver
