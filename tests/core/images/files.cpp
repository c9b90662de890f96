#include "tests/core/images/files.hpp"

#include "core/base/mapped_file.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cstdlib>

namespace belay::test {

std::filesystem::path fixture_path(std::string_view name) {
  return std::filesystem::path(BELAY_FIXTURES) / name;
}

std::string fixture_bytes(std::string_view name) {
  auto bytes = read_file(fixture_path(name), std::uint64_t{1} << 20U);
  REQUIRE_MESSAGE(bytes.ok(), name);
  return *std::move(bytes);
}

formats::SafetensorsFile fixture_tensors(std::string_view name) {
  auto file = formats::SafetensorsFile::open(fixture_path(name));
  REQUIRE_MESSAGE(file.ok(), name);
  return *std::move(file);
}

std::span<const std::uint8_t> bytes_of(const formats::SafetensorsFile& file, const std::string& name) {
  const formats::TensorView* tensor = file.find(name);
  REQUIRE_MESSAGE(tensor != nullptr, name);
  return {reinterpret_cast<const std::uint8_t*>(tensor->data.data()), tensor->data.size()};
}

Result<images::Image> decode(const std::string& bytes, const images::ImageLimits& limits) {
  return images::decode_image(std::as_bytes(std::span(bytes)), "test.img", limits);
}

images::Image decoded(const std::string& bytes) {
  auto image = decode(bytes);
  REQUIRE_MESSAGE(image.ok(), (image.ok() ? "" : image.error().message));
  CHECK(image->rgb.size() == 3 * image->size.pixels());
  return *std::move(image);
}

std::string refusal(const std::string& bytes, const images::ImageLimits& limits) {
  const auto image = decode(bytes, limits);
  if (image.ok()) return "(accepted)";
  CHECK(image.error().code == ErrorCode::kBadInput);
  CHECK(image.error().message.starts_with("test.img"));
  return image.error().message;
}

std::size_t taken_with_a_flipped_bit(const std::string& bytes, const images::ImageLimits& limits) {
  std::size_t taken = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ 1U << bit % 8);
    taken += refusal(flipped, limits) == "(accepted)" ? 1 : 0;
  }
  return taken;
}

std::vector<std::size_t> taken_cut_to(const std::string& bytes) {
  std::vector<std::size_t> taken;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (refusal(bytes.substr(0, size)) == "(accepted)") taken.push_back(size);
  }
  return taken;
}

std::string cheap_refusal(const std::string& bytes, const images::ImageLimits& limits) {
  constexpr std::uint64_t kSlack = 16'384;  // for messages
  reset_allocated_bytes();
  const auto image = decode(bytes, limits);
  CHECK(allocated_bytes() <= bytes.size() + kSlack);
  return image.ok() ? "(accepted)" : image.error().message;
}

int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace belay::test
