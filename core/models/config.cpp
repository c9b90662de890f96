#include "core/models/config.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <array>
#include <cmath>

namespace belay::models {
namespace {

// GGUF's llama has its query and key rows permuted so that adjacent pairs rotate; the others keep Hugging
// Face's halves.
constexpr std::array<Architecture, 4> kArchitectures = {{
    {"llama", "llama", BELAY_ROPE_ADJACENT, false, false, false},
    {"qwen2", "qwen2", BELAY_ROPE_HALVES, false, true, false},
    {"qwen3", "qwen3", BELAY_ROPE_HALVES, true, false, false},
    {"qwen3vl", "qwen3_vl", BELAY_ROPE_HALVES, true, false, true},
}};

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

Status read_rope(const formats::GgufFile& file, const Keys& keys, DecoderConfig& config) {
  BELAY_TRY_ASSIGN(config.rope.theta, keys.positive("rope.freq_base", 10000.0F));
  BELAY_TRY_ASSIGN(config.rope.position_scale, read_position_scale(file, keys));
  BELAY_TRY_ASSIGN(config.rope.rotary_dim,
                   keys.count_or("rope.dimension_count", config.head_dim, kMostWidth));
  return {};
}

// The axes of a picture: how many pairs turn by time, height and width, and the levels of deepstack.
Status read_image_axes(const formats::GgufFile& file, const Keys& keys, DecoderConfig& config) {
  const std::string key = keys.key("rope.dimension_sections");
  BELAY_TRY_ASSIGN(const std::vector<std::int32_t> sections, file.get_i32s(key));
  if (sections.size() < 3 || sections.size() > 4)
    return fail(ErrorCode::kBadInput, "{}: {} has {} numbers, expected 3 or 4", file.name(), key,
                sections.size());
  for (std::size_t axis = 0; axis < sections.size(); ++axis) {
    config.rope.sections[axis] = narrow<std::uint32_t>(sections[axis]).value_or(kMostWidth);
  }
  config.rope.interleaved = 1;
  BELAY_TRY_ASSIGN(config.n_deepstack, file.get_u32_or(keys.key("n_deepstack_layers"), 0));
  return {};
}

}  // namespace

const Architecture* find_architecture(std::string_view gguf_name) {
  for (const Architecture& known : kArchitectures) {
    if (known.name == gguf_name) return &known;
  }
  return nullptr;
}

const Architecture* find_model_type(std::string_view model_type) {
  for (const Architecture& known : kArchitectures) {
    if (known.model_type == model_type) return &known;
  }
  return nullptr;
}

std::string known_architectures() {
  std::string names;
  for (std::size_t i = 0; i < kArchitectures.size(); ++i) {
    names += i == 0 ? "" : i + 1 == kArchitectures.size() ? " and " : ", ";
    names += kArchitectures[i].name;
  }
  return names;
}

DecoderConfig config_of(const Architecture& architecture) {
  DecoderConfig config;
  config.architecture = architecture.name;
  config.qk_norm = architecture.qk_norm;
  config.qkv_bias = architecture.qkv_bias;
  config.takes_images = architecture.takes_images;
  config.rope.struct_size = sizeof config.rope;
  config.rope.style = architecture.gguf_rope_style;
  config.rope.position_scale = 1.0F;
  return config;
}

Status check(const DecoderConfig& config, std::string_view name) {
  if (config.n_heads % config.n_kv_heads != 0) {
    return fail(ErrorCode::kBadInput, "{}: {} query heads cannot share {} key heads", name, config.n_heads,
                config.n_kv_heads);
  }
  if (!config.takes_images) return {};
  std::uint64_t pairs = 0;
  for (const std::uint32_t section : config.rope.sections) pairs += section;
  if (config.rope.sections[3] != 0 || pairs > config.rope.rotary_dim / 2) {
    return fail(ErrorCode::kBadInput,
                "{}: the sections of the rotary positions ({}) are not three that add up to at most {}", name,
                fmt::join(config.rope.sections, ", "), config.rope.rotary_dim / 2);
  }
  if (config.n_deepstack > config.n_layers) {
    return fail(ErrorCode::kBadInput, "{}: {} levels of deepstack for {} layers", name, config.n_deepstack,
                config.n_layers);
  }
  return {};
}

Result<DecoderConfig> read_config(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::string_view wanted, file.get_string("general.architecture"));
  const Architecture* architecture = find_architecture(wanted);
  if (architecture == nullptr) {
    return fail(ErrorCode::kBadInput, "{}: architecture \"{}\" is not one that Belay runs; it runs {}",
                file.name(), printable(wanted), known_architectures());
  }
  const Keys keys(file, architecture->name);
  DecoderConfig config = config_of(*architecture);
  BELAY_TRY_ASSIGN(const std::string_view name, file.get_string_or("general.name", ""));
  config.name = printable(name);
  BELAY_TRY_ASSIGN(config.n_layers, keys.count("block_count", kMostLayers));
  BELAY_TRY_ASSIGN(config.width, keys.count("embedding_length", kMostWidth));
  BELAY_TRY_ASSIGN(config.ffn_width, keys.count("feed_forward_length", kMostWidth));
  BELAY_TRY_ASSIGN(config.context_length, keys.count("context_length", kMostContext));
  BELAY_TRY_ASSIGN(config.rms_epsilon, keys.positive("attention.layer_norm_rms_epsilon", 1e-5F));
  BELAY_TRY(read_attention(file, keys, config));
  BELAY_TRY(read_rope(file, keys, config));
  if (config.takes_images) BELAY_TRY(read_image_axes(file, keys, config));
  BELAY_TRY(check(config, file.name()));
  return config;
}

}  // namespace belay::models
