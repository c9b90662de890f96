#include "core/runtime/sampler.hpp"

#include "core/base/format.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace belay::runtime {
namespace {

constexpr float kMaxPenalty = 10;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Orders floats by their bits as integers: -NaN < -inf < ... < -0 < +0 < ... < +inf < +NaN.
constexpr std::int32_t order_of(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}
constexpr float value_of(std::int32_t order) {
  return std::bit_cast<float>(order ^ ((order >> 31) & 0x7FFFFFFF));
}

struct Extremes {
  std::int32_t least = std::numeric_limits<std::int32_t>::max();
  std::int32_t most = std::numeric_limits<std::int32_t>::min();
};

// The least and the most in the order above, in lanes that the compiler turns into vectors.
Extremes extremes_of(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  std::array<std::int32_t, kLanes> least;
  std::array<std::int32_t, kLanes> most;
  least.fill(Extremes().least);
  most.fill(Extremes().most);
  const std::size_t whole = logits.size() - logits.size() % kLanes;
  for (std::size_t at = 0; at < whole; at += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::int32_t order = order_of(logits[at + lane]);
      least[lane] = order < least[lane] ? order : least[lane];
      most[lane] = order > most[lane] ? order : most[lane];
    }
  }
  for (const float logit : logits.subspan(whole)) {
    least[0] = std::min(least[0], order_of(logit));
    most[0] = std::max(most[0], order_of(logit));
  }
  return {*std::min_element(least.begin(), least.end()), *std::max_element(most.begin(), most.end())};
}

// A logit that is finite stays so, and one that is not stays what it is.
float penalize(float logit, float penalty) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  if (!std::isfinite(logit)) return logit;
  return logit > 0 ? std::min(logit / penalty, kLargest) : std::max(logit * penalty, -kLargest);
}

Error non_finite(std::span<const float> logits) {
  const auto is_bad = [](float logit) { return std::isnan(logit) || logit == kInfinity; };
  const auto first = std::find_if(logits.begin(), logits.end(), is_bad);
  return fail(ErrorCode::kGeneral, "{} of {} logits are NaN or infinite, the first at {}",
              std::count_if(first, logits.end(), is_bad), logits.size(), first - logits.begin());
}

}  // namespace

// Higher logits are better, and of equal ones lower ids.
bool Sampler::is_better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}
bool Sampler::is_worse(const Candidate& a, const Candidate& b) { return is_better(b, a); }

Status validate(const SamplingOptions& options) {
  if (!std::isfinite(options.temperature) || options.temperature < 0) {
    return fail(ErrorCode::kUsage, "temperature is {}; it must be 0 or more", options.temperature);
  }
  if (options.top_k < 0)
    return fail(ErrorCode::kUsage, "top-k is {}; it must be 0 (all) or more", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return fail(ErrorCode::kUsage, "top-p is {}; it must be above 0 and at most 1 (all)", options.top_p);
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    return fail(ErrorCode::kUsage, "min-p is {}; it must be at least 0 (all) and at most 1", options.min_p);
  }
  if (!(options.repetition_penalty > 0 && options.repetition_penalty <= kMaxPenalty)) {
    return fail(ErrorCode::kUsage, "repetition-penalty is {}; it must be above 0 and at most {}",
                options.repetition_penalty, kMaxPenalty);
  }
  return {};
}

void Sampler::observe(std::span<const std::int32_t> tokens) {
  if (!penalizes()) return;
  for (const std::int32_t token : tokens) {
    const auto at = static_cast<std::size_t>(token);
    if (at >= is_observed_.size()) is_observed_.resize(at + 1);
    if (is_observed_[at]) continue;
    is_observed_[at] = true;
    observed_.push_back(token);
  }
}

// A copy in which the observed tokens are less probable (with a penalty below 1, more).
std::span<const float> Sampler::penalized(std::span<const float> logits) {
  is_observed_.resize(std::max(is_observed_.size(), logits.size()));
  observed_.reserve(is_observed_.size());
  penalized_.assign(logits.begin(), logits.end());
  for (const std::int32_t token : observed_) {
    const auto at = static_cast<std::size_t>(token);
    if (at < logits.size()) penalized_[at] = penalize(penalized_[at], options_.repetition_penalty);
  }
  return penalized_;
}

Result<std::int32_t> Sampler::next(std::span<const float> logits) {
  if (logits.empty()) return fail(ErrorCode::kGeneral, "there are no logits to pick a token from");
  if (penalizes()) logits = penalized(logits);
  const Extremes extremes = extremes_of(logits);
  if (extremes.most >= order_of(kInfinity) || extremes.least < order_of(-kInfinity))
    return non_finite(logits);
  if (extremes.most == order_of(-kInfinity)) {
    return fail(ErrorCode::kGeneral, "all {} logits are -inf: no token is left", logits.size());
  }
  const float best = value_of(extremes.most);
  if (options_.temperature > 0) return draw(logits, best);
  return static_cast<std::int32_t>(std::find(logits.begin(), logits.end(), best) - logits.begin());
}

// Takes candidates from the best downwards, only as many as top-p, min-p and the draw ask for.
std::int32_t Sampler::draw(std::span<const float> logits, float best) {
  fill(logits, least_needed(best));
  std::size_t count = left_.size();
  double mass = mass_left(best);
  if (options_.top_p < 1) {
    count = first_reaching(static_cast<double>(options_.top_p) * mass, count, best) + 1;
    mass = cumulative_[count - 1];
  }
  if (options_.min_p > 0) {
    count = count_likely(count, best);
    mass = cumulative_[count - 1];
  }
  return taken_[first_reaching(random_fraction() * mass, count, best)].id;
}

// The logit below which min-p drops everything, a little lower so that rounding drops nothing more. Top-p
// needs all for its sum.
double Sampler::least_needed(float best) const {
  constexpr double kMargin = 1e-6;
  if (options_.min_p <= 0 || options_.top_p < 1) return static_cast<double>(-kInfinity);
  return static_cast<double>(best) + static_cast<double>(options_.temperature) *
                                         (std::log(static_cast<double>(options_.min_p)) - kMargin);
}

// Makes left_ the heap of the k best, or of all, of those that reach `least`.
void Sampler::fill(std::span<const float> logits, double least) {
  left_.reserve(logits.size());
  taken_.reserve(logits.size());
  cumulative_.reserve(logits.size());
  left_.clear();
  taken_.clear();
  cumulative_.clear();
  const std::size_t limit = options_.top_k > 0 ? static_cast<std::size_t>(options_.top_k) : logits.size() + 1;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const Candidate candidate{logits[id], static_cast<std::int32_t>(id)};
    if (candidate.logit == -kInfinity || static_cast<double>(candidate.logit) < least) continue;
    if (left_.size() < limit) {
      left_.push_back(candidate);
      if (left_.size() == limit) std::make_heap(left_.begin(), left_.end(), is_better);  // the worst in front
    } else if (is_better(candidate, left_.front())) {
      std::pop_heap(left_.begin(), left_.end(), is_better);
      left_.back() = candidate;
      std::push_heap(left_.begin(), left_.end(), is_better);
    }
  }
  std::make_heap(left_.begin(), left_.end(), is_worse);  // the best in front
}

double Sampler::weight(float logit, float best) const {
  return std::exp((static_cast<double>(logit) - static_cast<double>(best)) /
                  static_cast<double>(options_.temperature));
}

double Sampler::mass_left(float best) const {
  double sum = 0;
  for (const Candidate& candidate : left_) sum += weight(candidate.logit, best);
  return sum;
}

// The first of the `count` best up to which the weights reach `wanted`; the last of them when rounding keeps
// them below.
std::size_t Sampler::first_reaching(double wanted, std::size_t count, float best) {
  std::size_t index = 0;
  while ((index < taken_.size() || take_best(best)) && cumulative_[index] < wanted && index + 1 < count)
    ++index;
  return std::min(index, taken_.size() - 1);
}

// How many of the `count` best are at least min-p times as probable as the best one, which always is.
std::size_t Sampler::count_likely(std::size_t count, float best) {
  std::size_t likely = 0;
  while (likely < count && (likely < taken_.size() || take_best(best)) &&
         weight(taken_[likely].logit, best) >= static_cast<double>(options_.min_p))
    ++likely;
  return likely;
}

// Moves the best candidate that is left to the taken ones. False when none is left that could be drawn.
bool Sampler::take_best(float best) {
  if (left_.empty()) return false;
  const double of_best = weight(left_.front().logit, best);
  if (of_best <= 0) return false;
  std::pop_heap(left_.begin(), left_.end(), is_worse);
  taken_.push_back(left_.back());
  left_.pop_back();
  cumulative_.push_back(of_best + (cumulative_.empty() ? 0 : cumulative_.back()));
  return true;
}

// In [0, 1), from the upper 53 bits. The standard's own distributions differ between libraries.
double Sampler::random_fraction() { return static_cast<double>(random_() >> 11U) * 0x1p-53; }

}  // namespace belay::runtime
