// How files of the user's cache folder are named that hold a model's weights in another form.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace belay::models {

// "model.safetensors, 12345 bytes, written at 1764144000": a file that was written again is another source.
[[nodiscard]] std::string describe_file(const std::filesystem::path& path);

// "SmolLM2-135M-q4_0-0123456789abcdef.weights": the number is a hash of the description.
[[nodiscard]] std::string cache_file_name(std::string_view model, std::string_view form,
                                          std::string_view description);

}  // namespace belay::models
