// PNG files written byte by byte: every layout of pixels, and everything that can be wrong.
#include "tests/core/images/files.hpp"
#include "tests/core/images/raw_png.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <string>
#include <vector>

namespace belay::images {
using test::cheap_refusal, test::decoded, test::raw, test::RawPng, test::refusal;

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
  const std::string exif = std::string("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);
  const std::string pixels = raw({0, 1, 2});
  const auto turned =
      decoded(RawPng().header(2, 1, 8, test::kGray).chunk("eXIf", exif).pixels(pixels).end().bytes());
  CHECK(turned.size == Size{2, 1});
  CHECK(turned.rgb == Rgb{1, 1, 1, 2, 2, 2});
  CHECK(
      decoded(RawPng().header(2, 1, 8, test::kGray).pixels(pixels).chunk("eXIf", exif).end().bytes()).size ==
      Size{2, 1});
  for (const std::string& broken :
       {exif.substr(0, 12), std::string("hello"), std::string("II*\0\xFF\xFF\xFF\xFF", 8)}) {
    const auto plain =
        RawPng().header(2, 1, 8, test::kGray).chunk("eXIf", broken).pixels(pixels).end().bytes();
    CHECK(decoded(plain).size == Size{1, 2});
  }
}

TEST_CASE("PNG: a file cut anywhere is refused") {
  const std::string whole = small_file();
  REQUIRE(decoded(whole).rgb == Rgb{1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  constexpr std::size_t kSignature = 8;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string message = refusal(whole.substr(0, size));
    CHECK_MESSAGE(message != "(accepted)", size);
    if (size >= kSignature)
      CHECK_MESSAGE(message.find("ends before the image does") != std::string::npos, message);
  }
}

TEST_CASE("PNG: any flipped bit is noticed") {
  const std::string whole = small_file();
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ 1U << bit % 8);
    CHECK_MESSAGE(refusal(flipped) != "(accepted)", bit);
  }
}

TEST_CASE("PNG: bytes behind the end are left alone") {
  CHECK(refusal(small_file() + "more") == "(accepted)");
}

TEST_CASE("PNG: headers that claim too much or nothing cost nothing") {
  CHECK(cheap_refusal(claims(50'000, 50'000)).find("50000 x 50000 pixels are more than the 64000000") !=
        std::string::npos);
  CHECK(cheap_refusal(claims(0x7FFF'FFFF, 0x7FFF'FFFF)).find("a side of more than the 64000000 pixels") !=
        std::string::npos);
  CHECK(cheap_refusal(claims(1, 0x7FFF'FFFF)).find("a side of more than the 64000000 pixels") !=
        std::string::npos);
  CHECK(cheap_refusal(claims(0xFFFF'FFFF, 2)).find("a broken PNG file") != std::string::npos);
  CHECK(cheap_refusal(claims(0, 5)).find("a broken PNG file") != std::string::npos);
  CHECK(cheap_refusal(claims(5, 0)).find("a broken PNG file") != std::string::npos);
  CHECK(cheap_refusal(claims(5, 5, 3)).find("a broken PNG file") != std::string::npos);
  CHECK(cheap_refusal(claims(5, 5, 8, 1)).find("a broken PNG file") != std::string::npos);
}

TEST_CASE("PNG: a palette image without a palette, too few pixels, unknown parts that matter") {
  CHECK(refusal(row(1, 8, test::kPalette, raw({0})).bytes()).find("a broken PNG file") != std::string::npos);
  CHECK(refusal(claims(5, 5)).find("test.img: ") == 0);
  CHECK(refusal(RawPng().header(1, 1, 8, test::kGray).chunk("ABCD", "x").pixels(raw({0, 1})).end().bytes())
            .find("a broken PNG file") != std::string::npos);
  CHECK(refusal(RawPng().header(1, 1, 8, test::kGray).chunk("abCd", "x").pixels(raw({0, 1})).end().bytes()) ==
        "(accepted)");
}

TEST_CASE("PNG: extra parts are bounded in number and in bytes, packed ones by what they unpack to") {
  const auto with_texts = [](int count, const std::string& text) {
    RawPng png;
    png.header(1, 1, 8, test::kGray);
    for (int i = 0; i < count; ++i) png.chunk("tEXt", std::string("Comment\0", 8) + text);
    return png.pixels(raw({0, 1})).end().bytes();
  };
  CHECK(refusal(with_texts(900, "short")) == "(accepted)");
  CHECK(refusal(with_texts(1100, "short")).find("more than 1000 text, profile") != std::string::npos);
  CHECK(refusal(with_texts(3, std::string(6U << 20U, 'x'))).find("or 16777216 bytes") != std::string::npos);
  const std::string packed = std::string("Comment\0\0", 9) + test::stored_zlib(std::string(20U << 20U, 'x'));
  CHECK(refusal(RawPng().header(1, 1, 8, test::kGray).chunk("zTXt", packed).pixels(raw({0, 1})).end().bytes())
            .find("or 16777216 bytes") != std::string::npos);
}

}  // namespace belay::images
