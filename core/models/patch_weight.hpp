// The weight of the patch embedding. The model convolves over two frames; both taps see the same pixels of a
// still image, so one matrix, their sum, takes half the work (and differs by float rounding only).
#pragma once

#include "core/models/tensors.hpp"

#include <string_view>

namespace belay::models {

// GGUF's names of the two taps; the sum has the first one's.
inline constexpr std::string_view kPatchWeight = "v.patch_embd.weight";
inline constexpr std::string_view kSecondTap = "v.patch_embd.weight.1";

// Adds kPatchWeight f32 (width, 768) from GGUF's two taps (width, 3, 16, 16), or from Hugging Face's
// joint (width, 3, 2, 16, 16). kBadInput, naming `name`, for other shapes.
[[nodiscard]] Status add_patch_weight(Tensors& tensors, const formats::TensorView& first,
                                      const formats::TensorView& second, std::string_view name);
[[nodiscard]] Status add_patch_weight(Tensors& tensors, const formats::TensorView& joint,
                                      std::string_view name);

}  // namespace belay::models
