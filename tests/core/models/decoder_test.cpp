#include "core/formats/gguf_writer.hpp"
#include "core/models/model.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model.hpp"

#include <algorithm>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

// A minimal llama of zeros: one layer, width 8, two heads, 12 tokens; the tests then take something away.
struct ZeroModel {
  std::string arch = "llama";
  std::uint32_t layers = 1;
  std::uint32_t heads = 2;
  std::uint32_t kv_heads = 1;
  std::uint32_t ffn = 16;
  float epsilon = 1e-5F;
  std::string missing = {};    // a tensor that is left out
  std::string misshapen = {};  // a tensor with one row too many
  std::string rope_scaling = {};
  std::vector<std::byte> zeros = std::vector<std::byte>(4096);

  void add(formats::GgufWriter& writer, const std::string& name, std::vector<std::uint64_t> shape) const {
    if (name == missing) return;
    if (name == misshapen) ++shape[0];
    std::uint64_t bytes = 4;
    for (const std::uint64_t dim : shape) bytes *= dim;
    REQUIRE(writer.add_tensor(name, DType::kF32, shape, std::span(zeros).first(bytes)).ok());
  }

  void add_layer(formats::GgufWriter& writer, const std::string& prefix) const {
    for (const char* norm : {"attn_norm", "ffn_norm"}) add(writer, prefix + norm + ".weight", {8});
    add(writer, prefix + "attn_q.weight", {8, 8});
    add(writer, prefix + "attn_k.weight", {4, 8});
    add(writer, prefix + "attn_v.weight", {4, 8});
    add(writer, prefix + "attn_output.weight", {8, 8});
    add(writer, prefix + "ffn_gate.weight", {16, 8});
    add(writer, prefix + "ffn_up.weight", {16, 8});
    add(writer, prefix + "ffn_down.weight", {8, 16});
  }

  Result<models::Decoder> build(std::vector<std::byte>& bytes) const {
    formats::GgufWriter writer;
    writer.add_string("general.architecture", arch);
    const std::string p = arch + ".";
    writer.add_u32(p + "block_count", layers);
    writer.add_u32(p + "context_length", 64);
    writer.add_u32(p + "embedding_length", 8);
    writer.add_u32(p + "feed_forward_length", ffn);
    writer.add_u32(p + "attention.head_count", heads);
    writer.add_u32(p + "attention.head_count_kv", kv_heads);
    writer.add_f32(p + "attention.layer_norm_rms_epsilon", epsilon);
    if (!rope_scaling.empty()) writer.add_string(p + "rope.scaling.type", rope_scaling);
    add(writer, "token_embd.weight", {12, 8});
    add(writer, "output_norm.weight", {8});
    for (std::uint32_t layer = 0; layer < layers; ++layer)
      add_layer(writer, "blk." + std::to_string(layer) + ".");
    bytes = writer.to_bytes();
    auto parsed = formats::GgufFile::parse(bytes, "zero.gguf");
    REQUIRE(parsed.ok());
    BELAY_TRY_ASSIGN(const models::ModelFile file, models::ModelFile::from_gguf(*std::move(parsed)));
    BELAY_TRY_ASSIGN(models::Model model, models::build_model(file, DType::kF16));
    return std::move(model.decoder);
  }
};

void check_refused(const ZeroModel& model, const std::string& part) {
  std::vector<std::byte> bytes;
  const auto decoder = model.build(bytes);
  REQUIRE_FALSE(decoder.ok());
  CHECK(decoder.error().code == ErrorCode::kBadInput);
  CAPTURE(decoder.error().message);
  CHECK(decoder.error().message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a whole model becomes two graphs") {
  std::vector<std::byte> bytes;
  const auto decoder = ZeroModel{}.build(bytes);
  REQUIRE(decoder.ok());
  CHECK(decoder->config.head_dim == 4);
  CHECK(decoder->config.vocab_size == 12);
  CHECK(decoder->config.rope.style == BELAY_ROPE_ADJACENT);
  CHECK(decoder->body.nodes.size() == 1 + 16);
  CHECK(decoder->head.nodes.size() == 2);
  CHECK(decoder->head.weights[1].name == "token_embd.weight");  // tied
  const auto caches = std::count_if(decoder->body.values.begin(), decoder->body.values.end(),
                                    [](const graph::Value& value) { return value.dtype == DType::kF16; });
  CHECK(caches == 2);
}

TEST_CASE("activations keep 16 bits where they are nearest to the logits, and there alone") {
  std::vector<std::byte> bytes;
  const auto decoder = ZeroModel{.layers = 2}.build(bytes);
  REQUIRE(decoder.ok());
  std::vector<std::string> kept;
  for (const graph::Graph* graph : {&decoder->body, &decoder->head}) {
    for (const graph::Node& node : graph->nodes) {
      const auto* linear = std::get_if<belay_linear_attributes_t>(&node.attributes);
      if (linear != nullptr && linear->numerics == BELAY_NUMERICS_ACT_Q16) kept.push_back(node.name);
    }
  }
  CHECK(kept == std::vector<std::string>{"blk.1.ffn_gate", "blk.1.ffn_up", "blk.1.ffn_down", "output"});
}

TEST_CASE("a file that makes no model is refused with the reason") {
  check_refused({.arch = "mamba"}, "mamba");
  check_refused({.heads = 3, .kv_heads = 2}, "3 query heads");
  check_refused({.heads = 0}, "head_count");
  check_refused({.ffn = 0}, "feed_forward_length");
  check_refused({.epsilon = -1.0F}, "epsilon");
  check_refused({.rope_scaling = "yarn"}, "yarn");
  check_refused({.kv_heads = 2}, "blk.0.attn_k");
}

TEST_CASE("every tensor that is missing or has another shape is named") {
  for (const std::string name :
       {"token_embd.weight", "output_norm.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight",
        "blk.0.attn_k.weight", "blk.0.attn_v.weight", "blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
        "blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down.weight"}) {
    CAPTURE(name);
    check_refused({.missing = name}, name);
    if (name != "token_embd.weight") {  // a table with more rows is a larger vocabulary
      check_refused({.misshapen = name}, name == "output_norm.weight" ? name : "blk.0");
    }
  }
}

TEST_CASE("the architectures differ by their flags") {
  for (const std::string arch : {"llama", "qwen2", "qwen3"}) {
    CAPTURE(arch);
    test::TinyModelSpec spec;
    spec.arch = arch;
    const auto bytes = test::make_tiny_model(spec);
    auto parsed = formats::GgufFile::parse(bytes, arch);
    REQUIRE(parsed.ok());
    const auto file = models::ModelFile::from_gguf(*std::move(parsed));
    REQUIRE(file.ok());
    REQUIRE(models::build_model(*file, DType::kF32).ok());
    const models::DecoderConfig& config = file->config();
    CHECK((config.rope.style == BELAY_ROPE_ADJACENT) == (arch == "llama"));
    CHECK(config.qk_norm == (arch == "qwen3"));
    CHECK(config.qkv_bias == (arch == "qwen2"));
  }
}
