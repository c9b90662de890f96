// The tiny llama models of tests/fixtures/goldens, every quantised type among them, against the reference's
// logits and tokens.
#include "tests/support/doctest.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/test_engine.hpp"

#include <algorithm>
#include <cmath>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kGoldens = BELAY_TEST_GOLDENS;

// The largest difference to the reference's logits, fed with the reference's own tokens.
float teacher_forced_error(test::TestEngine& engine, const test::GoldenCase& golden) {
  std::vector<std::int32_t> tokens = golden.prompt;
  tokens.insert(tokens.end(), golden.generated.begin(), golden.generated.end() - 1);
  const auto rows = engine.logits(tokens);
  float worst = 0;
  for (std::size_t i = 0; i < golden.generated.size(); ++i) {
    const auto& row = rows[golden.prompt.size() - 1 + i];
    for (std::size_t v = 0; v < golden.vocab; ++v) {
      worst = std::max(worst, std::abs(row[v] - golden.logits[i * golden.vocab + v]));
    }
  }
  return worst;
}

void check_case(const std::string& model, const std::string& name) {
  const test::GoldenCase golden = test::load_golden_case(kGoldens, name);
  std::vector<std::vector<std::string>> choices = {{}};  // the default plan, then each plugin alone
  for (const std::string& id : test::usable_plugins({"cpu_scalar", "cpu_sse", "cpu_avx2"}))
    choices.push_back({id});
  for (const auto& plugins : choices) {
    const std::string label = plugins.empty() ? "the default plan" : plugins[0];
    CAPTURE(name);
    CAPTURE(label);
    test::TestEngine engine({.model = kGoldens / model, .plugins = plugins});
    const float error = teacher_forced_error(engine, golden);
    MESSAGE(name << " on " << label << ": largest logit difference " << error);
    CHECK(error <= 2e-4F);
    CHECK(engine.generate(golden.prompt, golden.generated.size()) == golden.generated);
  }
}

}  // namespace

TEST_CASE("llama_a, mixed quantised types, short prompt") {
  check_case("llama_a/model-mixed.gguf", "llama_a_mixed__text");
}
TEST_CASE("llama_a, mixed quantised types, long prompt") {
  check_case("llama_a/model-mixed.gguf", "llama_a_mixed__long");
}
TEST_CASE("llama_k, K-quants") { check_case("llama_k/model-k.gguf", "llama_k__text"); }

TEST_CASE("at the default level the tokens with a clear margin stand") {
  const test::GoldenCase golden = test::load_golden_case(kGoldens, "llama_k__text");
  test::TestEngine engine({.model = kGoldens / "llama_k/model-k.gguf", .level = manifest::Level::kModerate});
  std::vector<std::int32_t> tokens = golden.prompt;
  tokens.insert(tokens.end(), golden.generated.begin(), golden.generated.end() - 1);
  const auto rows = engine.logits(tokens);
  for (std::size_t i = 0; i < golden.generated.size(); ++i) {
    const float* reference = golden.logits.data() + i * golden.vocab;
    std::vector<float> sorted(reference, reference + golden.vocab);
    std::sort(sorted.rbegin(), sorted.rend());
    if (sorted[0] - sorted[1] < 0.5F) continue;
    const auto& row = rows[golden.prompt.size() - 1 + i];
    const auto best = std::max_element(row.begin(), row.end()) - row.begin();
    CHECK(best == golden.generated[i]);
  }
}
