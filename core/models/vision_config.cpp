#include "core/models/vision_config.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <cmath>

namespace belay::models {
namespace {

constexpr std::string_view kProjector = "qwen3vl_merger";

Result<std::string_view> projector_type(const formats::GgufFile& file) {
  const char* usual = "clip.projector_type";
  return file.get_string(file.has(usual) ? usual : "clip.vision.projector_type");
}

Status check_projector(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::string_view architecture, file.get_string("general.architecture"));
  if (architecture != "clip") {
    return fail(ErrorCode::kBadInput, "{}: architecture \"{}\" is not that of a vision part (\"clip\")",
                file.name(), printable(architecture));
  }
  BELAY_TRY_ASSIGN(const std::string_view type, projector_type(file));
  if (type == kProjector) return {};
  return fail(ErrorCode::kBadInput, "{}: projector \"{}\" is not one that Belay runs; it runs {}",
              file.name(), printable(type), kProjector);
}

Status expect(const formats::GgufFile& file, std::string_view key, std::uint32_t wanted) {
  BELAY_TRY_ASSIGN(const std::uint32_t value, file.get_u32_or(key, wanted));
  if (value == wanted) return {};
  return fail(ErrorCode::kBadInput, "{}: {} is {}; Belay runs encoders with {}", file.name(), key, value,
              wanted);
}

Status read_preprocess(const formats::GgufFile& file, images::PreprocessConfig& config) {
  for (const auto& [key, value] : {std::pair("clip.vision.image_min_pixels", &config.limits.min_pixels),
                                   std::pair("clip.vision.image_max_pixels", &config.limits.max_pixels)}) {
    if (!file.has(key)) continue;
    BELAY_TRY_ASSIGN(*value, file.get_u64(key));
  }
  for (const auto& [key, values] :
       {std::pair("clip.vision.image_mean", &config.mean), std::pair("clip.vision.image_std", &config.std)}) {
    if (!file.has(key)) continue;
    BELAY_TRY_ASSIGN(const std::vector<float> given, file.get_f32s(key));
    if (given.size() != values->size())
      return fail(ErrorCode::kBadInput, "{}: {} has {} numbers, expected 3", file.name(), key, given.size());
    std::copy(given.begin(), given.end(), values->begin());
  }
  return {};
}

Status read_deepstack(const formats::GgufFile& file, VisionConfig& config) {
  if (!file.has("clip.vision.is_deepstack_layers")) return {};
  BELAY_TRY_ASSIGN(const std::vector<bool> flags, file.get_bools("clip.vision.is_deepstack_layers"));
  for (std::uint32_t layer = 0; layer < flags.size(); ++layer) {
    if (flags[layer]) config.deepstack_layers.push_back(layer);
  }
  return {};
}

Status bounded(std::string_view name, std::string_view what, std::uint32_t value, std::uint32_t most) {
  if (value >= 1 && value <= most) return {};
  return fail(ErrorCode::kBadInput, "{}: the vision encoder's {} is {}, expected 1 to {}", name, what, value,
              most);
}

Status read_shape(const formats::GgufFile& file, VisionConfig& config) {
  BELAY_TRY(expect(file, "clip.vision.patch_size", kPatchSide));
  BELAY_TRY(expect(file, "clip.vision.spatial_merge_size", kMergeSide));
  for (const auto& [key, value] : {std::pair("clip.vision.block_count", &config.depth),
                                   std::pair("clip.vision.embedding_length", &config.width),
                                   std::pair("clip.vision.attention.head_count", &config.n_heads),
                                   std::pair("clip.vision.feed_forward_length", &config.ffn_width),
                                   std::pair("clip.vision.projection_dim", &config.output_width)}) {
    BELAY_TRY_ASSIGN(*value, file.get_u32(key));
  }
  BELAY_TRY_ASSIGN(const std::uint32_t side, file.get_u32("clip.vision.image_size"));
  config.table_side = side / kPatchSide;
  BELAY_TRY_ASSIGN(config.norm_epsilon,
                   file.get_f32_or("clip.vision.attention.layer_norm_epsilon", config.norm_epsilon));
  return {};
}

Status check_bounds(const VisionConfig& config, std::string_view name) {
  BELAY_TRY(bounded(name, "depth", config.depth, kMostLayers));
  BELAY_TRY(bounded(name, "width", config.width, kMostWidth));
  BELAY_TRY(bounded(name, "number of heads", config.n_heads, kMostHeads));
  BELAY_TRY(bounded(name, "feed-forward width", config.ffn_width, kMostWidth));
  BELAY_TRY(bounded(name, "output width", config.output_width, kMostWidth));
  BELAY_TRY(bounded(name, "side of the position table", config.table_side, 1U << 12U));
  if (std::isfinite(config.norm_epsilon) && config.norm_epsilon > 0) return {};
  return fail(ErrorCode::kBadInput, "{}: the vision encoder's norm epsilon is {}, not a positive number",
              name, config.norm_epsilon);
}

Status check_deepstack(const VisionConfig& config, std::string_view name) {
  const auto& layers = config.deepstack_layers;
  const bool ascending =
      std::adjacent_find(layers.begin(), layers.end(), std::greater_equal<>()) == layers.end();
  if (ascending && (layers.empty() || layers.back() < config.depth)) return {};
  return fail(ErrorCode::kBadInput, "{}: the deepstack layers ({}) are not ascending layers below {}", name,
              fmt::join(layers, ", "), config.depth);
}

}  // namespace

Result<VisionConfig> read_vision_config(const formats::GgufFile& mmproj) {
  BELAY_TRY(check_projector(mmproj));
  VisionConfig config;
  BELAY_TRY(read_shape(mmproj, config));
  BELAY_TRY(read_deepstack(mmproj, config));
  BELAY_TRY(read_preprocess(mmproj, config.preprocess));
  BELAY_TRY(check(config, mmproj.name()));
  return config;
}

Status check(const VisionConfig& config, std::string_view name) {
  BELAY_TRY(check_bounds(config, name));
  if (config.width % (4 * config.n_heads) != 0) {
    return fail(ErrorCode::kBadInput,
                "{}: {} heads do not divide a width of {} into sizes that are multiples of 4", name,
                config.n_heads, config.width);
  }
  BELAY_TRY(check_deepstack(config, name));
  const Status images = images::validate(config.preprocess);
  if (images.ok()) return {};
  return fail(ErrorCode::kBadInput, "{}: {}", name, images.error().message);
}

Status check_fit(const VisionConfig& vision, const DecoderConfig& decoder, std::string_view name) {
  if (!decoder.takes_images) {
    return fail(ErrorCode::kBadInput, "{}: a model of architecture {} takes no vision part; leave it out",
                name, decoder.architecture);
  }
  if (vision.output_width == decoder.width && vision.deepstack_layers.size() == decoder.n_deepstack)
    return {};
  return fail(
      ErrorCode::kBadInput,
      "{}: the vision part makes rows of {} values on {} deepstack levels, the decoder takes {} on {}; "
      "they are not of one model",
      name, vision.output_width, vision.deepstack_layers.size(), decoder.width, decoder.n_deepstack);
}

}  // namespace belay::models
