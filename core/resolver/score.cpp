#include "core/resolver/score.hpp"

namespace belay::resolver {

void Score::add(const Instance& instance, Index v) {
  mark(v);
  if (instance.rules.mode == Mode::kWeighted) {
    total += instance.priority[v];
  } else {
    counts[instance.tier[v]] += instance.negative_tier(v) ? -1 : 1;
  }
}

Score& Score::operator+=(const Score& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] |= other.bits[i];
  total += other.total;
  return *this;
}

Score& Score::operator-=(const Score& part) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= part.counts[i];
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] &= ~part.bits[i];
  total -= part.total;
  return *this;
}

bool operator>(const Score& a, const Score& b) {
  if (a.counts != b.counts) return a.counts > b.counts;
  if (a.total != b.total) return a.total > b.total;
  return a.bits > b.bits;
}

}  // namespace belay::resolver
