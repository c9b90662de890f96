// From decoded pixels to patches, against the goldens and the rules on paper.
#include "core/images/preprocess.hpp"

#include "core/base/json.hpp"
#include "core/base/sha256.hpp"
#include "tests/core/images/files.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace belay::images {
using test::bytes_of, test::fixture_path, test::fixture_tensors;

namespace {

constexpr std::array kNames = {"grad", "gray", "rgba", "shapes", "tiny", "wide"};

// Of the goldens' tiny models.
PreprocessConfig golden_config() {
  PreprocessConfig config;
  config.limits = {4096, 20'480};
  return config;
}

// Patches of 2 x 2 pixels whose numbers are the bytes.
PreprocessConfig unscaled_config() {
  PreprocessConfig config;
  config.patch_size = 2;
  config.mean = {0, 0, 0};
  config.std = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F};
  return config;
}

Image golden_image(const std::string& name) {
  auto image = read_image(fixture_path("goldens/images/" + name + ".png"));
  REQUIRE_MESSAGE(image.ok(), (image.ok() ? "" : image.error().message));
  return *std::move(image);
}

Image plain(Size size, std::uint8_t value) {
  return {"plain.png", size, std::vector<std::uint8_t>(3 * size.pixels(), value)};
}

Image resized_golden(const std::string& name) {
  const Image image = golden_image(name);
  const auto size = smart_resize(image.size, golden_config());
  REQUIRE(size.ok());
  return resize_bicubic(image, *size);
}

float largest_difference(const std::vector<float>& values, std::span<const std::byte> expected) {
  REQUIRE(values.size() * sizeof(float) == expected.size());
  std::vector<float> reference(values.size());
  std::memcpy(reference.data(), expected.data(), expected.size());
  float largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    largest = std::max(largest, std::abs(values[i] - reference[i]));
  return largest;
}

// Every byte differs from its neighbours.
Image counted(Size size) {
  Image image = plain(size, 0);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return image;
}

// Some of the columns of an image.
Image columns(const Image& image, std::uint32_t first, std::uint32_t count) {
  Image part{"part.png", {image.size.height, count}, {}};
  for (std::size_t y = 0; y < image.size.height; ++y) {
    const std::uint8_t* start = image.rgb.data() + 3 * (y * image.size.width + first);
    part.rgb.insert(part.rgb.end(), start, start + std::size_t{3} * count);
  }
  return part;
}

Size resized(Size size, std::uint64_t min_pixels = 65'536, std::uint64_t max_pixels = 16'777'216) {
  PreprocessConfig config;
  config.limits = {min_pixels, max_pixels};
  const auto result = smart_resize(size, config);
  REQUIRE(result.ok());
  return *result;
}

std::string objection(const PreprocessConfig& config) {
  const Status status = validate(config);
  if (status.ok()) return "(valid)";
  CHECK(status.error().code == ErrorCode::kBadInput);
  return status.error().message;
}

}  // namespace

TEST_CASE("decoded pixels of the goldens are the reference's") {
  const auto goldens = fixture_tensors("goldens/cases/images.safetensors");
  for (const std::string name : kNames) {
    const Image image = golden_image(name);
    CHECK_MESSAGE(sha256_hex(std::as_bytes(std::span(image.rgb))) == goldens.attribute(name + ".rgb"), name);
  }
}

TEST_CASE("resized goldens are exact") {
  const auto goldens = fixture_tensors("goldens/cases/images.safetensors");
  for (const std::string name : kNames) {
    const auto& shape = goldens.find(name + ".resized")->shape;
    const Image small = resized_golden(name);
    CHECK_MESSAGE((small.size.height == shape[0] && small.size.width == shape[1]), name);
    CHECK_MESSAGE(std::ranges::equal(small.rgb, bytes_of(goldens, name + ".resized")), name);
  }
}

TEST_CASE("the sizes of the reference's table") {
  const auto table = parse_json(test::fixture_bytes("goldens/cases/smart_resize.json"), ErrorCode::kBadInput);
  REQUIRE((table.ok() && (*table)["rows"].size() == 50));
  for (const auto& row : (*table)["rows"].get<std::vector<std::array<std::uint32_t, 7>>>()) {
    const Size expected{row[5], row[6]};
    CHECK((row[2] == 32 && resized({row[0], row[1]}, row[3], row[4]) == expected));
  }
}

TEST_CASE("halves round to even") {
  CHECK(resized({80, 80}, 1) == Size{64, 64});    // 2.5
  CHECK(resized({48, 112}, 1) == Size{64, 128});  // 1.5 and 3.5
  CHECK(resized({32, 16}, 1) == Size{32, 32});    // 0.5 is 0, which is below every minimum
}

TEST_CASE("the smallest images become blocks") {
  CHECK(resized({1, 1}) == Size{256, 256});
  CHECK(resized({1, 1}, 1) == Size{32, 32});
  CHECK(resized({200, 1}) == Size{3648, 32});
  CHECK(resized({10'000, 50}, 1, 1024) == Size{448, 32});
  CHECK(resized({50, 10'000}) == Size{64, 9984});
}

TEST_CASE("images with one side of more than 200 times the other are refused") {
  const auto thin = smart_resize({10'000, 1}, {});
  REQUIRE(!thin.ok());
  CHECK(thin.error().code == ErrorCode::kBadInput);
  CHECK(
      thin.error().message ==
      "1 x 10000 pixels: one side is 10000 times the other, the model reads up to 200 times; crop the image");
  CHECK(!smart_resize({1, 201}, {}).ok());
  CHECK(!smart_resize({40, 10'000}, {}).ok());
}

TEST_CASE("the factor follows patch and merge size") {
  PreprocessConfig config;
  config.patch_size = 14;
  config.limits = {1, 1'000'000};
  const auto size = smart_resize({100, 200}, config);
  REQUIRE(size.ok());
  CHECK(*size == Size{112, 196});
}

TEST_CASE("a resize to the same size changes nothing") {
  const Image image = counted({37, 41});
  CHECK(resize_bicubic(image, image.size).rgb == image.rgb);
}

TEST_CASE("a plain image stays plain at any size") {
  for (const Size size : {Size{1, 1}, Size{5, 200}, Size{37, 3}, Size{90, 41}}) {
    const Image resized = resize_bicubic(plain({37, 41}, 201), size);
    CHECK(resized.size == size);
    CHECK(resized.rgb == plain(size, 201).rgb);
  }
}

TEST_CASE("a row of two pixels grows by the kernel's values") {
  const Image image{"two.png", {1, 2}, {0, 0, 0, 255, 255, 255}};
  // The kernel is .8671875 at .25, .2265625 at .75 and −.0703125 at 1.25, so the weights of white are
  // −.0703125 / .796875, .2265625 / 1.09375, .8671875 / 1.09375 and .8671875 / .796875.
  const Image wide = resize_bicubic(image, {1, 4});
  CHECK(wide.rgb == std::vector<std::uint8_t>{0, 0, 0, 53, 53, 53, 202, 202, 202, 255, 255, 255});
}

TEST_CASE("rows are resized before columns, with a byte in between") {
  const Image image = counted({19, 23});
  const Image both = resize_bicubic(image, {7, 31});
  const Image rows_first = resize_bicubic(resize_bicubic(image, {19, 31}), {7, 31});
  const Image columns_first = resize_bicubic(resize_bicubic(image, {7, 23}), {7, 31});
  CHECK(both.rgb == rows_first.rgb);
  CHECK(both.rgb != columns_first.rgb);
}

TEST_CASE("rows longer than a strip of sums are whole") {
  const Image image = counted({6, 3000});
  for (const std::uint32_t first : {0U, 677U, 2990U}) {
    CHECK(columns(resize_bicubic(image, {3, 3000}), first, 10).rgb ==
          resize_bicubic(columns(image, first, 10), {3, 10}).rgb);
  }
}

TEST_CASE("pixel_values of the goldens") {
  const auto goldens = fixture_tensors("goldens/cases/images.safetensors");
  const formats::TensorView* expected = goldens.find("tiny.pixel_values");
  const auto patched = preprocess(golden_image("tiny"), golden_config());
  REQUIRE((expected != nullptr && patched.ok()));
  CHECK((patched->grid_h == 4 && patched->grid_w == 6));
  std::vector<float> upper_half = pixel_values(*patched);
  upper_half.resize(upper_half.size() / 2);
  CHECK(largest_difference(upper_half, expected->data) <= 1e-6F);
}

TEST_CASE("patches go block by block, channel by channel") {
  const PreprocessConfig config = unscaled_config();
  Image image = plain({4, 8}, 0);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i);
  const PatchedImage patched = patchify(image, config);
  CHECK((patched.grid_h == 2 && patched.grid_w == 4));
  // By patch: where its first pixel is. Patch 2 begins the block's second row, patch 4 the second block.
  constexpr std::array<std::array<std::size_t, 2>, 8> kCorners = {
      {{0, 0}, {0, 2}, {2, 0}, {2, 2}, {0, 4}, {0, 6}, {2, 4}, {2, 6}}};
  std::vector<float> expected;
  for (const auto& [row, column] : kCorners) {
    for (std::size_t i = 0; i < 12; ++i) {
      const std::size_t channel = i / 4, y = row + i / 2 % 2, x = column + i % 2;
      expected.push_back(static_cast<float>(3 * (8 * y + x) + channel));
    }
  }
  CHECK(largest_difference(patched.patches, std::as_bytes(std::span(expected))) < 1e-4F);
}

TEST_CASE("both temporal taps of a still image are the same") {
  PatchedImage patched{1, 1, 2, std::vector<float>(12)};
  for (std::size_t i = 0; i < 12; ++i) patched.patches[i] = static_cast<float>(i);
  CHECK(pixel_values(patched) ==
        std::vector<float>{0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11});
}

TEST_CASE("each channel has its mean and deviation") {
  PreprocessConfig config = unscaled_config();
  config.mean = {0, 0.5F, 1};
  config.std = {1, 0.5F, 0.25F};
  const PatchedImage patched = patchify(plain({4, 4}, 255), config);
  for (std::size_t i = 0; i < 12; ++i) CHECK(patched.patches[i] == (i < 8 ? 1 : 0));
}

TEST_CASE("preprocess names the image that it refuses") {
  const auto patched = preprocess(plain({3, 700}, 0), {});
  REQUIRE(!patched.ok());
  CHECK(patched.error().message.starts_with("plain.png: 700 x 3 pixels: one side is 233 times"));
}

TEST_CASE("configurations that make no preprocessing are refused") {
  struct Row {
    PreprocessConfig config;
    const char* reason;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::array rows = {
      Row{{}, "(valid)"},
      Row{{.limits = {0, 100}}, "image size from 0 to 100 pixels"},
      Row{{.limits = {101, 100}}, "image size from 101 to 100 pixels"},
      Row{{.limits = {1, 1U << 27U}},
          "image size from 1 to 134217728 pixels: Belay takes 1 or more, at most 67108864"},
      Row{{.patch_size = 0}, "patch_size is 0"},
      Row{{.patch_size = 65}, "patch_size is 65"},
      Row{{.merge_size = 0}, "merge_size is 0"},
      Row{{.merge_size = 9}, "merge_size is 9"},
      Row{{.mean = {0, nan, 0}}, "image_mean [0, nan, 0]"},
      Row{{.std = {1, 0, 1}}, "image_mean [0.5, 0.5, 0.5] and image_std [1, 0, 1]"},
      Row{{.std = {1, 1, -1}}, "image_mean [0.5, 0.5, 0.5] and image_std [1, 1, -1]"},
  };
  for (const Row& row : rows) CHECK_MESSAGE(objection(row.config).starts_with(row.reason), row.reason);
}

}  // namespace belay::images
