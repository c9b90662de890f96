// The orientation tag, found in whatever EXIF data may be.
#include "core/images/exif.hpp"

#include "tests/support/doctest.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

namespace belay::images {
namespace {

Orientation orientation(const std::string& tiff) { return exif_orientation(std::as_bytes(std::span(tiff))); }

std::string number(std::uint32_t value, int bytes, bool big) {
  std::string text;
  for (int i = 0; i < bytes; ++i)
    text.push_back(static_cast<char>(value >> (8 * (big ? bytes - 1 - i : i)) & 0xFFU));
  return text;
}

struct Entry {
  std::uint32_t tag, type, count, value;
};

// A TIFF structure of one directory.
std::string tiff(const std::vector<Entry>& entries, bool big = false, std::uint32_t offset = 8) {
  std::string text = (big ? "MM" : "II") + number(42, 2, big) + number(offset, 4, big);
  text += number(static_cast<std::uint32_t>(entries.size()), 2, big);
  for (const Entry& entry : entries) {
    text += number(entry.tag, 2, big) + number(entry.type, 2, big) + number(entry.count, 4, big);
    text +=
        entry.type == 3 ? number(entry.value, 2, big) + number(0xEEEE, 2, big) : number(entry.value, 4, big);
  }
  return text + number(0, 4, big);
}

}  // namespace

TEST_CASE("the orientation is read in both byte orders, behind other tags, as SHORT or LONG") {
  for (std::uint32_t value = 1; value <= 8; ++value) {
    const std::array found = {
        orientation(tiff({{0x0112, 3, 1, value}})), orientation(tiff({{0x0112, 3, 1, value}}, true)),
        orientation(tiff({{0x0100, 4, 1, 77}, {0x0112, 4, 1, value}, {0x011A, 5, 1, 9}}, true))};
    CHECK(std::ranges::count(found, static_cast<Orientation>(value)) == 3);
  }
}

TEST_CASE("what is no orientation leaves the picture as it is") {
  CHECK(orientation("") == Orientation::kUpright);
  CHECK(orientation(tiff({})) == Orientation::kUpright);
  CHECK(orientation(tiff({{0x0100, 3, 1, 6}})) == Orientation::kUpright);
  CHECK(orientation(tiff({{0x0112, 3, 1, 0}})) == Orientation::kUpright);
  CHECK(orientation(tiff({{0x0112, 3, 1, 9}})) == Orientation::kUpright);
  CHECK(orientation(tiff({{0x0112, 3, 2, 6}})) == Orientation::kUpright);  // two of them
  CHECK(orientation(tiff({{0x0112, 2, 1, 6}})) == Orientation::kUpright);  // a text
  CHECK(orientation(tiff({{0x0112, 4, 1, 0x10006}})) == Orientation::kUpright);
}

TEST_CASE("EXIF data that is cut short is passed over") {
  const std::string whole = tiff({{0x0112, 3, 1, 6}});
  constexpr std::size_t kNeeded = 8 + 2 + 10;  // to the last byte of the value
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Orientation expected = size >= kNeeded ? Orientation::kTurnRight : Orientation::kUpright;
    CHECK(orientation(whole.substr(0, size)) == expected);
  }
}

TEST_CASE("EXIF data that points or counts beyond its end, or is none, is passed over") {
  const std::string whole = tiff({{0x0112, 3, 1, 6}});
  CHECK(orientation(tiff({{0x0112, 3, 1, 6}}, false, 0xFFFF'FFFF)) == Orientation::kUpright);
  CHECK(orientation(tiff({{0x0112, 3, 1, 6}}, false, 9)) == Orientation::kUpright);
  std::string many = whole;
  many[8] = many[9] = '\xFF';  // 65535 entries claimed
  many[10] = 0x13;             // and the one that is there is another
  CHECK(orientation(many) == Orientation::kUpright);
  std::string other = whole;
  other[2] = 43;  // BigTIFF
  CHECK(orientation(other) == Orientation::kUpright);
  CHECK(orientation("XX" + whole.substr(2)) == Orientation::kUpright);
}

TEST_CASE("turning is undone by its opposite, for sides beyond one band of rows") {
  Image image{"turned.png", {70, 45}, std::vector<std::uint8_t>(std::size_t{3} * 70 * 45)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 11 + i / 253);
  for (int value = 1; value <= 8; ++value) {
    const auto there = static_cast<Orientation>(value);
    Orientation back = there;  // all but the quarter turns are their own opposite
    if (there == Orientation::kTurnRight) back = Orientation::kTurnLeft;
    if (there == Orientation::kTurnLeft) back = Orientation::kTurnRight;
    const Image turned = upright(image, there);
    const bool sides = turned.size == (value >= 5 ? Size{45, 70} : Size{70, 45});
    const bool changed = turned.rgb != image.rgb;
    const bool restored = upright(turned, back).rgb == image.rgb;
    CHECK_MESSAGE((sides && restored && changed == (value != 1)), value);
  }
}

}  // namespace belay::images
