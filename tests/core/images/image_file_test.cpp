// Files of every kind that Belay reads, against another decoder, and those that it does not read.
#include "core/images/image_file.hpp"

#include "core/base/format.hpp"
#include "tests/core/images/files.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <span>
#include <string>
#include <utility>

namespace belay::images {
using test::bytes_of, test::contains, test::fixture_path, test::fixture_tensors, test::refusal;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace): magic numbers contain zeros

namespace {

// How a file of tests/fixtures/images differs from what Pillow read of it; empty when it does not.
std::string difference(const formats::TensorView& expected, std::span<const std::uint8_t> pixels) {
  const std::string name(expected.name);
  const auto image = read_image(fixture_path("images/" + name));
  if (!image.ok()) return image.error().message;
  if (image->size.height != expected.shape[0] || image->size.width != expected.shape[1])
    return name + ": another size";
  // Decoders of JPEG may round differently, those of PNG may not.
  const int allowed = name.ends_with(".jpg") ? 1 : 0;
  const int found = test::largest_difference(image->rgb, pixels);
  return found <= allowed ? "" : format("{} differs by {}", name, found);
}

}  // namespace

TEST_CASE("images of many kinds are what Pillow reads") {
  const auto expected = fixture_tensors("images/expected.safetensors");
  CHECK(expected.tensors().size() == 26);
  for (const formats::TensorView& tensor : expected.tensors()) {
    CHECK(difference(tensor, bytes_of(expected, std::string(tensor.name))) == "");
  }
}

TEST_CASE("an image knows its file's name") {
  const auto path = fixture_path("images/photo.jpg");
  const auto image = read_image(path);
  REQUIRE(image.ok());
  CHECK(image->name == path.string());
}

TEST_CASE("other formats are refused by their names") {
  const std::array<std::pair<std::string, std::string>, 17> kinds = {{
      {"GIF89a\1\0\1\0", "a GIF image"},
      {"RIFF\x24\0\0\0WEBPVP8 "s, "a WebP image"},
      {"BM\x46\0\0\0"s, "a BMP image"},
      {"II*\0\x08\0\0\0"s, "a TIFF image"},
      {"MM\0*\0\0\0\x08"s, "a TIFF image"},
      {"\0\0\0\x1C"
       "ftypavif\0\0\0\0"s,
       "an AVIF image"},
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0"s,
       "a HEIC image"},
      {"\0\0\0\x18"
       "ftypmif1\0\0\0\0"s,
       "a HEIF image"},
      {"\0\0\0\x18"
       "ftypisom\0\0\0\0"s,
       "a video"},
      {"\xFF\x0A\0"s, "a JPEG XL image"},
      {"\0\0\0\x0CJXL \r\n\x87\n"s, "a JPEG XL image"},
      {"\0\0\0\x0CjP  \r\n\x87\n"s, "a JPEG 2000 image"},
      {"8BPS\0\1"s, "a Photoshop image"},
      {"\0\0\1\0\1\0"s, "an icon"},
      {"%PDF-1.7\n", "a PDF document"},
      {"<?xml version=\"1.0\"?>\n<!-- a plan -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
       "an SVG drawing"},
      {"\xEF\xBB\xBF <svg width=\"8\"/>", "an SVG drawing"},
  }};
  for (const auto& [bytes, what] : kinds) {
    CHECK(refusal(bytes) == "test.img is " + what + "; Belay reads JPEG and PNG: convert it first");
  }
  for (const std::string& bytes :
       {"hello"s, "\0"s, "<html></html>"s, "\xFF\xD8"s, "\x89PNG"s, std::string(5000, '<')}) {
    CHECK(refusal(bytes) == "test.img: not an image that Belay knows; Belay reads JPEG and PNG");
  }
}

TEST_CASE("an empty file is refused") {
  CHECK(refusal("") == "test.img: the file is empty; fetch or export it again");
}

TEST_CASE("files that cannot be read are refused") {
  const auto missing = read_image(fixture_path("images/none.png"));
  REQUIRE(!missing.ok());
  CHECK(missing.error().code == ErrorCode::kBadInput);
  CHECK(contains(missing.error().message, "none.png: cannot open: No such file"));
  const auto folder = read_image(fixture_path("images"));
  REQUIRE(!folder.ok());
  CHECK(folder.error().code == ErrorCode::kBadInput);
}

TEST_CASE("files of too many bytes are refused") {
  ImageLimits limits;
  limits.max_file_bytes = 1000;
  const auto large = read_image(fixture_path("images/photo.jpg"), limits);
  REQUIRE(!large.ok());
  CHECK(large.error().code == ErrorCode::kBadInput);
  CHECK(contains(large.error().message, "photo.jpg: larger than 1000 bytes"));
  CHECK(contains(refusal(test::fixture_bytes("images/photo.jpg"), limits),
                 "1087 bytes are more than the 1000"));
}

TEST_CASE("the limit of pixels is exact, for both formats") {
  for (const std::string name : {"images/photo.jpg", "images/bilevel.png"}) {
    const std::string bytes = test::fixture_bytes(name);
    ImageLimits limits;
    limits.max_pixels = 1215;  // 27 * 45
    const std::string within = refusal(bytes, limits);
    --limits.max_pixels;
    CHECK(within + "; " + test::cheap_refusal(bytes, limits) ==
          "(accepted); test.img: 45 x 27 pixels are more than the 1214 that Belay reads; make the image "
          "smaller");
  }
}

TEST_CASE("a hostile file name is made printable") {
  const auto image = decode_image({}, "a\nb\x1B[31m.png");
  REQUIRE(!image.ok());
  CHECK(image.error().message.starts_with("a\\x0ab\\x1b[31m.png: "));
}

}  // namespace belay::images
