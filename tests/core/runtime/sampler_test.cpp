#include "core/runtime/sampler.hpp"

#include "tests/support/allocation_count.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace belay::test {
namespace {

using runtime::Sampler;
using runtime::SamplingOptions;
using Logits = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::int32_t pick(Sampler& sampler, const Logits& logits) {
  const auto id = sampler.next(logits);
  REQUIRE_MESSAGE(id.ok(), (id.ok() ? "" : id.error().message));
  return *id;
}

std::int32_t greedy(const Logits& logits) {
  Sampler sampler({});
  return pick(sampler, logits);
}

Logits random_logits(std::size_t size, std::uint64_t seed, float scale = 4) {
  std::mt19937_64 random(seed);
  Logits logits(size);
  for (float& logit : logits) logit = (static_cast<float>(random() % 20'001) / 10'000 - 1) * scale;
  return logits;
}

// The probabilities that the options leave, by id: everything sorted, cut and normalised.
std::vector<double> expected_probabilities(const Logits& logits, const SamplingOptions& options) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  const auto weight = [&](std::size_t id) {
    return std::exp((double{logits[id]} - double{logits[order[0]]}) / double{options.temperature});
  };
  double all = 0;
  for (const std::size_t id : order) all += weight(id);
  double reached = 0;
  std::size_t count = 0;
  while (count < order.size() && (count == 0 || reached < double{options.top_p} * all)) {
    reached += weight(order[count++]);
  }
  order.resize(count);
  std::vector<double> probabilities(logits.size(), 0.0);
  double kept = 0;
  for (const std::size_t id : order) {
    if (weight(id) < double{options.min_p}) break;
    probabilities[id] = weight(id);
    kept += weight(id);
  }
  for (double& p : probabilities) p /= kept;
  return probabilities;
}

// Pearson's statistic of `draws` draws, and its degrees of freedom.
std::pair<double, int> chi_squared(const Logits& logits, const SamplingOptions& options, int draws) {
  const std::vector<double> probabilities = expected_probabilities(logits, options);
  std::vector<int> counts(logits.size(), 0);
  Sampler sampler(options);
  for (int i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(pick(sampler, logits))];
  double statistic = 0;
  int classes = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    CHECK((probabilities[id] > 0 || counts[id] == 0));
    if (probabilities[id] == 0) continue;
    const double wanted = probabilities[id] * draws;
    statistic += (counts[id] - wanted) * (counts[id] - wanted) / wanted;
    ++classes;
  }
  return {statistic, classes - 1};
}

SamplingOptions with_min_p(SamplingOptions options, float min_p) {
  options.min_p = min_p;
  return options;
}

SamplingOptions with_penalty(SamplingOptions options, float penalty) {
  options.repetition_penalty = penalty;
  return options;
}

std::int32_t greedy_after(const std::vector<std::int32_t>& observed, float penalty, const Logits& logits) {
  Sampler sampler(with_penalty({}, penalty));
  sampler.observe(observed);
  return pick(sampler, logits);
}

std::string error_of(const Logits& logits, const SamplingOptions& options = {}) {
  Sampler sampler(options);
  const auto id = sampler.next(logits);
  REQUIRE_FALSE(id.ok());
  CHECK(id.error().code == ErrorCode::kGeneral);
  return id.error().message;
}

}  // namespace

TEST_CASE("greedy takes the best, the lowest id among equals") {
  CHECK(greedy({1, 3, 2}) == 1);
  CHECK(greedy({1, 3, 3, 2}) == 1);
  CHECK(greedy({-5}) == 0);
  CHECK(greedy({-0.0F, 0.0F}) == 0);
  CHECK(greedy({-kInfinity, -3, -kInfinity}) == 1);
  CHECK(greedy({-std::numeric_limits<float>::max(), -kInfinity}) == 0);
}

TEST_CASE("greedy finds the best at every place of every size") {
  for (std::size_t size = 1; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      Logits logits = random_logits(size, size);
      logits[at] = 100;
      if (at + 1 < size) logits[at + 1] = 100;
      CHECK(greedy(logits) == static_cast<std::int32_t>(at));
    }
  }
}

TEST_CASE("logits that are no numbers are an error with count and place") {
  for (const float bad : {kNaN, -kNaN, kInfinity}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{15}, std::size_t{16}, std::size_t{39}}) {
      Logits logits(40, 1.0F);
      logits[at] = bad;
      logits[39] = bad;
      const std::string count = at == 39 ? "1" : "2";
      for (const SamplingOptions& options : {SamplingOptions{}, SamplingOptions{1, 0, 1, 0}}) {
        CHECK(error_of(logits, options) ==
              count + " of 40 logits are NaN or infinite, the first at " + std::to_string(at));
      }
    }
  }
  CHECK(error_of(Logits(5, -kInfinity)) == "all 5 logits are -inf: no token is left");
  CHECK(error_of({}) == "there are no logits to pick a token from");
}

TEST_CASE("draws have the probabilities of the softmax, of top-k, of top-p and of min-p") {
  const Logits logits = {1.0F, 2.5F, 0.0F, 2.5F, -1.0F, 1.5F, -kInfinity, 0.5F};
  const std::vector<SamplingOptions> cases = {
      {1.0F, 0, 1.0F, 1},
      {0.5F, 0, 1.0F, 2},
      {2.0F, 0, 1.0F, 3},
      {1.0F, 3, 1.0F, 4},
      {1.0F, 0, 0.8F, 5},
      {1.0F, 4, 0.7F, 6},
      {1.0F, 1, 1.0F, 7},
      {1.0F, 99, 1.0F, 8},
      {1.0F, 0, 0.01F, 9},
      {3.0F, 5, 0.95F, 10},
      with_min_p({1.0F, 0, 1.0F, 11}, 0.1F),
      with_min_p({2.0F, 0, 1.0F, 12}, 0.3F),
      with_min_p({1.0F, 0, 0.9F, 13}, 0.2F),
      with_min_p({1.0F, 0, 0.5F, 14}, 0.05F),
      with_min_p({1.0F, 3, 1.0F, 15}, 0.3F),
      with_min_p({1.0F, 0, 1.0F, 16}, 1.0F),
  };
  for (const SamplingOptions& options : cases) {
    CAPTURE(options.seed);
    const auto [statistic, freedom] = chi_squared(logits, options, 200'000);
    // Mean and variance of chi-squared are n and 2n; beyond four deviations a right sampler falls once in
    // thousands.
    CHECK(statistic <= freedom + 4 * std::sqrt(2.0 * freedom) + 1e-9);
  }
}

TEST_CASE("every draw is that of a plain sampler with the same random numbers") {
  const Logits logits = random_logits(500, 21);
  for (const SamplingOptions& options :
       {SamplingOptions{1, 0, 1, 3}, SamplingOptions{0.7F, 40, 0.9F, 4}, SamplingOptions{1.5F, 0, 0.5F, 5},
        SamplingOptions{1, 7, 1, 6}, with_min_p({1, 0, 1, 7}, 0.05F), with_min_p({2, 90, 0.9F, 8}, 0.2F)}) {
    const std::vector<double> probabilities = expected_probabilities(logits, options);
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    std::mt19937_64 random(options.seed);
    Sampler sampler(options);
    for (int round = 0; round < 500; ++round) {
      const double u = static_cast<double>(random() >> 11U) / 9007199254740992.0;
      double sum = 0;
      std::size_t at = 0;
      while ((sum += probabilities[order[at]]) < u) ++at;
      CHECK(pick(sampler, logits) == static_cast<std::int32_t>(order[at]));
    }
  }
}

TEST_CASE("min-p counts after temperature and top-p, and the best always stays") {
  const auto drawn = [](const Logits& logits, const SamplingOptions& options) {
    Sampler sampler(options);
    std::vector<bool> seen(logits.size(), false);
    for (int i = 0; i < 2000; ++i) seen[static_cast<std::size_t>(pick(sampler, logits))] = true;
    return seen;
  };
  const Logits logits = {0, -1, -2};  // probabilities against the best: 1, 0.37, 0.14
  CHECK(drawn(logits, with_min_p({1, 0, 1, 1}, 0.2F)) == std::vector<bool>{true, true, false});
  CHECK(drawn(logits, with_min_p({2, 0, 1, 1}, 0.2F)) ==
        std::vector<bool>{true, true, true});  // 1, 0.61, 0.37
  CHECK(drawn(logits, with_min_p({1, 0, 1, 1}, 1.0F)) == std::vector<bool>{true, false, false});
  CHECK(drawn({0, 0, -2}, with_min_p({1, 0, 1, 1}, 1.0F)) == std::vector<bool>{true, true, false});
  // Against all three, 1, 0.61 and 0.37, the best has 0.51 and does not reach 0.6, so top-p keeps two.
  // Against the two that min-p keeps it has 0.62: taken first, min-p would leave the best alone.
  CHECK(drawn({0, -0.5F, -1}, with_min_p({1, 0, 0.6F, 1}, 0.5F)) == std::vector<bool>{true, true, false});
}

TEST_CASE("the repetition penalty divides what is above 0 and multiplies what is not") {
  const Logits positive = {3, 2, 1};
  CHECK(greedy_after({}, 2, positive) == 0);
  CHECK(greedy_after({0}, 2, positive) == 1);              // 1.5, 2, 1
  CHECK(greedy_after({0, 1}, 2, positive) == 0);           // 1.5, 1, 1
  CHECK(greedy_after({0, 0, 0, 0}, 1.4F, positive) == 0);  // 2.14: counted once
  CHECK(greedy_after({0, 1}, 4, positive) == 2);
  const Logits negative = {-1, -1.5F, -4};
  CHECK(greedy_after({0}, 2, negative) == 1);             // -2, -1.5, -4
  CHECK(greedy_after({2}, 0.1F, negative) == 2);          // -0.4: wanted again
  CHECK(greedy_after({0}, 2, {0, -1}) == 0);              // 0 stays 0
  CHECK(greedy_after({7, 1'000'000}, 2, positive) == 0);  // without a logit
}

TEST_CASE("the repetition penalty counts before the temperature, for what was observed between draws too") {
  const Logits logits = {2, 1.5F, -1, 0.25F, 1};
  const SamplingOptions options = with_penalty({0.7F, 3, 0.95F, 3}, 1.3F);
  Sampler sampler(options);
  std::vector<bool> observed(logits.size(), false);
  std::mt19937_64 random(options.seed);
  const std::vector<std::int32_t> prompt = {2, 4, 2};
  sampler.observe(prompt);
  for (const std::int32_t id : prompt) observed[static_cast<std::size_t>(id)] = true;
  for (int round = 0; round < 200; ++round) {
    Logits changed = logits;
    for (std::size_t id = 0; id < changed.size(); ++id) {
      if (observed[id]) changed[id] = changed[id] > 0 ? changed[id] / 1.3F : changed[id] * 1.3F;
    }
    const std::vector<double> probabilities = expected_probabilities(changed, options);
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return changed[a] > changed[b]; });
    const double u = static_cast<double>(random() >> 11U) / 9007199254740992.0;
    double sum = 0;
    std::size_t at = 0;
    while ((sum += probabilities[order[at]]) < u) ++at;
    const std::int32_t id = pick(sampler, logits);
    CHECK(id == static_cast<std::int32_t>(order[at]));
    sampler.observe({&id, 1});
    observed[static_cast<std::size_t>(id)] = true;
  }
}

TEST_CASE("a penalty makes no finite logit infinite, and hides none that is not") {
  const float largest = std::numeric_limits<float>::max();
  CHECK(greedy_after({0}, 0.01F, {largest, 1}) == 0);
  CHECK(greedy_after({0, 1}, 10, {-largest, -kInfinity}) == 0);
  CHECK(greedy_after({0}, 2, {-kInfinity, -largest}) == 1);
  for (const float bad : {kNaN, kInfinity}) {
    Sampler sampler(with_penalty({}, 2));
    sampler.observe(std::vector<std::int32_t>{1});
    const auto id = sampler.next(Logits{1, bad});
    REQUIRE_FALSE(id.ok());
    CHECK(id.error().message == "1 of 2 logits are NaN or infinite, the first at 1");
  }
}

TEST_CASE("the same seed gives the same tokens, another seed others") {
  const Logits logits = random_logits(1000, 1, 1);
  const auto run = [&](std::uint64_t seed) {
    Sampler sampler({1, 0, 1, seed});
    std::vector<std::int32_t> ids(50);
    for (std::int32_t& id : ids) id = pick(sampler, logits);
    return ids;
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

TEST_CASE("a failed call does not advance the draws") {
  const Logits logits = random_logits(100, 2, 1);
  Sampler disturbed({1, 0, 1, 9});
  Sampler calm({1, 0, 1, 9});
  for (int i = 0; i < 20; ++i) {
    CHECK_FALSE(disturbed.next(Logits{1, kNaN}).ok());
    CHECK(pick(disturbed, logits) == pick(calm, logits));
  }
}

TEST_CASE("extreme temperatures and logits stay in range") {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  std::vector<SamplingOptions> extremes;
  for (const float temperature : {smallest, 1e-6F, 1.0F, largest}) {
    for (const float top_p : {smallest, 0.5F, 1.0F}) {
      for (const int top_k : {0, 1, 2, std::numeric_limits<int>::max()})
        extremes.push_back(with_min_p({temperature, top_k, top_p, 1}, top_k == 1 ? smallest : 0.5F));
    }
  }
  for (const Logits& logits :
       {Logits{largest, -largest, 0}, Logits{0, 0, 0}, Logits{-largest, -kInfinity, -largest}}) {
    for (const SamplingOptions& options : extremes) {
      Sampler sampler(options);
      for (int i = 0; i < 20; ++i)
        CHECK(logits[static_cast<std::size_t>(pick(sampler, logits))] > -kInfinity);
    }
  }
  Sampler cold({smallest, 0, 1, 1});
  for (int i = 0; i < 100; ++i) CHECK(pick(cold, {1, 1.0001F, 0}) == 1);
}

TEST_CASE("options outside their range are refused by name") {
  CHECK(runtime::validate({}).ok());
  CHECK(runtime::validate({0.7F, 20, 0.8F, 1}).ok());
  const auto error = [](const SamplingOptions& options) {
    const Status status = runtime::validate(options);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == ErrorCode::kUsage);
    return status.error().message.substr(0, status.error().message.find(' '));
  };
  for (const float bad : {-0.1F, kNaN, kInfinity, -kInfinity}) CHECK(error({bad, 0, 1, 0}) == "temperature");
  for (const float bad : {0.0F, -1.0F, 1.01F, kNaN, kInfinity}) CHECK(error({1, 0, bad, 0}) == "top-p");
  CHECK(error({1, -1, 1, 0}) == "top-k");
  for (const float good : {0.0F, 0.05F, 1.0F}) CHECK(runtime::validate(with_min_p({}, good)).ok());
  for (const float bad : {-0.1F, 1.01F, kNaN, kInfinity}) CHECK(error(with_min_p({}, bad)) == "min-p");
  for (const float good : {0.1F, 1.0F, 10.0F}) CHECK(runtime::validate(with_penalty({}, good)).ok());
  for (const float bad : {0.0F, -1.0F, 10.5F, kNaN, kInfinity}) {
    CHECK(error(with_penalty({}, bad)) == "repetition-penalty");
  }
}

TEST_CASE("nothing is allocated after the first call") {
  const Logits logits = random_logits(49'152, 3);
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{1, 40, 0.9F, 1}, SamplingOptions{1, 0, 1, 1},
        with_min_p({1, 0, 1, 1}, 0.01F), with_penalty({1, 40, 0.9F, 1}, 1.2F), with_penalty({}, 1.2F)}) {
    Sampler sampler(options);
    sampler.observe(std::vector<std::int32_t>{1, 2, 3});
    std::int32_t sum = pick(sampler, logits);
    const std::uint64_t before = allocation_count();
    for (std::int32_t i = 0; i < 1000; ++i) {  // tokens seen for the first time, up to the last
      const std::int32_t token = 49'151 - i;
      sampler.observe({&token, 1});
      if (i % 100 != 0) continue;
      const auto id = sampler.next(logits);
      if (id.ok()) sum ^= *id;
    }
    CHECK(allocation_count() == before);
    CHECK(sum >= 0);
  }
}

TEST_CASE("picking from a large vocabulary takes little time") {
  const Logits logits = random_logits(151'936, 4, 12);
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{0.7F, 20, 0.8F, 1}, SamplingOptions{1, 0, 0.95F, 1},
        SamplingOptions{1, 0, 1, 1}, with_min_p({1, 0, 1, 1}, 0.05F), with_penalty({}, 1.1F)}) {
    Sampler sampler(options);
    std::vector<std::int32_t> prompt(4000);
    std::iota(prompt.begin(), prompt.end(), 1000);
    sampler.observe(prompt);
    double best = 1e9;
    for (int i = 0; i < 10; ++i) {
      const auto start = std::chrono::steady_clock::now();
      CHECK(pick(sampler, logits) >= 0);
      best = std::min(
          best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
    }
    MESSAGE("151,936 logits, temperature ", options.temperature, ", top-k ", options.top_k, ", top-p ",
            options.top_p, ", min-p ", options.min_p, ", penalty ", options.repetition_penalty, ": ", best,
            " us");
    CHECK(best < 1e6);
  }
}

}  // namespace belay::test
