#include "core/runtime/accuracy.hpp"

#include "tests/support/doctest.hpp"

#include <cmath>
#include <random>
#include <vector>

namespace belay::test {
namespace {

using runtime::Accuracy;
using runtime::score_token;
using runtime::summarise;
using runtime::TokenScore;
using Row = std::vector<float>;

// Logits of these probabilities, moved by a constant, which must not matter.
Row logits_of(const std::vector<double>& probabilities, double shift) {
  Row row;
  for (const double p : probabilities) row.push_back(static_cast<float>(std::log(p) + shift));
  return row;
}

TokenScore token(double reference_p, double p, double kl = 0, bool same_top = true) {
  return {std::log(reference_p), std::log(p), kl, same_top};
}

}  // namespace

TEST_CASE("two known distributions: the probabilities and the divergence of a pencil") {
  const TokenScore score = score_token(logits_of({0.5, 0.25, 0.25}, 3), logits_of({0.25, 0.5, 0.25}, -40), 1);
  CHECK(score.reference_log_p == doctest::Approx(std::log(0.25)));
  CHECK(score.log_p == doctest::Approx(std::log(0.5)));
  CHECK(score.kl == doctest::Approx(0.25 * std::log(2)));  // (0.5 - 0.25) ln 2 + 0
  CHECK_FALSE(score.same_top);
}

TEST_CASE("the divergence is of the tested from the reference, not the other way round") {
  const Row even = logits_of({0.5, 0.5}, 0);
  const Row sure = logits_of({0.9, 0.1}, 0);
  CHECK(score_token(even, sure, 0).kl == doctest::Approx(0.5 * std::log(0.5 / 0.9) + 0.5 * std::log(5)));
  CHECK(score_token(sure, even, 0).kl == doctest::Approx(0.9 * std::log(1.8) + 0.1 * std::log(0.2)));
}

TEST_CASE("equal rows differ by exactly nothing, whatever their size") {
  Row row(50'000);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i * 7919 % 1000) / 37 - 12;
  const TokenScore score = score_token(row, row, 49'999);
  CHECK(score.kl == 0);
  CHECK(score.log_p == score.reference_log_p);
  CHECK(score.same_top);
}

TEST_CASE("logits far apart neither overflow nor vanish") {
  const TokenScore score = score_token(Row{3e4F, -3e4F}, Row{3e4F - 1, -3e4F}, 1);
  CHECK(score.reference_log_p == -6e4);
  CHECK(score.log_p == -6e4 + 1);
  CHECK(score.kl == 0);
}

TEST_CASE("perplexity is the inverse of the geometric mean of the probabilities") {
  const Accuracy of = summarise(std::vector{token(0.5, 0.25), token(0.125, 0.25)});
  CHECK(of.tokens == 2);
  CHECK(of.reference_perplexity == doctest::Approx(4));
  CHECK(of.perplexity == doctest::Approx(4));
  // ln 2 and -ln 2 around 0: a deviation of sqrt(2) ln 2, of which the mean of two has the 1 / sqrt(2).
  CHECK(of.ln_perplexity_ratio.mean == doctest::Approx(0));
  CHECK(of.ln_perplexity_ratio.standard_error == doctest::Approx(std::log(2)));
  CHECK(of.rms_dp == doctest::Approx(std::sqrt((0.0625 + 0.015625) / 2)));
}

TEST_CASE("what both runs find hard is no difference between them") {
  const Accuracy of = summarise(std::vector{token(0.5, 0.25), token(0.01, 0.005), token(1e-6, 5e-7)});
  CHECK(of.ln_perplexity_ratio.mean == doctest::Approx(std::log(2)));
  CHECK(of.ln_perplexity_ratio.standard_error < 1e-12);
}

TEST_CASE("the share of equal tops has the error of a coin, in a text too short for blocks") {
  std::vector<TokenScore> scores(10, token(0.5, 0.5));
  scores[3].same_top = false;
  const Accuracy of = summarise(scores);
  CHECK(of.same_top.mean == doctest::Approx(0.9));
  CHECK(of.same_top.standard_error == doctest::Approx(std::sqrt(0.9 * 0.1 / 9)));
}

TEST_CASE("tokens that repeat their neighbours say less than as many independent ones") {
  constexpr std::size_t kTokens = 8192;
  const auto error_with_runs_of = [](std::size_t run) {
    std::mt19937 random(1);
    std::vector<TokenScore> scores;
    while (scores.size() < kTokens)
      scores.resize(scores.size() + run, token(0.5, 0.5, random() % 2 == 0 ? 0.0 : 1.0));
    return summarise(scores).kl.standard_error;
  };
  const double independent = 0.5 / std::sqrt(kTokens);  // of a fair coin
  CHECK(error_with_runs_of(1) / independent == doctest::Approx(1).epsilon(0.25));
  CHECK(error_with_runs_of(16) / independent == doctest::Approx(4).epsilon(0.25));
}

TEST_CASE("the 99th percentile is a value that came, and one token is all percentiles of itself") {
  std::vector<TokenScore> scores;
  for (int i = 1; i <= 200; ++i) scores.push_back(token(0.5, 0.5, (i * 77) % 201));  // 1 to 200, mixed
  const Accuracy of = summarise(scores);
  CHECK(of.kl.mean == doctest::Approx(100.5));
  CHECK(of.kl_p99 == 198);
  CHECK(of.kl_max == 200);
  const Accuracy one = summarise(std::vector{token(0.5, 0.5, 7)});
  CHECK(one.kl_p99 == 7);
  CHECK(one.kl.standard_error == 0);
}

}  // namespace belay::test
