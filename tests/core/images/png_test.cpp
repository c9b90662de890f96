// PNG files written byte by byte: every layout of pixels, and everything that can be wrong.
#include "tests/core/images/files.hpp"
#include "tests/core/images/raw_png.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <string>
#include <vector>

namespace belay::images {
using test::cheap_refusal, test::contains, test::decoded, test::raw, test::RawPng, test::refusal;

namespace {

using Rgb = std::vector<std::uint8_t>;

// One row of pixels of a depth and colour type.
RawPng row(std::uint32_t width, std::uint8_t depth, std::uint8_t colour, const std::string& pixels) {
  RawPng png;
  png.header(width, 1, depth, colour).pixels(raw({0}) + pixels).end();
  return png;
}

// 3x2, RGB, with something of each kind of chunk around it.
std::string small_file() {
  RawPng png;
  png.header(3, 2, 8, test::kRgb)
      .chunk("gAMA", raw({0, 0, 0xB1, 0x8F}))
      .chunk("tEXt", std::string("Title\0Plan", 10));
  png.pixels(raw({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) + raw({2, 1, 1, 1, 1, 1, 1, 1, 1, 1})).end();
  return png.bytes();
}

// One pixel behind `count` equal chunks.
std::string with_chunks(int count, std::string_view type, const std::string& data) {
  RawPng png;
  png.header(1, 1, 8, test::kGray);
  for (int i = 0; i < count; ++i) png.chunk(type, data);
  return png.pixels(raw({0, 1})).end().bytes();
}

// Of a picture of 2x1 pixels as it is read with such EXIF data before or after the pixels.
Size size_with(const std::string& before, const std::string& after) {
  RawPng png;
  png.header(2, 1, 8, test::kGray);
  if (!before.empty()) png.chunk("eXIf", before);
  png.pixels(raw({0, 1, 2}));
  if (!after.empty()) png.chunk("eXIf", after);
  return decoded(png.end().bytes()).size;
}

std::string claims(std::uint32_t width, std::uint32_t height, std::uint8_t depth = 8,
                   std::uint8_t colour = test::kRgb) {
  return RawPng().header(width, height, depth, colour).pixels("").end().bytes();
}

}  // namespace

TEST_CASE("PNG: every depth and colour type") {
  CHECK(decoded(row(8, 1, test::kGray, raw({0b10110001})).bytes()).rgb ==
        Rgb{255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255});
  CHECK(decoded(row(4, 2, test::kGray, raw({0b00011011})).bytes()).rgb ==
        Rgb{0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255});
  CHECK(decoded(row(2, 4, test::kGray, raw({0x3F})).bytes()).rgb == Rgb{51, 51, 51, 255, 255, 255});
  CHECK(decoded(row(2, 8, test::kGray, raw({7, 200})).bytes()).rgb == Rgb{7, 7, 7, 200, 200, 200});
  CHECK(decoded(row(2, 16, test::kGray, raw({7, 255, 200, 0})).bytes()).rgb == Rgb{7, 7, 7, 200, 200, 200});
  CHECK(decoded(row(1, 8, test::kRgb, raw({1, 2, 3})).bytes()).rgb == Rgb{1, 2, 3});
  CHECK(decoded(row(1, 16, test::kRgb, raw({1, 99, 2, 99, 3, 99})).bytes()).rgb == Rgb{1, 2, 3});
}

TEST_CASE("PNG: alpha of every depth is laid over white") {
  // c·a + 255·(1 − a): 0 at 128 of 255 is 127, 100 at 51 (a fifth) is 224.
  CHECK(decoded(row(2, 8, test::kGrayAlpha, raw({0, 128, 100, 51})).bytes()).rgb ==
        Rgb{127, 127, 127, 224, 224, 224});
  CHECK(decoded(row(1, 16, test::kGrayAlpha, raw({0, 9, 128, 9})).bytes()).rgb == Rgb{127, 127, 127});
  CHECK(decoded(row(3, 8, test::kRgba, raw({9, 8, 7, 0, 9, 8, 7, 255, 100, 0, 255, 51})).bytes()).rgb ==
        Rgb{255, 255, 255, 9, 8, 7, 224, 204, 255});
  CHECK(decoded(row(1, 16, test::kRgba, raw({100, 0, 0, 0, 255, 0, 51, 0})).bytes()).rgb ==
        Rgb{224, 204, 255});
}

TEST_CASE("PNG: transparent colours and palettes") {
  RawPng gray;
  gray.header(2, 1, 8, test::kGray).chunk("tRNS", raw({0, 7})).pixels(raw({0, 7, 8})).end();
  CHECK(decoded(gray.bytes()).rgb == Rgb{255, 255, 255, 8, 8, 8});
  RawPng rgb;
  rgb.header(2, 1, 8, test::kRgb)
      .chunk("tRNS", raw({0, 1, 0, 2, 0, 3}))
      .pixels(raw({0, 1, 2, 3, 1, 2, 4}))
      .end();
  CHECK(decoded(rgb.bytes()).rgb == Rgb{255, 255, 255, 1, 2, 4});
  RawPng palette;
  palette.header(4, 1, 2, test::kPalette).chunk("PLTE", raw({10, 20, 30, 0, 100, 255, 7, 8, 9}));
  palette.chunk("tRNS", raw({0, 51})).pixels(raw({0, 0b00011000})).end();
  CHECK(decoded(palette.bytes()).rgb == Rgb{255, 255, 255, 204, 224, 255, 7, 8, 9, 255, 255, 255});
  RawPng beyond;
  beyond.header(4, 1, 2, test::kPalette).chunk("PLTE", raw({10, 20, 30})).pixels(raw({0, 0b00000011})).end();
  CHECK(decoded(beyond.bytes()).rgb == Rgb{10, 20, 30, 10, 20, 30, 10, 20, 30, 0, 0, 0});  // as in Pillow
}

TEST_CASE("PNG: interlaced images") {
  // 3x3 pixels in Adam7's passes: (0,0), then column 2, then row 2 but for them, then column 1, then row 1.
  RawPng png;
  png.header(3, 3, 8, test::kGray, 1);
  png.pixels(raw({0, 1}) + raw({0, 3}) + raw({0, 7, 9}) + raw({0, 2}) + raw({0, 8}) + raw({0, 4, 5, 6}))
      .end();
  const Image image = decoded(png.bytes());
  for (std::size_t i = 0; i < 27; ++i) CHECK(image.rgb[i] == i / 3 + 1);

  RawPng alpha;
  alpha.header(2, 1, 8, test::kGrayAlpha, 1).pixels(raw({0, 9, 255}) + raw({0, 9, 0})).end();
  CHECK(decoded(alpha.bytes()).rgb == Rgb{9, 9, 9, 255, 255, 255});
}

TEST_CASE("PNG: the smallest, a long and a thin one") {
  CHECK(decoded(row(1, 8, test::kGray, raw({5})).bytes()).size == Size{1, 1});
  CHECK(decoded(row(10'000, 8, test::kGray, std::string(10'000, '\1')).bytes()).size == Size{1, 10'000});
  RawPng thin;
  thin.header(1, 10'000, 8, test::kGray).pixels(std::string(20'000, '\0')).end();
  CHECK(decoded(thin.bytes()).size == Size{10'000, 1});
}

TEST_CASE("PNG: EXIF orientation counts before and after the pixels, and broken EXIF does not") {
  const std::string exif("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);
  CHECK(size_with("", "") == Size{1, 2});
  CHECK(size_with(exif, "") == Size{2, 1});
  CHECK(size_with("", exif) == Size{2, 1});
  CHECK(size_with(exif.substr(0, 12), "") == Size{1, 2});
  CHECK(size_with("hello", "") == Size{1, 2});
  CHECK(size_with(std::string("II*\0\xFF\xFF\xFF\xFF", 8), "") == Size{1, 2});
}

TEST_CASE("PNG: a file cut anywhere is refused") {
  const std::string whole = small_file();
  CHECK(decoded(whole).rgb == Rgb{1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(test::taken_cut_to(whole).empty());
  for (const std::size_t size : {std::size_t{8}, std::size_t{40}, whole.size() - 20, whole.size() - 1}) {
    CHECK(contains(refusal(whole.substr(0, size)), "the PNG file ends before the image does"));
  }
}

TEST_CASE("PNG: any flipped bit is noticed") { CHECK(test::taken_with_a_flipped_bit(small_file()) == 0); }

TEST_CASE("PNG: bytes behind the end are left alone") {
  CHECK(refusal(small_file() + "more") == "(accepted)");
}

TEST_CASE("PNG: headers that claim too much or nothing cost nothing") {
  CHECK(contains(cheap_refusal(claims(50'000, 50'000)), "50000 x 50000 pixels are more than the 64000000"));
  CHECK(contains(cheap_refusal(claims(0x7FFF'FFFF, 0x7FFF'FFFF)), "a side of more than the 64000000 pixels"));
  CHECK(contains(cheap_refusal(claims(1, 0x7FFF'FFFF)), "a side of more than the 64000000 pixels"));
  CHECK(contains(cheap_refusal(claims(0xFFFF'FFFF, 2)), "a broken PNG file"));
  CHECK(contains(cheap_refusal(claims(0, 5)), "a broken PNG file"));
  CHECK(contains(cheap_refusal(claims(5, 0)), "a broken PNG file"));
  CHECK(contains(cheap_refusal(claims(5, 5, 3)), "a broken PNG file"));
  CHECK(contains(cheap_refusal(claims(5, 5, 8, 1)), "a broken PNG file"));
}

TEST_CASE("PNG: a palette image without a palette, too few pixels, unknown parts that matter") {
  CHECK(contains(refusal(row(1, 8, test::kPalette, raw({0})).bytes()), "a broken PNG file"));
  CHECK(refusal(claims(5, 5)).starts_with("test.img: "));
  CHECK(contains(refusal(with_chunks(1, "ABCD", "x")), "a broken PNG file"));
  CHECK(refusal(with_chunks(1, "abCd", "x")) == "(accepted)");
}

TEST_CASE("PNG: extra parts are bounded in number and in bytes, packed ones by what they unpack to") {
  const std::string comment("Comment\0", 8);
  CHECK(refusal(with_chunks(900, "tEXt", comment + "short")) == "(accepted)");
  CHECK(contains(refusal(with_chunks(1100, "tEXt", comment + "short")), "more than 1000 text, profile"));
  CHECK(
      contains(refusal(with_chunks(3, "tEXt", comment + std::string(6U << 20U, 'x'))), "or 16777216 bytes"));
  const std::string packed = comment + raw({0}) + test::stored_zlib(std::string(20U << 20U, 'x'));
  CHECK(contains(refusal(with_chunks(1, "zTXt", packed)), "or 16777216 bytes"));
}

}  // namespace belay::images
