// Hugging Face's names of tensors as GGUF's. Pure. Source: llama.cpp's conversion of these architectures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace belay::models {

// Nothing for a tensor that the graphs have no use for. `deepstack_layers` name the levels by their layers.
[[nodiscard]] std::optional<std::string> gguf_name(std::string_view hf_name,
                                                   std::span<const std::uint32_t> deepstack_layers);

}  // namespace belay::models
