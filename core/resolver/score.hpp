// What a partial selection is worth, in a form that adds up over components and compares level by level.
// Internal to the resolver.
#pragma once

#include "core/resolver/instance.hpp"

namespace belay::resolver {

struct Score {
  std::vector<std::int32_t>
      counts;        // kLeximax: members of each tier, and behind them minus the members of negative priority
  Int128 total = 0;  // kLeximax: Σ gain; kWeighted: Σ priority + λ Σ gain
  std::vector<std::uint64_t> bits;  // which variables are in, the lowest one as the highest bit

  Score() = default;
  explicit Score(const Instance& instance)
      : counts(instance.rules.mode == Mode::kLeximax ? instance.tiers.size() + 1 : 0),
        bits((instance.n + 63U) / 64U) {}

  [[nodiscard]] bool has(Index v) const { return (bits[v / 64U] & bit(v)) != 0; }
  void mark(Index v) { bits[v / 64U] |= bit(v); }
  // Adds the variable itself; gains are the caller's.
  void add(const Instance& instance, Index v);

  // Only for scores over different variables.
  Score& operator+=(const Score& other);
  // Only for a part that was added.
  Score& operator-=(const Score& part);
  friend Score operator+(Score a, const Score& b) { return a += b; }

  friend bool operator>(const Score& a, const Score& b);

 private:
  static std::uint64_t bit(Index v) { return std::uint64_t{1} << (63U - v % 64U); }
};

}  // namespace belay::resolver
