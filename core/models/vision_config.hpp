// The hyperparameters of Qwen3-VL's vision encoder, and how it wants its images.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"
#include "core/images/preprocess.hpp"
#include "core/models/config.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace belay::models {

struct VisionConfig {
  std::uint32_t depth = 0;
  std::uint32_t width = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t ffn_width = 0;
  std::uint32_t output_width = 0;               // of the decoder
  std::uint32_t table_side = 0;                 // the learned positions are a square of this side
  std::vector<std::uint32_t> deepstack_layers;  // ascending: the blocks whose rows the decoder gets, too
  float norm_epsilon = 1e-6F;
  images::PreprocessConfig preprocess;
};

inline constexpr std::uint32_t kPatchSide = 16;  // pixels
inline constexpr std::uint32_t kMergeSide = 2;   // patches that become one token of the decoder
inline constexpr std::uint32_t kPatchValues = 3 * kPatchSide * kPatchSide;  // (channel, y, x)

// From the metadata of an mmproj file. kBadInput for a projector that Belay does not know or values that make
// no encoder.
[[nodiscard]] Result<VisionConfig> read_vision_config(const formats::GgufFile& mmproj);

// kBadInput, naming `name`, for numbers that make no encoder together, or none for that decoder.
[[nodiscard]] Status check(const VisionConfig& config, std::string_view name);
[[nodiscard]] Status check_fit(const VisionConfig& vision, const DecoderConfig& decoder,
                               std::string_view name);

}  // namespace belay::models
