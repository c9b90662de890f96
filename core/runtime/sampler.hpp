// Picks the next token from logits: the best one, or a draw. The steps and their order are those of
// transformers (generation/utils.py, _get_logits_processor): repetition penalty, temperature, top-k, top-p,
// min-p. With the same options, seed, logits and history it picks the same tokens on every machine. One
// thread at a time.
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace belay::runtime {

struct SamplingOptions {
  float temperature = 0;   // 0: always the best token, the lowest id among equals
  int top_k = 0;           // only the k best; 0: all
  float top_p = 1;         // of these the fewest whose probabilities reach p, in (0, 1]; 1: all
  std::uint64_t seed = 0;  // of the draws
  float min_p = 0;         // of these, those at least p times as probable as the best, in [0, 1]; 0: all
  // Logits of observed tokens are divided by it if above 0, else multiplied; above 0, at most 10; 1: none.
  // Counts for the best token too.
  float repetition_penalty = 1;
};

// kUsage, naming option and value, for a number outside its range.
[[nodiscard]] Status validate(const SamplingOptions& options);

class Sampler {
 public:
  // `options` must be valid.
  explicit Sampler(SamplingOptions options) : options_(options), random_(options.seed) {}

  // Notes that `tokens`, ids of the vocabulary, stand in the sequence: the prompt, and each picked token that
  // is kept. The repetition penalty counts a token once, however often it was observed.
  void observe(std::span<const std::int32_t> tokens);

  // The id picked from the logits of one position. -inf rules a token out. kGeneral for NaN or +inf anywhere
  // and when every token is ruled out: a fault of what computed them, and the state of the draws is as
  // before. Allocates only when a call brings more logits than all before, and then for `observe` too.
  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };

  static bool is_better(const Candidate& a, const Candidate& b);
  static bool is_worse(const Candidate& a, const Candidate& b);

  [[nodiscard]] bool penalizes() const { return options_.repetition_penalty != 1; }
  [[nodiscard]] std::span<const float> penalized(std::span<const float> logits);
  [[nodiscard]] std::int32_t draw(std::span<const float> logits, float best);
  [[nodiscard]] double least_needed(float best) const;
  void fill(std::span<const float> logits, double least);
  // exp((logit - best) / temperature): 1 for the best.
  [[nodiscard]] double weight(float logit, float best) const;
  [[nodiscard]] double mass_left(float best) const;
  [[nodiscard]] std::size_t first_reaching(double wanted, std::size_t count, float best);
  [[nodiscard]] std::size_t count_likely(std::size_t count, float best);
  bool take_best(float best);
  [[nodiscard]] double random_fraction();

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<Candidate> left_;         // a heap, the best in front
  std::vector<Candidate> taken_;        // the best so far, in order: logit downwards, id upwards
  std::vector<double> cumulative_;      // the weights of taken_ added up to each
  std::vector<bool> is_observed_;       // by id
  std::vector<std::int32_t> observed_;  // each once
  std::vector<float> penalized_;        // logits
};

}  // namespace belay::runtime
