// Picks the next token from logits: the best one, or a draw after temperature, top-k and top-p. With the same
// options, seed and logits it picks the same tokens on every machine. One thread at a time.
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
};

// kUsage, naming option and value, for a number outside its range.
[[nodiscard]] Status validate(const SamplingOptions& options);

class Sampler {
 public:
  // `options` must be valid.
  explicit Sampler(SamplingOptions options) : options_(options), random_(options.seed) {}

  // The id picked from the logits of one position. -inf rules a token out. kGeneral for NaN or +inf anywhere
  // and when every token is ruled out: a fault of what computed them, and the state of the draws is as
  // before. Allocates only when a call brings more logits than all before.
  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };

  static bool is_better(const Candidate& a, const Candidate& b);
  static bool is_worse(const Candidate& a, const Candidate& b);

  [[nodiscard]] std::int32_t draw(std::span<const float> logits, float best);
  void fill(std::span<const float> logits);
  // exp((logit - best) / temperature): 1 for the best.
  [[nodiscard]] double weight(float logit, float best) const;
  [[nodiscard]] double mass_left(float best) const;
  [[nodiscard]] std::size_t first_reaching(double wanted, std::size_t count, float best);
  bool take_best(float best);
  [[nodiscard]] double random_fraction();

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<Candidate> left_;     // a heap, the best in front
  std::vector<Candidate> taken_;    // the best so far, in order: logit downwards, id upwards
  std::vector<double> cumulative_;  // the weights of taken_ added up to each
};

}  // namespace belay::runtime
