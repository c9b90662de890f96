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

namespace belay::images {
using test::bytes_of, test::fixture_path, test::fixture_tensors;

namespace {

constexpr std::array kNames = {"grad", "gray", "noise", "rgba", "shapes", "tiny", "wide"};

// Of the goldens' tiny models.
PreprocessConfig golden_config() {
  PreprocessConfig config;
  config.limits = {4096, 20'480};
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

// Every byte differs from its neighbours.
Image counted(Size size) {
  Image image = plain(size, 0);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return image;
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
    const Image image = golden_image(name);
    const auto size = smart_resize(image.size, golden_config());
    REQUIRE(size.ok());
    const auto& shape = goldens.find(name + ".resized")->shape;
    CHECK(size->height == shape[0]);
    CHECK(size->width == shape[1]);
    const Image small = resize_bicubic(image, *size);
    CHECK(small.size == *size);
    CHECK_MESSAGE(std::ranges::equal(small.rgb, bytes_of(goldens, name + ".resized")), name);
  }
}

TEST_CASE("the sizes of the reference's table") {
  const auto text = test::fixture_bytes("goldens/cases/smart_resize.json");
  const auto table = parse_json(text, ErrorCode::kBadInput);
  REQUIRE(table.ok());
  CHECK((*table)["rows"].size() == 50);
  for (const Json& row : (*table)["rows"]) {
    REQUIRE(row[2] == 32);
    const Size size = resized({row[0].get<std::uint32_t>(), row[1].get<std::uint32_t>()},
                              row[3].get<std::uint64_t>(), row[4].get<std::uint64_t>());
    const Size expected{row[5].get<std::uint32_t>(), row[6].get<std::uint32_t>()};
    CHECK_MESSAGE(size == expected, row.dump());
  }
}

TEST_CASE("halves round to even") {
  CHECK(resized({80, 80}, 1) == Size{64, 64});    // 2.5
  CHECK(resized({48, 112}, 1) == Size{64, 128});  // 1.5 and 3.5
  CHECK(resized({32, 16}, 1) == Size{32, 32});    // 0.5 is 0, which is below every minimum
}

TEST_CASE("the smallest images become blocks, the longest are refused") {
  CHECK(resized({1, 1}) == Size{256, 256});
  CHECK(resized({1, 1}, 1) == Size{32, 32});
  CHECK(resized({200, 1}) == Size{3648, 32});
  CHECK(resized({10'000, 50}, 1, 1024) == Size{448, 32});
  const auto thin = smart_resize({10'000, 1}, {});
  REQUIRE(!thin.ok());
  CHECK(thin.error().code == ErrorCode::kBadInput);
  CHECK(
      thin.error().message ==
      "1 x 10000 pixels: one side is 10000 times the other, the model reads up to 200 times; crop the image");
  CHECK(!smart_resize({1, 201}, {}).ok());
  CHECK(!smart_resize({40, 10'000}, {}).ok());
  CHECK(resized({50, 10'000}) == Size{64, 9984});
}

TEST_CASE("the factor follows patch and merge size") {
  PreprocessConfig config;
  config.patch_size = 14;
  config.limits = {1, 1'000'000};
  const auto size = smart_resize({100, 200}, config);
  REQUIRE(size.ok());
  CHECK(*size == Size{112, 196});
}

TEST_CASE("a resize to the same size changes nothing, and a plain image stays plain") {
  const Image image = counted({37, 41});
  CHECK(resize_bicubic(image, image.size).rgb == image.rgb);
  for (const Size size : {Size{1, 1}, Size{5, 200}, Size{37, 3}, Size{90, 41}}) {
    const Image small = resize_bicubic(plain({37, 41}, 201), size);
    CHECK(small.size == size);
    CHECK(std::ranges::all_of(small.rgb, [](std::uint8_t value) { return value == 201; }));
  }
}

TEST_CASE("a row of two pixels grows by the kernel's values") {
  const Image image{"two.png", {1, 2}, {0, 0, 0, 255, 255, 255}};
  // The kernel is .8671875 at .25, .2265625 at .75 and -.0703125 at 1.25; each pair of weights is normalised.
  const Image wide = resize_bicubic(image, {1, 4});
  const auto expected = [](double near, double far) {
    return static_cast<int>(255 * near / (near + far) + 0.5);
  };
  CHECK(wide.rgb[0] == 0);  // −.0703 of white, clamped
  CHECK(wide.rgb[3] == expected(0.2265625, 0.8671875));
  CHECK(wide.rgb[6] == expected(0.8671875, 0.2265625));
  CHECK(wide.rgb[9] == 255);
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
  const Image flat = resize_bicubic(image, {3, 3000});
  Image part{"part.png", {6, 10}, {}};
  for (std::size_t y = 0; y < 6; ++y) {
    const auto start = image.rgb.begin() + static_cast<std::ptrdiff_t>(3 * (y * 3000 + 2000));
    part.rgb.insert(part.rgb.end(), start, start + 30);
  }
  const Image flat_part = resize_bicubic(part, {3, 10});
  for (std::size_t y = 0; y < 3; ++y) {
    const auto start = flat.rgb.begin() + static_cast<std::ptrdiff_t>(3 * (y * 3000 + 2000));
    CHECK(std::equal(start, start + 30, flat_part.rgb.begin() + static_cast<std::ptrdiff_t>(30 * y)));
  }
}

TEST_CASE("pixel_values of the goldens") {
  const auto goldens = fixture_tensors("goldens/cases/images.safetensors");
  const formats::TensorView* expected = goldens.find("tiny.pixel_values");
  REQUIRE(expected != nullptr);
  const auto patched = preprocess(golden_image("tiny"), golden_config());
  REQUIRE(patched.ok());
  CHECK(patched->grid_h == 4);
  CHECK(patched->grid_w == 6);
  CHECK(patched->patches.size() == 24 * 768);
  const std::vector<float> values = pixel_values(*patched);
  REQUIRE(values.size() * sizeof(float) == expected->data.size());
  std::vector<float> reference(values.size());
  std::memcpy(reference.data(), expected->data.data(), expected->data.size());
  float largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    largest = std::max(largest, std::abs(values[i] - reference[i]));
  CHECK(largest <= 1e-6F);
}

TEST_CASE("patches go block by block, channel by channel") {
  PreprocessConfig config;
  config.patch_size = 2;
  config.mean = {0, 0, 0};
  config.std = {1, 0.5F, 0.25F};
  Image image = plain({4, 8}, 0);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i);
  const PatchedImage patched = patchify(image, config);
  CHECK(patched.grid_h == 2);
  CHECK(patched.grid_w == 4);
  // Patch 2 is the first of the block's second row; patch 4 the first of the second block.
  const auto value = [](int y, int x, int channel) {
    constexpr std::array kStd = {1.0, 0.5, 0.25};
    return doctest::Approx((3 * (8 * y + x) + channel) / 255.0 / kStd[static_cast<std::size_t>(channel)]);
  };
  const auto at = [&](int patch, int channel, int y, int x) {
    return patched.patches[static_cast<std::size_t>(12 * patch + 4 * channel + 2 * y + x)];
  };
  CHECK(at(0, 0, 0, 1) == value(0, 1, 0));
  CHECK(at(0, 2, 1, 0) == value(1, 0, 2));
  CHECK(at(1, 1, 0, 0) == value(0, 2, 1));
  CHECK(at(2, 0, 0, 0) == value(2, 0, 0));
  CHECK(at(3, 1, 1, 1) == value(3, 3, 1));
  CHECK(at(4, 0, 0, 0) == value(0, 4, 0));
  CHECK(at(7, 2, 1, 1) == value(3, 7, 2));

  const std::vector<float> both = pixel_values(patched);
  REQUIRE(both.size() == 2 * patched.patches.size());
  for (std::size_t plane = 0; plane < both.size() / 8; ++plane) {
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(both[8 * plane + i] == patched.patches[4 * plane + i]);
      CHECK(both[8 * plane + 4 + i] == patched.patches[4 * plane + i]);
    }
  }
}

TEST_CASE("preprocess names the image that it refuses") {
  const auto patched = preprocess(plain({3, 700}, 0), {});
  REQUIRE(!patched.ok());
  CHECK(patched.error().message.starts_with("plain.png: 700 x 3 pixels: one side is 233 times"));
}

TEST_CASE("configurations that make no preprocessing are refused") {
  CHECK(objection({}) == "(valid)");
  const auto with = [](auto change) {
    PreprocessConfig config;
    change(config);
    return objection(config);
  };
  CHECK(with([](auto& c) { c.limits = {0, 100}; }).find("from 0 to 100 pixels") != std::string::npos);
  CHECK(with([](auto& c) { c.limits = {101, 100}; }).find("from 101 to 100 pixels") != std::string::npos);
  CHECK(with([](auto& c) { c.limits = {1, ~0ULL}; }).find("at most 67108864") != std::string::npos);
  CHECK(with([](auto& c) { c.patch_size = 0; }).starts_with("patch_size is 0"));
  CHECK(with([](auto& c) { c.patch_size = 65; }).starts_with("patch_size is 65"));
  CHECK(with([](auto& c) { c.merge_size = 0; }).starts_with("merge_size is 0"));
  CHECK(with([](auto& c) { c.merge_size = 9; }).starts_with("merge_size is 9"));
  CHECK(with([](auto& c) { c.std[1] = 0; }).find("image_std above 0") != std::string::npos);
  CHECK(with([](auto& c) { c.std[0] = -1; }).find("image_std above 0") != std::string::npos);
  CHECK(with([](auto& c) { c.mean[2] = std::numeric_limits<float>::quiet_NaN(); }).find("image_mean") !=
        std::string::npos);
}

}  // namespace belay::images
