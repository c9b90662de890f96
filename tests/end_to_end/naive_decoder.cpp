#include "tests/end_to_end/naive_decoder.hpp"

#include "tests/reference/ops.hpp"
#include "tests/reference/quant.hpp"

#include <cmath>
#include <numeric>
#include <string>

namespace belay::test {
namespace {

using reference::Values;

class Naive {
 public:
  Naive(const formats::GgufFile& file, const std::vector<std::int32_t>& tokens)
      : file_(file), tokens_(tokens) {
    arch_ = std::string(*file.get_string("general.architecture"));
    width_ = number("embedding_length");
    heads_ = number("attention.head_count");
    kv_heads_ = number("attention.head_count_kv");
    head_dim_ = number("attention.key_length");
    epsilon_ = *file.get_f32(arch_ + ".attention.layer_norm_rms_epsilon");
    rope_.theta = *file.get_f32(arch_ + ".rope.freq_base");
    rope_.rotary_dim = head_dim_;
    rope_.adjacent = arch_ == "llama";
    positions_.resize(tokens.size());
    std::iota(positions_.begin(), positions_.end(), 0);
  }

  Values logits() {
    Values x = reference::embed(matrix("token_embd.weight"), width_, tokens_);
    for (std::size_t layer = 0; layer < number("block_count"); ++layer) {
      prefix_ = "blk." + std::to_string(layer) + ".";
      x = reference::add(x, attention(norm(x, prefix_ + "attn_norm")));
      x = reference::add(x, feed_forward(norm(x, prefix_ + "ffn_norm")));
    }
    x = norm(x, "output_norm");
    const Values last(x.end() - static_cast<std::ptrdiff_t>(width_), x.end());
    const bool untied = file_.find("output.weight") != nullptr;
    return linear(last, untied ? "output.weight" : "token_embd.weight");
  }

 private:
  [[nodiscard]] std::size_t number(const std::string& key) const { return *file_.get_u32(arch_ + "." + key); }

  [[nodiscard]] Values matrix(const std::string& name) const {
    const formats::TensorView& tensor = *file_.find(name);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(tensor.data.data());
    return reference::dequantise(tensor.dtype, {bytes, tensor.data.size()}).values;
  }
  [[nodiscard]] Values optional(const std::string& name) const {
    return file_.find(name) == nullptr ? Values{} : matrix(name);
  }

  [[nodiscard]] Values norm(const Values& x, const std::string& name) const {
    return reference::rms_norm(x, matrix(name + ".weight"), epsilon_);
  }

  [[nodiscard]] Values linear(const Values& x, const std::string& name, const Values& bias = {}) const {
    const auto& shape = file_.find(name)->shape;
    return reference::linear(x, matrix(name), bias, {x.size() / shape[1], shape[0], shape[1]});
  }

  // q or k: projected, normed where the architecture does, rotated
  [[nodiscard]] Values rotated(const Values& h, const std::string& which, std::size_t heads) const {
    const std::string name = prefix_ + "attn_" + which;
    Values x = linear(h, name + ".weight", optional(name + ".bias"));
    if (file_.find(name + "_norm.weight") != nullptr) x = norm(x, name + "_norm");
    return reference::rope(rope_, x, heads, head_dim_, positions_, tokens_.size(), {});
  }

  [[nodiscard]] Values attention(const Values& h) const {
    const std::size_t blocks = tokens_.size() / 64 + 1;
    Values k_cache(kv_heads_ * blocks * 64 * head_dim_);
    Values v_cache = k_cache;
    const Values v = linear(h, prefix_ + "attn_v.weight", optional(prefix_ + "attn_v.bias"));
    reference::kv_write(rotated(h, "k", kv_heads_), kv_heads_, head_dim_, 0, k_cache);
    reference::kv_write(v, kv_heads_, head_dim_, 0, v_cache);
    reference::Attention shape;
    shape.scale = 1 / std::sqrt(static_cast<double>(head_dim_));
    shape.heads = heads_;
    shape.kv_heads = kv_heads_;
    shape.d = head_dim_;
    const Values joined = reference::attention(shape, rotated(h, "q", heads_), k_cache, v_cache).output;
    return linear(joined, prefix_ + "attn_output.weight");
  }

  [[nodiscard]] Values feed_forward(const Values& h) const {
    const Values gate = linear(h, prefix_ + "ffn_gate.weight");
    const Values up = linear(h, prefix_ + "ffn_up.weight");
    return linear(reference::silu_mul(gate, up), prefix_ + "ffn_down.weight");
  }

  const formats::GgufFile& file_;
  const std::vector<std::int32_t>& tokens_;
  std::string arch_;
  std::string prefix_;
  std::size_t width_ = 0;
  std::size_t heads_ = 0;
  std::size_t kv_heads_ = 0;
  std::size_t head_dim_ = 0;
  double epsilon_ = 0;
  reference::Rope rope_;
  std::vector<std::int32_t> positions_;
};

}  // namespace

std::vector<double> naive_logits(const formats::GgufFile& file, const std::vector<std::int32_t>& tokens) {
  return Naive(file, tokens).logits();
}

}  // namespace belay::test
