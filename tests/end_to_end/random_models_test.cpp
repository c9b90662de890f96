// Models from random seeds, of every architecture and weight type, against the same model in plain doubles.
#include "tests/end_to_end/naive_decoder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model.hpp"

#include <cmath>
#include <fstream>
#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

std::filesystem::path write_model(const test::TinyModelSpec& spec) {
  std::filesystem::path path = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "random.gguf";
  const auto bytes = test::make_tiny_model(spec);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

test::TinyModelSpec random_spec(std::uint64_t seed) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  test::TinyModelSpec spec;
  spec.arch = std::vector<std::string>{"llama", "qwen2", "qwen3"}[random() % 3];
  spec.pre = spec.arch == "llama" ? "smollm" : "qwen2";
  spec.layers = 1 + static_cast<std::uint32_t>(random() % 3);
  spec.kv_heads = 1 + static_cast<std::uint32_t>(random() % 3);
  spec.heads = spec.kv_heads * (1 + static_cast<std::uint32_t>(random() % 3));
  spec.head_dim = 16 << (random() % 3);
  const bool wide = random() % 3 == 0;  // wide enough for blocks of 256
  spec.width = wide ? 256 : 64 + 32 * static_cast<std::uint32_t>(random() % 3);
  spec.ffn = wide ? 512 : 96 + 32 * static_cast<std::uint32_t>(random() % 3);
  spec.vocab = 320 + static_cast<std::uint32_t>(random() % 50);
  spec.tied = random() % 2 == 0;
  spec.types = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
                DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
  spec.seed = seed;
  return spec;
}

}  // namespace

TEST_CASE("random models agree with plain doubles, with each plugin, in chunks and token by token") {
  const auto plugins = test::usable_plugins({"cpu_scalar", "cpu_sse", "cpu_avx2"});
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const test::TinyModelSpec spec = random_spec(seed);
    const auto path = write_model(spec);
    std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
    std::vector<std::int32_t> tokens(1 + random() % 90);  // over the border of a cache block, too
    for (auto& token : tokens) token = static_cast<std::int32_t>(random() % spec.vocab);
    test::TestEngine engine({.model = path, .plugins = {plugins[seed % plugins.size()]}});
    const auto rows = engine.logits(tokens);
    const auto file = formats::GgufFile::open(path);
    REQUIRE(file.ok());
    const auto expected = test::naive_logits(*file, tokens);
    double scale = 0;
    for (const double value : expected) scale = std::max(scale, std::abs(value));
    CAPTURE(seed);
    CAPTURE(spec.arch);
    for (std::size_t v = 0; v < expected.size(); ++v) {
      const double error = std::abs(rows.back()[v] - expected[v]) / (1 + scale);
      worst = std::max(worst, error);
      REQUIRE(error <= 2e-4);
    }
    engine.session().rewind(0);
    for (const std::int32_t token : tokens) REQUIRE(engine.session().feed({&token, 1}).ok());
    for (std::size_t v = 0; v < expected.size(); ++v) {
      REQUIRE(std::abs(engine.session().logits()[v] - expected[v]) <= 2e-4 * (1 + scale));
    }
  }
  MESSAGE("largest error, relative to 1 + the largest logit: " << worst);
}
