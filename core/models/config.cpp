#include "core/models/config.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <array>
#include <cmath>

namespace belay::models {
namespace {

// What sets the architectures apart that share one forward pass.
struct Architecture {
  std::string_view name;
  std::int32_t rope_style;
  bool qk_norm;
  bool qkv_bias;
};

// GGUF's llama has its query and key rows permuted so that adjacent pairs rotate; the others keep Hugging
// Face's halves.
constexpr std::array<Architecture, 3> kArchitectures = {{
    {"llama", BELAY_ROPE_ADJACENT, false, false},
    {"qwen2", BELAY_ROPE_HALVES, false, true},
    {"qwen3", BELAY_ROPE_HALVES, true, false},
}};

// Bounds far above any real model: beyond them a file is broken, and products of two of them cannot overflow.
constexpr std::uint32_t kMostLayers = 4096;
constexpr std::uint32_t kMostHeads = 4096;
constexpr std::uint32_t kMostWidth = 1U << 20U;
constexpr std::uint32_t kMostContext = 1U << 28U;

Result<const Architecture*> find_architecture(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::string_view name, file.get_string("general.architecture"));
  for (const Architecture& known : kArchitectures) {
    if (known.name == name) return &known;
  }
  return fail(ErrorCode::kBadInput,
              "{}: architecture \"{}\" is not one that Belay runs; it runs llama, qwen2 and qwen3",
              file.name(), printable(name));
}

// Reads the keys under one architecture's prefix.
class Keys {
 public:
  Keys(const formats::GgufFile& file, std::string_view prefix) : file_(file), prefix_(prefix) {}

  [[nodiscard]] std::string key(std::string_view name) const { return format("{}.{}", prefix_, name); }

  Result<std::uint32_t> count(std::string_view name, std::uint32_t most) const {
    BELAY_TRY_ASSIGN(const std::uint32_t value, file_.get_u32(key(name)));
    return bounded(name, value, most);
  }
  Result<std::uint32_t> count_or(std::string_view name, std::uint32_t fallback, std::uint32_t most) const {
    BELAY_TRY_ASSIGN(const std::uint32_t value, file_.get_u32_or(key(name), fallback));
    return bounded(name, value, most);
  }
  Result<float> positive(std::string_view name, float fallback) const {
    BELAY_TRY_ASSIGN(const float value, file_.get_f32_or(key(name), fallback));
    if (std::isfinite(value) && value > 0) return value;
    return fail(ErrorCode::kBadInput, "{}: {} is {}, which is not a positive number", file_.name(), key(name),
                value);
  }

 private:
  Result<std::uint32_t> bounded(std::string_view name, std::uint32_t value, std::uint32_t most) const {
    if (value >= 1 && value <= most) return value;
    return fail(ErrorCode::kBadInput, "{}: {} is {}, expected 1 to {}", file_.name(), key(name), value, most);
  }

  const formats::GgufFile& file_;
  std::string_view prefix_;
};

Result<float> read_position_scale(const formats::GgufFile& file, const Keys& keys) {
  BELAY_TRY_ASSIGN(const std::string_view type, file.get_string_or(keys.key("rope.scaling.type"), "none"));
  if (type == "none") return 1.0F;
  if (type != "linear") {
    return fail(ErrorCode::kBadInput, "{}: rope scaling \"{}\" is not supported; Belay knows none and linear",
                file.name(), printable(type));
  }
  BELAY_TRY_ASSIGN(const float factor, keys.positive("rope.scaling.factor", 1.0F));
  return 1.0F / factor;
}

Status read_attention(const formats::GgufFile& file, const Keys& keys, DecoderConfig& config) {
  BELAY_TRY_ASSIGN(config.n_heads, keys.count("attention.head_count", kMostHeads));
  BELAY_TRY_ASSIGN(config.n_kv_heads, keys.count_or("attention.head_count_kv", config.n_heads, kMostHeads));
  if (config.n_heads % config.n_kv_heads != 0) {
    return fail(ErrorCode::kBadInput, "{}: {} query heads cannot share {} key heads", file.name(),
                config.n_heads, config.n_kv_heads);
  }
  const std::uint32_t usual = config.width / config.n_heads;
  BELAY_TRY_ASSIGN(config.head_dim, keys.count_or("attention.key_length", usual, kMostWidth));
  BELAY_TRY_ASSIGN(const std::uint32_t value_dim,
                   keys.count_or("attention.value_length", config.head_dim, kMostWidth));
  if (value_dim != config.head_dim) {
    return fail(ErrorCode::kBadInput, "{}: key length {} and value length {} differ, which is not supported",
                file.name(), config.head_dim, value_dim);
  }
  return {};
}

Status read_rope(const formats::GgufFile& file, const Keys& keys, const Architecture& architecture,
                 DecoderConfig& config) {
  config.rope.struct_size = sizeof config.rope;
  config.rope.style = architecture.rope_style;
  BELAY_TRY_ASSIGN(config.rope.theta, keys.positive("rope.freq_base", 10000.0F));
  BELAY_TRY_ASSIGN(config.rope.position_scale, read_position_scale(file, keys));
  BELAY_TRY_ASSIGN(config.rope.rotary_dim,
                   keys.count_or("rope.dimension_count", config.head_dim, kMostWidth));
  return {};
}

}  // namespace

Result<DecoderConfig> read_config(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const Architecture* architecture, find_architecture(file));
  const Keys keys(file, architecture->name);
  DecoderConfig config;
  config.architecture = architecture->name;
  config.qk_norm = architecture->qk_norm;
  config.qkv_bias = architecture->qkv_bias;
  BELAY_TRY_ASSIGN(const std::string_view name, file.get_string_or("general.name", ""));
  config.name = printable(name);
  BELAY_TRY_ASSIGN(config.n_layers, keys.count("block_count", kMostLayers));
  BELAY_TRY_ASSIGN(config.width, keys.count("embedding_length", kMostWidth));
  BELAY_TRY_ASSIGN(config.ffn_width, keys.count("feed_forward_length", kMostWidth));
  BELAY_TRY_ASSIGN(config.context_length, keys.count("context_length", kMostContext));
  BELAY_TRY_ASSIGN(config.rms_epsilon, keys.positive("attention.layer_norm_rms_epsilon", 1e-5F));
  BELAY_TRY(read_attention(file, keys, config));
  BELAY_TRY(read_rope(file, keys, *architecture, config));
  return config;
}

}  // namespace belay::models
