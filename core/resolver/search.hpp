// Branch and bound over one component. After each decision the rules of dominance.hpp are applied again and
// what is left falls into smaller components, each solved for itself. Internal to the resolver.
#pragma once

#include "core/resolver/components.hpp"
#include "core/resolver/dominance.hpp"
#include "core/resolver/score.hpp"

#include <optional>

namespace belay::resolver {

struct SearchLimits {
  std::int64_t nodes = 0;
  bool any_solution = false;  // the first feasible selection will do
};

class Search {
 public:
  // The instance is one component with no conclusion left to draw.
  Search(const Instance& instance, const SearchLimits& limits);

  // The best selection that was found, or nothing.
  [[nodiscard]] std::optional<Score> run();

  [[nodiscard]] std::int64_t nodes() const { return nodes_; }
  // run() looked everywhere: its selection is the best, and nothing means that there is none.
  [[nodiscard]] bool exhaustive() const { return exhaustive_; }
  // No selection is worth more than this.
  [[nodiscard]] const Score& bound() const { return root_bound_; }

 private:
  // Completes the component `variables`. `outside` is what everything else can be worth at most; a completion
  // that does not beat `goal` together with it may be missed.
  std::optional<Score> branch(const std::vector<Index>& variables, const Score& outside, const Score* goal);
  // The same with one more variable decided.
  std::optional<Score> decide(const std::vector<Index>& variables, Value value, const Score& outside,
                              const Score* goal);
  std::optional<Score> combine(const std::vector<Index>& variables, std::size_t mark,
                               std::int64_t gain_before, const Score& outside, const Score* goal);
  // Without branching, for when the budget is spent.
  std::optional<Score> complete_greedily(const std::vector<Index>& variables);
  bool take_if_possible(Index v);

  [[nodiscard]] bool budget_spent() const {
    return nodes_ >= limits_.nodes || visited_ / kVisitsPerNode >= limits_.nodes;
  }
  // What was put in since `mark`.
  [[nodiscard]] Score decided(std::size_t mark, std::int64_t gain_before) const;
  // At least what the open variables of a component can be worth.
  [[nodiscard]] Score bound_of(const std::vector<Index>& variables);
  [[nodiscard]] Int128 possible_gain(const std::vector<Index>& variables);
  // Groups variables of which at most one can be in: true when v opens a new group.
  bool opens_clique(Index v);
  [[nodiscard]] bool joins_slot(Index v) const;
  bool joins_conflict_clique(Index v);

  static constexpr int kMaxDepth = 1000;  // bounds the stack
  // A node looks at every open variable of its component. In components so large that this dominates,
  // variables are what the budget counts.
  static constexpr std::int64_t kVisitsPerNode = 64;

  const Instance& instance_;
  const SearchLimits limits_;
  State state_;
  Dominance dominance_;
  Components components_;
  Score root_bound_;
  std::int64_t nodes_ = 0;
  std::int64_t visited_ = 0;
  int depth_ = 0;
  bool exhaustive_ = true;

  // Scratch of bound_of; an entry is valid when its stamp equals the call's number.
  std::uint64_t call_ = 0;
  std::vector<std::uint64_t> slot_stamp_, synergy_stamp_, clique_stamp_;
  std::vector<Index> clique_of_;
  struct Clique {
    Index size = 0;
    Index adjacent = 0;  // members next to the variable `seen_by`
    Index seen_by = kNone;
  };
  std::vector<Clique> cliques_;
};

}  // namespace belay::resolver
