// JPEG files of every kind that cameras and programs write, and everything that can be wrong.
#include "tests/core/images/files.hpp"
#include "tests/core/images/raw_jpeg.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <string>
#include <vector>

namespace belay::images {
using test::cheap_refusal, test::decoded, test::encode_jpeg, test::fixture_bytes, test::JpegColour,
    test::JpegScans, test::refusal;

namespace {

// [height, width, channels] of slow waves, so that little is lost.
std::vector<std::uint8_t> waves(Size size, std::size_t channels) {
  std::vector<std::uint8_t> samples(size.pixels() * channels);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t pixel = i / channels, x = pixel % size.width, y = pixel / size.width;
    samples[i] = static_cast<std::uint8_t>(40 + 50 * (i % channels) + 2 * x + y);
  }
  return samples;
}

// Of an EXIF segment: little-endian, one entry.
std::string exif(int orientation) {
  std::string text("Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0?\0\0\0\0\0\0\0", 32);
  text[24] = static_cast<char>(orientation);
  return text;
}

// Of a 2x7 picture as it is read with such an APP1 segment.
Size size_with(const std::string& app1) {
  const Size size{2, 7};
  return decoded(encode_jpeg(size, waves(size, 3), {JpegColour::kYcc, JpegScans::kOne, app1})).size;
}

// Where the frame header's two bytes of height lie; width follows.
std::size_t frame_height_at(const std::string& jpeg) {
  for (const char* marker : {"\xFF\xC0", "\xFF\xC2"}) {
    const std::size_t at = jpeg.find(marker);
    if (at != std::string::npos) return at + 5;
  }
  FAIL("no frame header");
  return 0;
}

std::string with_size(std::string jpeg, std::uint32_t width, std::uint32_t height) {
  const std::size_t at = frame_height_at(jpeg);
  const std::array<std::uint32_t, 2> sides = {height, width};
  for (std::size_t i = 0; i < 2; ++i) {
    jpeg[at + 2 * i] = static_cast<char>(sides[i] >> 8U);
    jpeg[at + 2 * i + 1] = static_cast<char>(sides[i] & 0xFFU);
  }
  return jpeg;
}

}  // namespace

TEST_CASE("JPEG: RGB and YCbCr, in one scan and in many, give back what was put in") {
  const Size size{21, 34};
  const auto samples = waves(size, 3);
  for (const JpegScans scans : {JpegScans::kOne, JpegScans::kProgressive}) {
    for (const JpegColour colour : {JpegColour::kRgb, JpegColour::kYcc}) {
      const Image image = decoded(encode_jpeg(size, samples, {colour, scans, ""}));
      CHECK(test::largest_difference(image.rgb, samples) <= 3);
    }
  }
}

TEST_CASE("JPEG: gray becomes three equal channels") {
  const Size size{21, 34};
  const auto gray = waves(size, 1);
  std::vector<std::uint8_t> expected;
  for (const std::uint8_t value : gray) expected.insert(expected.end(), 3, value);
  for (const JpegScans scans : {JpegScans::kOne, JpegScans::kProgressive}) {
    const Image image = decoded(encode_jpeg(size, gray, {JpegColour::kGray, scans, ""}));
    CHECK(test::largest_difference(image.rgb, expected) <= 1);
  }
}

TEST_CASE("JPEG: inks are stored as the light that they let through") {
  const Size size{16, 16};
  const auto samples = waves(size, 4);
  std::vector<std::uint8_t> expected;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const int black = samples[i | 3U];
    if (i % 4 != 3) expected.push_back(static_cast<std::uint8_t>(samples[i] * black / 255));
  }
  for (const JpegColour colour : {JpegColour::kCmyk, JpegColour::kYcck}) {
    const Image image = decoded(encode_jpeg(size, samples, {colour, JpegScans::kOne, ""}));
    CHECK(test::largest_difference(image.rgb, expected) <= 4);
  }
}

TEST_CASE("JPEG: the smallest and the thinnest") {
  CHECK(decoded(encode_jpeg({1, 1}, waves({1, 1}, 3), {})).size == Size{1, 1});
  CHECK(decoded(encode_jpeg({1, 10'000}, waves({1, 10'000}, 3), {})).size == Size{1, 10'000});
  CHECK(decoded(encode_jpeg({10'000, 1}, waves({10'000, 1}, 3), {})).size == Size{10'000, 1});
  CHECK(decoded(
            encode_jpeg({1, 65'500}, waves({1, 65'500}, 4), {JpegColour::kCmyk, JpegScans::kProgressive, ""}))
            .size == Size{1, 65'500});
}

TEST_CASE("JPEG: EXIF orientation, and EXIF that says nothing") {
  CHECK(size_with(exif(1)) == Size{2, 7});
  CHECK(size_with(exif(6)) == Size{7, 2});
  CHECK(size_with(exif(9)) == Size{2, 7});
  CHECK(size_with(exif(6).substr(0, 20)) == Size{2, 7});
  CHECK(size_with("http://ns.adobe.com/xap/1.0/") == Size{2, 7});
  CHECK(size_with("E") == Size{2, 7});
}

TEST_CASE("JPEG: a file cut anywhere is refused, and never shown in part") {
  for (const char* name :
       {"images/photo.jpg", "images/progressive.jpg", "images/444_restart.jpg", "images/cmyk.jpg"}) {
    const std::string whole = fixture_bytes(name);
    CHECK_MESSAGE(test::taken_cut_to(whole).empty(), name);
    CHECK(refusal(whole.substr(0, whole.size() - 30)) ==
          "test.img: the JPEG file ends before the image does; fetch or export it again");
  }
}

TEST_CASE("JPEG: flipped bits give an image or a reason") {
  ImageLimits limits;
  limits.max_pixels = 10'000;  // so that a flipped size is no long job
  for (const char* name : {"images/photo.jpg", "images/progressive.jpg"}) {
    const std::string whole = fixture_bytes(name);
    const std::size_t taken = test::taken_with_a_flipped_bit(whole, limits);
    CHECK_MESSAGE((taken > 0 && taken < 8 * whole.size()),
                  taken);  // no checksum: some only change the picture
  }
}

TEST_CASE("JPEG: bytes behind the end are left alone") {
  CHECK(refusal(fixture_bytes("images/photo.jpg") + std::string(100, '\xFF')) == "(accepted)");
}

TEST_CASE("JPEG: headers that claim too much or nothing cost nothing") {
  for (const char* name : {"images/photo.jpg", "images/progressive.jpg"}) {
    const std::string jpeg = fixture_bytes(name);
    const std::string all =
        cheap_refusal(with_size(jpeg, 65'500, 65'500)) + "\n" + cheap_refusal(with_size(jpeg, 65'535, 5)) +
        "\n" + cheap_refusal(with_size(jpeg, 0, 5)) + "\n" + cheap_refusal(with_size(jpeg, 5, 0));
    CHECK(
        all ==
        "test.img: 65500 x 65500 pixels are more than the 64000000 that Belay reads; make the image smaller\n"
        "test.img: a broken JPEG file (Maximum supported image dimension is 65500 pixels); fetch or export "
        "it again\n"
        "test.img: a broken JPEG file (Empty JPEG image (DNL not supported)); fetch or export it again\n"
        "test.img: a broken JPEG file (Empty JPEG image (DNL not supported)); fetch or export it again");
    CHECK(refusal(with_size(jpeg, 4000, 4000)) != "(accepted)");  // allowed, but the pixels are not there
  }
}

TEST_CASE("JPEG: hundreds of scans are refused") {
  const Size size{16, 16};
  CHECK(refusal(encode_jpeg(size, waves(size, 1), {JpegColour::kGray, JpegScans::kOnePerFrequency, ""})) ==
        "(accepted)");  // 64
  CHECK(refusal(encode_jpeg(size, waves(size, 3), {JpegColour::kYcc, JpegScans::kOnePerFrequency, ""})) ==
        "test.img: a JPEG file of more than 100 scans; save it as an ordinary JPEG");
}

TEST_CASE("JPEG: kinds that are not read are named as such") {
  std::string deep = fixture_bytes("images/photo.jpg");
  deep[frame_height_at(deep) - 1] = 12;  // bits per sample
  CHECK(refusal(deep) ==
        "test.img: a JPEG file of a kind that Belay does not read (Unsupported JPEG data precision 12); save "
        "it as PNG");
  std::string lossless = fixture_bytes("images/photo.jpg");
  lossless[frame_height_at(lossless) - 4] = '\xC3';
  CHECK(test::contains(refusal(lossless), "Unsupported JPEG process: SOF type 0xc3"));
}

}  // namespace belay::images
