#include "core/images/exif.hpp"

#include "core/base/checked.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace belay::images {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112;
constexpr std::uint16_t kShort = 3, kLong = 4;  // TIFF field types
constexpr std::uint64_t kEntryBytes = 12;

// Numbers of a TIFF structure in its own byte order. Nothing where the bytes end.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes)
      : bytes_(bytes), big_endian_(!bytes.empty() && bytes[0] == std::byte{'M'}) {}

  [[nodiscard]] std::optional<std::uint16_t> u16(CheckedU64 at) const {
    const auto value = number(at, 2);
    return value ? std::optional(static_cast<std::uint16_t>(*value)) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::uint32_t> u32(CheckedU64 at) const { return number(at, 4); }

 private:
  [[nodiscard]] std::optional<std::uint32_t> number(CheckedU64 at, std::size_t count) const {
    if (!(at + count).fits(bytes_.size())) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = big_endian_ ? i : count - 1 - i;
      value = value << 8U | std::to_integer<std::uint32_t>(bytes_[*at.value() + place]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  bool big_endian_;
};

// The value of the entry at `at`, when it is the orientation. One SHORT or LONG lies in the entry itself.
std::optional<std::uint32_t> orientation_in(const TiffReader& tiff, CheckedU64 at) {
  if (tiff.u16(at) != kOrientationTag || tiff.u32(at + 4) != 1U) return std::nullopt;
  const auto type = tiff.u16(at + 2);
  if (type == kShort) return tiff.u16(at + 8);
  return type == kLong ? tiff.u32(at + 8) : std::nullopt;
}

// How an upright picture is read from the stored one: its rows are the stored rows, or columns when
// `transposed`, from the last one when reversed.
struct Turn {
  bool transposed, reverse_rows, reverse_columns;
};

constexpr Turn turn_of(Orientation orientation) {
  constexpr Turn kTurns[] = {
      {false, false, false}, {false, false, true}, {false, true, true}, {false, true, false},
      {true, false, false},  {true, true, false},  {true, true, true},  {true, false, true},
  };
  return kTurns[static_cast<std::size_t>(orientation) - 1];
}

}  // namespace

Orientation exif_orientation(std::span<const std::byte> tiff) {
  constexpr std::uint16_t kTiffMagic = 42;
  const std::string_view text(reinterpret_cast<const char*>(tiff.data()), tiff.size());
  const TiffReader reader(tiff);
  if (!(text.starts_with("II") || text.starts_with("MM")) || reader.u16(2) != kTiffMagic)
    return Orientation::kUpright;
  const auto directory = reader.u32(4);
  const auto count = directory ? reader.u16(*directory) : std::nullopt;
  for (std::uint64_t i = 0; count && i < *count; ++i) {
    const auto value = orientation_in(reader, CheckedU64(*directory) + 2 + i * kEntryBytes);
    if (value) return *value >= 1 && *value <= 8 ? static_cast<Orientation>(*value) : Orientation::kUpright;
  }
  return Orientation::kUpright;
}

Image upright(Image image, Orientation orientation) {
  if (orientation == Orientation::kUpright) return image;
  const Turn turn = turn_of(orientation);
  const std::ptrdiff_t height = image.size.height, width = image.size.width;
  const std::ptrdiff_t row_step = turn.reverse_rows ? -width : width;
  const std::ptrdiff_t column_step = turn.reverse_columns ? -1 : 1;
  const std::ptrdiff_t first =
      (turn.reverse_rows ? (height - 1) * width : 0) + (turn.reverse_columns ? width - 1 : 0);
  const std::ptrdiff_t y_step = turn.transposed ? column_step : row_step;
  const std::ptrdiff_t x_step = turn.transposed ? row_step : column_step;

  Image turned{std::move(image.name), image.size, std::vector<std::uint8_t>(image.rgb.size())};
  if (turn.transposed) std::swap(turned.size.height, turned.size.width);
  const std::ptrdiff_t out_height = turned.size.height, out_width = turned.size.width;
  constexpr std::ptrdiff_t kBand =
      32;  // output rows at a time, so that a stored row is used while it is in the cache
  for (std::ptrdiff_t top = 0; top < out_height; top += kBand) {
    const std::ptrdiff_t bottom = std::min(top + kBand, out_height);
    for (std::ptrdiff_t x = 0; x < out_width; ++x) {
      for (std::ptrdiff_t y = top; y < bottom; ++y) {
        const std::uint8_t* from = image.rgb.data() + 3 * (first + y * y_step + x * x_step);
        std::memcpy(turned.rgb.data() + 3 * (y * out_width + x), from, 3);
      }
    }
  }
  return turned;
}

}  // namespace belay::images
