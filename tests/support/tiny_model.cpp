#include "tests/support/tiny_model.hpp"

#include "core/formats/gguf_writer.hpp"
#include "tests/support/block_encoder.hpp"
#include "tests/support/tiny_tokenizer.hpp"

#include <cmath>
#include <deque>
#include <random>
#include <stdexcept>

namespace belay::test {
namespace {

using Shape = std::vector<std::uint64_t>;

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11U) * 0x1p-53; }

// About normal: the sum of twelve uniform numbers has variance 1. Exact sums, unlike the standard library's
// distributions or a logarithm, give the same weights with every compiler.
double normal(std::mt19937_64& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += uniform(random);
  return sum;
}

std::vector<float> normals(std::size_t count, double mean, double spread, std::mt19937_64& random) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(mean + spread * normal(random));
  return values;
}

bool is_k_type(DType dtype) { return info(dtype).block_elems == 256; }

class ModelBuilder {
 public:
  explicit ModelBuilder(const TinyModelSpec& spec) : spec_(spec), random_(spec.seed) {}

  std::vector<std::byte> build() {
    add_hyperparameters();
    add_tokenizer();
    add_matrix("token_embd.weight", spec_.vocab, spec_.width, spec_.tied ? 0.35 : 1.0);
    for (std::uint32_t layer = 0; layer < spec_.layers; ++layer)
      add_layer("blk." + std::to_string(layer) + ".");
    add_vector("output_norm.weight", spec_.width, 1, 0.15);
    if (!spec_.tied) add_matrix("output.weight", spec_.vocab, spec_.width, 2.5 / std::sqrt(spec_.width));
    return writer_.to_bytes();
  }

 private:
  void add_hyperparameters() {
    const std::string prefix = spec_.arch + ".";
    writer_.add_string("general.architecture", spec_.arch);
    writer_.add_string("general.type", "model");
    writer_.add_string("general.name", "tiny " + spec_.arch);
    writer_.add_u32(prefix + "block_count", spec_.layers);
    writer_.add_u32(prefix + "context_length", spec_.context);
    writer_.add_u32(prefix + "embedding_length", spec_.width);
    writer_.add_u32(prefix + "feed_forward_length", spec_.ffn);
    writer_.add_u32(prefix + "attention.head_count", spec_.heads);
    writer_.add_u32(prefix + "attention.head_count_kv", spec_.kv_heads);
    writer_.add_u32(prefix + "attention.key_length", spec_.head_dim);
    writer_.add_u32(prefix + "attention.value_length", spec_.head_dim);
    writer_.add_f32(prefix + "rope.freq_base", spec_.rope_theta);
    writer_.add_u32(prefix + "rope.dimension_count", spec_.head_dim);
    writer_.add_f32(prefix + "attention.layer_norm_rms_epsilon", spec_.rms_eps);
    writer_.add_u32(prefix + "vocab_size", spec_.vocab);
  }

  void add_tokenizer() {
    const TinyTokenizer tokenizer = make_tiny_tokenizer(spec_.vocab);
    writer_.add_string("tokenizer.ggml.model", "gpt2");
    writer_.add_string("tokenizer.ggml.pre", spec_.pre);
    writer_.add_strings("tokenizer.ggml.tokens", tokenizer.tokens);
    writer_.add_i32s("tokenizer.ggml.token_type", tokenizer.types);
    writer_.add_strings("tokenizer.ggml.merges", tokenizer.merges);
    writer_.add_u32("tokenizer.ggml.eos_token_id", tokenizer.im_end);
    writer_.add_u32("tokenizer.ggml.padding_token_id", tokenizer.endoftext);
    writer_.add_bool("tokenizer.ggml.add_bos_token", false);
    writer_.add_string("tokenizer.chat_template", tiny_chat_template());
  }

  void add_layer(const std::string& prefix) {
    const std::uint64_t q = std::uint64_t{spec_.heads} * spec_.head_dim;
    const std::uint64_t kv = std::uint64_t{spec_.kv_heads} * spec_.head_dim;
    const double wide = 1.3 / std::sqrt(spec_.width);
    add_vector(prefix + "attn_norm.weight", spec_.width, 1, 0.15);
    add_matrix(prefix + "attn_q.weight", q, spec_.width, wide);
    add_matrix(prefix + "attn_k.weight", kv, spec_.width, wide);
    add_matrix(prefix + "attn_v.weight", kv, spec_.width, wide);
    add_matrix(prefix + "attn_output.weight", spec_.width, q, 1.3 / std::sqrt(q));
    if (spec_.arch == "qwen2") {
      add_vector(prefix + "attn_q.bias", q, 0, 0.1);
      add_vector(prefix + "attn_k.bias", kv, 0, 0.1);
      add_vector(prefix + "attn_v.bias", kv, 0, 0.1);
    }
    if (spec_.arch == "qwen3") {
      add_vector(prefix + "attn_q_norm.weight", spec_.head_dim, 1, 0.15);
      add_vector(prefix + "attn_k_norm.weight", spec_.head_dim, 1, 0.15);
    }
    add_vector(prefix + "ffn_norm.weight", spec_.width, 1, 0.15);
    add_matrix(prefix + "ffn_gate.weight", spec_.ffn, spec_.width, wide);
    add_matrix(prefix + "ffn_up.weight", spec_.ffn, spec_.width, wide);
    add_matrix(prefix + "ffn_down.weight", spec_.width, spec_.ffn, 1.3 / std::sqrt(spec_.ffn));
  }

  void add_vector(const std::string& name, std::uint64_t size, double mean, double spread) {
    add(name, DType::kF32, {size}, encode(DType::kF32, normals(size, mean, spread, random_)));
  }

  void add_matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols, double spread) {
    const DType dtype = draw_type(cols);
    const std::size_t count = rows * cols;
    add(name, dtype, {rows, cols},
        is_k_type(dtype) ? random_k_blocks(dtype, count / 256, spread, random_)
                         : encode(dtype, normals(count, 0, spread, random_)));
  }

  DType draw_type(std::uint64_t cols) {
    std::vector<DType> fitting;
    for (const DType dtype : spec_.types) {
      if (cols % info(dtype).block_elems == 0) fitting.push_back(dtype);
    }
    if (fitting.empty()) return DType::kF32;
    return fitting[random_() % fitting.size()];
  }

  void add(const std::string& name, DType dtype, const Shape& shape, std::vector<std::byte> bytes) {
    data_.push_back(std::move(bytes));
    const Status added = writer_.add_tensor(name, dtype, shape, data_.back());
    if (!added.ok()) throw std::logic_error(added.error().message);  // a mistake in the spec of a test
  }

  const TinyModelSpec& spec_;
  std::mt19937_64 random_;
  formats::GgufWriter writer_;
  std::deque<std::vector<std::byte>> data_;  // the writer keeps views of these
};

}  // namespace

std::vector<std::byte> make_tiny_model(const TinyModelSpec& spec) {
  if (spec.vocab < kMinTinyVocab)
    throw std::logic_error("a tiny model needs a vocabulary of at least 288 tokens");
  return ModelBuilder(spec).build();
}

}  // namespace belay::test
