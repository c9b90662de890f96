#include "core/runtime/accuracy.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace belay::runtime {
namespace {

// ln of the sum of e^logit: what turns a logit into a log probability.
double log_sum_exp(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum);
}

auto top(std::span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

// The error of a mean by the means of overlapping blocks (Meketon and Schmeiser 1984); with blocks of one
// token the usual one.
double standard_error(std::span<const double> sums, double mean) {
  const std::size_t count = sums.size() - 1;
  if (count < 2) return 0;
  const std::size_t block = std::clamp<std::size_t>(count / 8, 1, kErrorBlock);
  const auto length = static_cast<double>(block);
  const auto blocks = static_cast<double>(count - block + 1);
  double squares = 0;
  for (std::size_t end = block; end <= count; ++end)
    squares += std::pow((sums[end] - sums[end - block]) / length - mean, 2);
  return std::sqrt(length * squares / (blocks * (blocks - 1)));
}

template <class Value>
Estimate estimate(std::span<const TokenScore> scores, const Value& value) {
  std::vector<double> sums = {0};  // of the first 0, 1, 2, ... tokens
  for (const TokenScore& score : scores) sums.push_back(sums.back() + value(score));
  const double mean = sums.back() / static_cast<double>(scores.size());
  return {mean, standard_error(sums, mean)};
}

// The least value that 99 of 100 do not exceed.
double percentile_99(std::vector<double> values) {
  const std::size_t place = (99 * values.size() + 99) / 100 - 1;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

TokenScore score_token(std::span<const float> reference, std::span<const float> tested, std::size_t next) {
  assert(reference.size() == tested.size() && next < tested.size());
  const double reference_sum = log_sum_exp(reference);
  const double tested_sum = log_sum_exp(tested);
  double kl = 0;
  for (std::size_t id = 0; id < reference.size(); ++id) {
    const double reference_log_p = reference[id] - reference_sum;
    kl += std::exp(reference_log_p) * (reference_log_p - (tested[id] - tested_sum));
  }
  // Below 0 only by rounding.
  return {reference[next] - reference_sum, tested[next] - tested_sum, std::max(kl, 0.0),
          top(reference) == top(tested)};
}

Accuracy summarise(std::span<const TokenScore> scores) {
  assert(!scores.empty());
  const auto reference_log_p = [](const TokenScore& score) { return score.reference_log_p; };
  const auto log_p = [](const TokenScore& score) { return score.log_p; };
  const auto squared_dp = [](const TokenScore& score) {
    return std::pow(std::exp(score.log_p) - std::exp(score.reference_log_p), 2);
  };
  std::vector<double> kl(scores.size());
  std::transform(scores.begin(), scores.end(), kl.begin(), [](const TokenScore& score) { return score.kl; });
  Accuracy accuracy;
  accuracy.tokens = scores.size();
  accuracy.reference_perplexity = std::exp(-estimate(scores, reference_log_p).mean);
  accuracy.perplexity = std::exp(-estimate(scores, log_p).mean);
  accuracy.ln_perplexity_ratio =
      estimate(scores, [](const TokenScore& score) { return score.reference_log_p - score.log_p; });
  accuracy.kl = estimate(scores, [](const TokenScore& score) { return score.kl; });
  accuracy.kl_max = *std::max_element(kl.begin(), kl.end());
  accuracy.kl_p99 = percentile_99(std::move(kl));
  accuracy.same_top = estimate(scores, [](const TokenScore& score) { return score.same_top ? 1.0 : 0.0; });
  accuracy.rms_dp = std::sqrt(estimate(scores, squared_dp).mean);
  return accuracy;
}

}  // namespace belay::runtime
