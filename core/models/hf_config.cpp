#include "core/models/hf_config.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/json_fields.hpp"
#include "core/base/text.hpp"

#include <array>
#include <cmath>

namespace belay::models {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20U;
constexpr std::array<std::uint32_t, 3> kUsualSections = {24, 20, 20};

Error unsupported(const JsonFields& in, std::string_view key, std::string_view what) {
  return fail(ErrorCode::kBadInput, "{}: {}", in.name(key), what);
}

// A whole number in [1, most]; `otherwise` when it is absent.
Result<std::uint32_t> count(const JsonFields& in, std::string_view key, std::uint32_t most,
                            std::optional<std::uint32_t> otherwise = {}) {
  const Json* value = in.find(key);
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr) return fail(ErrorCode::kBadInput, "{} is missing", in.name(key));
  const auto number = whole_number(*value);
  if (number && *number >= 1 && static_cast<std::uint32_t>(*number) <= most)
    return static_cast<std::uint32_t>(*number);
  return fail(ErrorCode::kBadInput, "{} is {}, expected 1 to {}", in.name(key),
              printable(to_line(*value), 40), most);
}

Result<float> positive(const JsonFields& in, std::string_view key, float otherwise) {
  BELAY_TRY_ASSIGN(const std::optional<double> number, in.number(key));
  if (!number) return otherwise;
  const auto value = static_cast<float>(*number);
  if (std::isfinite(value) && value > 0) return value;
  return fail(ErrorCode::kBadInput, "{} is {}, which is not a positive number", in.name(key), *number);
}

Result<std::vector<std::uint32_t>> counts(const JsonFields& in, std::string_view key, const Json& list) {
  std::vector<std::uint32_t> numbers;
  if (!list.is_array() || list.size() > kMostLayers)
    return fail(ErrorCode::kBadInput, "{} is not a list of at most {} numbers", in.name(key), kMostLayers);
  for (const Json& item : list) {
    const auto number = whole_number(item);
    if (!number)
      return fail(ErrorCode::kBadInput, "{} holds {}, which is no whole number", in.name(key),
                  printable(to_line(item), 40));
    numbers.push_back(static_cast<std::uint32_t>(*number));
  }
  return numbers;
}

// Parts of an architecture that some of its models switch on and that Belay does not compute.
Status refuse_variants(const JsonFields& in) {
  for (const char* key : {"attention_bias", "mlp_bias", "use_sliding_window"}) {
    BELAY_TRY_ASSIGN(const bool on, in.flag_or(key, false));
    if (on) return unsupported(in, key, "Belay does not run models that set it");
  }
  BELAY_TRY_ASSIGN(const auto activation, in.text("hidden_act"));
  if (activation && *activation != "silu")
    return unsupported(in, "hidden_act",
                       format("\"{}\" is not supported; Belay knows silu", printable(*activation)));
  return {};
}

Status read_sections(const JsonFields& in, const JsonFields* scaling, belay_rope_attributes_t& rope) {
  const Json* list = scaling == nullptr ? nullptr : scaling->find("mrope_section");
  std::vector<std::uint32_t> sections(kUsualSections.begin(), kUsualSections.end());
  if (list != nullptr) {
    BELAY_TRY_ASSIGN(sections, counts(*scaling, "mrope_section", *list));
  }
  if (sections.size() != kUsualSections.size())
    return fail(ErrorCode::kBadInput, "{} has {} numbers, expected 3",
                (scaling == nullptr ? in : *scaling).name("mrope_section"), sections.size());
  std::copy(sections.begin(), sections.end(), rope.sections);
  rope.interleaved = 1;
  return {};
}

Status read_scaling(const JsonFields& scaling, belay_rope_attributes_t& rope) {
  BELAY_TRY_ASSIGN(const auto type, scaling.text("rope_type"));
  BELAY_TRY_ASSIGN(const auto old_type, scaling.text("type"));
  const std::string_view kind = type.value_or(old_type.value_or("default"));
  if (kind == "default" || kind == "mrope") return {};
  if (kind != "linear") {
    return fail(ErrorCode::kBadInput,
                "{}: rope scaling \"{}\" is not supported; Belay knows default and linear",
                scaling.name("rope_type"), printable(kind));
  }
  BELAY_TRY_ASSIGN(const float factor, positive(scaling, "factor", 1.0F));
  rope.position_scale = 1.0F / factor;
  return {};
}

// Two spellings: rope_theta beside rope_scaling, or all of it in rope_parameters.
Status read_rope(const JsonFields& in, DecoderConfig& config) {
  config.rope.style = BELAY_ROPE_HALVES;
  config.rope.rotary_dim = config.head_dim;
  BELAY_TRY_ASSIGN(config.rope.theta, positive(in, "rope_theta", 10000.0F));
  BELAY_TRY_ASSIGN(std::optional<JsonFields> scaling, in.object("rope_parameters"));
  if (!scaling) {
    BELAY_TRY_ASSIGN(scaling, in.object("rope_scaling"));
  }
  if (scaling) {
    BELAY_TRY_ASSIGN(config.rope.theta, positive(*scaling, "rope_theta", config.rope.theta));
    BELAY_TRY(read_scaling(*scaling, config.rope));
  }
  if (!config.takes_images) return {};
  return read_sections(in, scaling ? &*scaling : nullptr, config.rope);
}

Status read_decoder(const JsonFields& in, DecoderConfig& config) {
  BELAY_TRY(refuse_variants(in));
  BELAY_TRY_ASSIGN(config.n_layers, count(in, "num_hidden_layers", kMostLayers));
  BELAY_TRY_ASSIGN(config.width, count(in, "hidden_size", kMostWidth));
  BELAY_TRY_ASSIGN(config.ffn_width, count(in, "intermediate_size", kMostWidth));
  BELAY_TRY_ASSIGN(config.context_length, count(in, "max_position_embeddings", kMostContext));
  BELAY_TRY_ASSIGN(config.n_heads, count(in, "num_attention_heads", kMostHeads));
  BELAY_TRY_ASSIGN(config.n_kv_heads, count(in, "num_key_value_heads", kMostHeads, config.n_heads));
  BELAY_TRY_ASSIGN(config.head_dim,
                   count(in, "head_dim", kMostWidth, std::max(1U, config.width / config.n_heads)));
  BELAY_TRY_ASSIGN(config.rms_epsilon, positive(in, "rms_norm_eps", 1e-6F));
  return read_rope(in, config);
}

// The side of the square table of positions.
Result<std::uint32_t> table_side(const JsonFields& in) {
  BELAY_TRY_ASSIGN(const std::uint32_t positions, count(in, "num_position_embeddings", 1U << 24U));
  const auto side = static_cast<std::uint32_t>(std::lround(std::sqrt(static_cast<double>(positions))));
  if (side * side == positions) return side;
  return fail(ErrorCode::kBadInput, "{} is {}, which is no square", in.name("num_position_embeddings"),
              positions);
}

Status expect(const JsonFields& in, std::string_view key, std::uint32_t wanted) {
  BELAY_TRY_ASSIGN(const std::uint32_t value, count(in, key, kMostWidth, wanted));
  if (value == wanted) return {};
  return fail(ErrorCode::kBadInput, "{} is {}; Belay runs encoders with {}", in.name(key), value, wanted);
}

// What is the same in every published encoder, and built into ours.
Status expect_usual(const JsonFields& in) {
  BELAY_TRY(expect(in, "patch_size", kPatchSide));
  BELAY_TRY(expect(in, "spatial_merge_size", kMergeSide));
  BELAY_TRY(expect(in, "temporal_patch_size", 2));
  BELAY_TRY(expect(in, "in_channels", 3));
  BELAY_TRY_ASSIGN(const auto activation, in.text("hidden_act"));
  if (!activation || *activation == "gelu_pytorch_tanh") return {};
  return unsupported(
      in, "hidden_act",
      format("\"{}\" is not supported; Belay knows gelu_pytorch_tanh", printable(*activation)));
}

Result<VisionConfig> read_vision(const JsonFields& in) {
  BELAY_TRY(expect_usual(in));
  VisionConfig config;
  BELAY_TRY_ASSIGN(config.depth, count(in, "depth", kMostLayers));
  BELAY_TRY_ASSIGN(config.width, count(in, "hidden_size", kMostWidth));
  BELAY_TRY_ASSIGN(config.n_heads, count(in, "num_heads", kMostHeads));
  BELAY_TRY_ASSIGN(config.ffn_width, count(in, "intermediate_size", kMostWidth));
  BELAY_TRY_ASSIGN(config.output_width, count(in, "out_hidden_size", kMostWidth));
  BELAY_TRY_ASSIGN(config.table_side, table_side(in));
  if (const Json* list = in.find("deepstack_visual_indexes")) {
    BELAY_TRY_ASSIGN(config.deepstack_layers, counts(in, "deepstack_visual_indexes", *list));
  }
  return config;
}

Result<std::uint64_t> pixels(const JsonFields& in, std::string_view key, std::uint64_t otherwise) {
  BELAY_TRY_ASSIGN(const std::optional<double> number, in.number(key));
  if (!number) return otherwise;
  constexpr double kMost = 1e12;
  if (*number >= 0 && *number <= kMost) return static_cast<std::uint64_t>(*number);
  return fail(ErrorCode::kBadInput, "{} is {}, which is no number of pixels", in.name(key), *number);
}

Status read_channels(const JsonFields& in, std::string_view key, std::array<float, 3>& values) {
  const Json* list = in.find(key);
  if (list == nullptr) return {};
  bool fits = list->is_array() && list->size() == values.size();
  for (std::size_t i = 0; fits && i < values.size(); ++i) {
    fits = (*list)[i].is_number();
    if (fits) values[i] = (*list)[i].get<float>();
  }
  if (fits) return {};
  return fail(ErrorCode::kBadInput, "{} is {}, expected three numbers", in.name(key),
              printable(to_line(*list), 60));
}

// size.shortest_edge and longest_edge are numbers of pixels, whatever they are called.
Status read_preprocess(const std::filesystem::path& folder, images::PreprocessConfig& config) {
  const std::filesystem::path file = folder / "preprocessor_config.json";
  BELAY_TRY_ASSIGN(const std::optional<Json> object, read_object(file, kMostBytes));
  if (!object) return {};
  const std::string name = printable(file.string(), 400);
  const JsonFields in(*object, name);
  BELAY_TRY_ASSIGN(const std::optional<JsonFields> size, in.object("size"));
  if (size) {
    BELAY_TRY_ASSIGN(config.limits.min_pixels, pixels(*size, "shortest_edge", config.limits.min_pixels));
    BELAY_TRY_ASSIGN(config.limits.max_pixels, pixels(*size, "longest_edge", config.limits.max_pixels));
  }
  BELAY_TRY_ASSIGN(config.limits.min_pixels, pixels(in, "min_pixels", config.limits.min_pixels));
  BELAY_TRY_ASSIGN(config.limits.max_pixels, pixels(in, "max_pixels", config.limits.max_pixels));
  BELAY_TRY(read_channels(in, "image_mean", config.mean));
  return read_channels(in, "image_std", config.std);
}

Status read_qwen3_vl(const JsonFields& in, const std::filesystem::path& folder, HfConfig& out) {
  BELAY_TRY_ASSIGN(const std::optional<JsonFields> vision, in.object("vision_config"));
  BELAY_TRY_ASSIGN(const std::optional<JsonFields> text, in.object("text_config"));
  if (!vision || !text)
    return fail(ErrorCode::kBadInput, "{} is missing", in.name(vision ? "text_config" : "vision_config"));
  BELAY_TRY(read_decoder(*text, out.decoder));
  BELAY_TRY_ASSIGN(out.vision, read_vision(*vision));
  out.decoder.n_deepstack = static_cast<std::uint32_t>(out.vision->deepstack_layers.size());
  BELAY_TRY(read_preprocess(folder, out.vision->preprocess));
  BELAY_TRY_ASSIGN(out.tied, text->flag_or("tie_word_embeddings", false));
  return {};
}

Result<const Architecture*> read_architecture(const JsonFields& in) {
  BELAY_TRY_ASSIGN(const auto type, in.text("model_type"));
  if (const Architecture* known = type ? find_model_type(*type) : nullptr) return known;
  return fail(ErrorCode::kBadInput, "{}: architecture \"{}\" is not one that Belay runs; it runs {}",
              in.name("model_type"), printable(type.value_or("")), known_architectures());
}

Status check(const HfConfig& config, std::string_view name) {
  BELAY_TRY(check(config.decoder, name));
  if (!config.vision) return {};
  BELAY_TRY(check(*config.vision, name));
  return check_fit(*config.vision, config.decoder, name);
}

}  // namespace

Result<HfConfig> read_hf_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  const std::string name = printable(file.string(), 400);
  BELAY_TRY_ASSIGN(const std::optional<Json> object, read_object(file, kMostBytes));
  if (!object) {
    return fail(ErrorCode::kBadInput, "{}: no such file; a model is a GGUF file or a Hugging Face folder",
                name);
  }
  const JsonFields in(*object, name);
  BELAY_TRY_ASSIGN(const Architecture* architecture, read_architecture(in));
  HfConfig out;
  out.decoder = config_of(*architecture);
  BELAY_TRY(architecture->takes_images ? read_qwen3_vl(in, folder, out) : read_decoder(in, out.decoder));
  BELAY_TRY_ASSIGN(out.tied, in.flag_or("tie_word_embeddings", out.tied));  // here it wins
  BELAY_TRY(check(out, name));
  return out;
}

}  // namespace belay::models
