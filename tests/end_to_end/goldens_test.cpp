// The tiny llama models of tests/fixtures/goldens, every quantised type among them, against the reference's
// logits and tokens.
#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "core/formats/safetensors.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"

#include <cmath>
#include <cstring>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kGoldens = BELAY_TEST_GOLDENS;

struct GoldenCase {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> generated;
  std::vector<float> logits;  // of each generated token
  std::size_t vocab = 0;
};

std::vector<std::int32_t> integers(const formats::TensorView& tensor) {
  REQUIRE(tensor.dtype == DType::kI32);
  std::vector<std::int32_t> out(tensor.data.size() / sizeof(std::int32_t));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

GoldenCase load_case(const std::string& name) {
  const auto file = formats::SafetensorsFile::open(kGoldens / "cases" / (name + ".safetensors"));
  REQUIRE(file.ok());
  GoldenCase golden;
  golden.prompt = integers(*file->find("input_ids"));
  golden.generated = integers(*file->find("gen_ids"));
  const formats::TensorView& logits = *file->find("gen_logits");
  golden.vocab = logits.shape[1];
  golden.logits.resize(logits.data.size() / sizeof(float));
  std::memcpy(golden.logits.data(), logits.data.data(), logits.data.size());
  return golden;
}

// The largest difference to the reference's logits, fed with the reference's own tokens.
float teacher_forced_error(test::TestEngine& engine, const GoldenCase& golden) {
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
  const GoldenCase golden = load_case(name);
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
  const GoldenCase golden = load_case("llama_k__text");
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
