// A partial selection over an Instance: each variable in, out or open, with everything that follows from it
// (unit propagation), and the way back. One thread. Internal to the resolver.
#pragma once

#include "core/resolver/instance.hpp"

#include <cstddef>

namespace belay::resolver {

enum class Value : std::uint8_t { kOpen, kIn, kOut };

class State {
 public:
  explicit State(const Instance& instance);

  [[nodiscard]] const Instance& instance() const { return instance_; }
  [[nodiscard]] bool open(Index v) const { return value_[v] == Value::kOpen; }
  [[nodiscard]] bool in(Index v) const { return value_[v] == Value::kIn; }
  [[nodiscard]] Index open_in_slot(Index slot) const { return slots_[slot].open; }

  // The clause still wants a literal: none is in, and its owner is in or may be.
  [[nodiscard]] bool wanting(Index clause) const { return clauses_[clause].in == 0 && !owner_out(clause); }
  [[nodiscard]] bool hit(Index clause) const { return clauses_[clause].in > 0; }
  [[nodiscard]] bool owner_in(Index clause) const {
    return instance_.owner[clause] == kNone || in(instance_.owner[clause]);
  }
  // Some clause that wants a literal could get it from v.
  [[nodiscard]] bool required(Index v) const;

  // The group still wants a member, and its synergy can still be completed.
  [[nodiscard]] bool promising(Index group) const {
    return groups_[group].in == 0 && synergies_[instance_.synergy_of[group]].dead == 0;
  }
  [[nodiscard]] bool in_promising_group(Index v) const;
  // Σ gain of the synergies that are complete.
  [[nodiscard]] std::int64_t gain() const { return gain_; }

  // False when the variable already has the other value.
  bool assign(Index v, Value value);
  // Draws every conclusion from the assignments so far; false on a contradiction.
  bool propagate();
  // Also from the clauses that want something before anything is assigned; once, at the start.
  bool propagate_all();

  [[nodiscard]] std::size_t mark() const { return trail_.size(); }
  [[nodiscard]] std::span<const Index> since(std::size_t mark) const {
    return std::span(trail_).subspan(mark);
  }
  void undo(std::size_t mark);

 private:
  struct Count {
    Index open = 0;
    Index in = 0;
  };
  struct Progress {
    Index hit = 0;   // groups with a member in
    Index dead = 0;  // groups with all members out
  };

  [[nodiscard]] bool owner_out(Index clause) const {
    const Index owner = instance_.owner[clause];
    return owner != kNone && value_[owner] == Value::kOut;
  }
  void count(Index v, bool now_in);
  void uncount(Index v, bool was_in);
  bool spread_in(Index v);
  bool spread_out(Index v);
  bool check(Index clause);

  const Instance& instance_;
  std::vector<Value> value_;
  std::vector<Count> clauses_, slots_, groups_;
  std::vector<Progress> synergies_;
  std::int64_t gain_ = 0;
  std::vector<Index> trail_;  // assigned variables, in order
  std::size_t head_ = 0;      // up to where conclusions were drawn
};

}  // namespace belay::resolver
