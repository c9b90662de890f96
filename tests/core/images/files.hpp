// Images of tests/fixtures and what decoding bytes that nobody vouches for must do.
#pragma once

#include "core/formats/safetensors.hpp"
#include "core/images/image_file.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::test {

// A file of tests/fixtures. A missing one ends the test.
[[nodiscard]] std::filesystem::path fixture_path(std::string_view name);
[[nodiscard]] std::string fixture_bytes(std::string_view name);
[[nodiscard]] formats::SafetensorsFile fixture_tensors(std::string_view name);
// A tensor of bytes. A missing one ends the test.
[[nodiscard]] std::span<const std::uint8_t> bytes_of(const formats::SafetensorsFile& file,
                                                     const std::string& name);

[[nodiscard]] Result<images::Image> decode(const std::string& bytes, const images::ImageLimits& limits = {});
// The image in `bytes`, which must be taken.
[[nodiscard]] images::Image decoded(const std::string& bytes);
// The message of the refusal, after checking its class and that it names the file; "(accepted)" when there is
// none.
[[nodiscard]] std::string refusal(const std::string& bytes, const images::ImageLimits& limits = {});
// How many files with one bit of `bytes` flipped are taken.
[[nodiscard]] std::size_t taken_with_a_flipped_bit(const std::string& bytes,
                                                   const images::ImageLimits& limits = {});
// How long the beginnings of `bytes` are that are taken.
[[nodiscard]] std::vector<std::size_t> taken_cut_to(const std::string& bytes);
// The refusal of a file whose header claims too much: nothing near its size may be allocated.
[[nodiscard]] std::string cheap_refusal(const std::string& bytes, const images::ImageLimits& limits = {});

[[nodiscard]] inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
// Both must be of one length.
[[nodiscard]] int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

}  // namespace belay::test
