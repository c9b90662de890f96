// PNG through libspng.
#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/images/codec.hpp"

#include <spng.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace belay::images {
namespace {

using Context = std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)>;

// Bytes of text, colour profiles and EXIF data, unpacked, that a file may make libspng keep.
constexpr std::size_t kMaxChunkBytes = std::size_t{16} << 20U;
constexpr std::uint64_t kMaxSide = 0x7FFF'FFFF;  // PNG's own limit

// libspng takes a file for whole whose last four bytes are missing, so the end is looked for here.
bool has_end(std::span<const std::byte> bytes) {
  constexpr std::size_t kSignatureBytes = 8,
                        kChunkBytes = 12;  // a chunk without its data: length, type, checksum
  CheckedU64 at = kSignatureBytes;
  while ((at + kChunkBytes).fits(bytes.size())) {
    const auto chunk = bytes.subspan(*at.value(), kChunkBytes);
    std::uint64_t length = 0;
    for (const std::byte byte : chunk.first(4)) length = length << 8U | std::to_integer<std::uint64_t>(byte);
    if (std::memcmp(chunk.data() + 4, "IEND", 4) == 0) return true;
    at += CheckedU64(length) + kChunkBytes;
  }
  return false;
}

Error refusal(int code, std::string_view name, const ImageLimits& limits) {
  switch (code) {
    case SPNG_EMEM:
      return fail(ErrorCode::kOutOfMemory, "{}: no memory to decode it; make the image smaller", name);
    case SPNG_IO_EOF:
      return fail(ErrorCode::kBadInput,
                  "{}: the PNG file ends before the image does; fetch or export it again", name);
    case SPNG_EUSER_WIDTH:
    case SPNG_EUSER_HEIGHT:
      return fail(ErrorCode::kBadInput,
                  "{}: a side of more than the {} pixels that Belay reads; make the image smaller", name,
                  limits.max_pixels);
    case SPNG_ECHUNK_LIMITS:
      return fail(ErrorCode::kBadInput,
                  "{}: more than 1000 text, profile and other extra parts, or {} bytes of them; export it "
                  "without them",
                  name, kMaxChunkBytes);
    default:
      return fail(ErrorCode::kBadInput, "{}: a broken PNG file ({}); fetch or export it again", name,
                  spng_strerror(code));
  }
}

// RGBA pixels to RGB in place, laid over opaque white: c·a + 255·(1 − a), rounded.
void lay_over_white(std::vector<std::uint8_t>& pixels) {
  const std::size_t count = pixels.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned alpha = pixels[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned over = pixels[4 * i + c] * alpha + 255 * (255 - alpha);
      pixels[3 * i + c] = static_cast<std::uint8_t>((over + 127) / 255);
    }
  }
  pixels.resize(3 * count);
}

bool has_alpha(spng_ctx* context) {
  spng_ihdr header = {};
  spng_get_ihdr(context, &header);
  spng_trns transparency = {};
  return header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
         header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA || spng_get_trns(context, &transparency) == 0;
}

// Sets the limits and reads up to the pixels.
Result<Size> open(spng_ctx* context, std::span<const std::byte> bytes, std::string_view name,
                  const ImageLimits& limits) {
  const auto max_side = static_cast<std::uint32_t>(std::min(limits.max_pixels, kMaxSide));
  spng_ihdr header = {};
  int code = spng_set_image_limits(context, max_side, max_side);
  if (code == 0) code = spng_set_chunk_limits(context, kMaxChunkBytes, kMaxChunkBytes);
  if (code == 0) code = spng_set_crc_action(context, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
  if (code == 0) code = spng_set_png_buffer(context, bytes.data(), bytes.size());
  if (code == 0) code = spng_get_ihdr(context, &header);
  if (code != 0) return refusal(code, name, limits);
  const Size size{header.height, header.width};
  BELAY_TRY(check_size(size, name, limits));
  code = spng_decode_chunks(context);
  if (code != 0) return refusal(code, name, limits);
  return size;
}

Orientation orientation_of(spng_ctx* context) {
  spng_exif exif = {};
  if (spng_get_exif(context, &exif) != 0) return Orientation::kUpright;
  return exif_orientation(std::as_bytes(std::span(exif.data, exif.length)));
}

}  // namespace

Result<Decoded> decode_png(std::span<const std::byte> bytes, std::string_view name,
                           const ImageLimits& limits) {
  const auto refused = [&](int code) { return refusal(code, name, limits); };
  if (!has_end(bytes)) return refused(SPNG_IO_EOF);
  const Context context(spng_ctx_new(0), &spng_ctx_free);
  if (context == nullptr) return refused(SPNG_EMEM);
  BELAY_TRY_ASSIGN(const Size size, open(context.get(), bytes, name, limits));
  const bool alpha = has_alpha(context.get());
  std::vector<std::uint8_t> pixels(size.pixels() * (alpha ? 4 : 3));
  const int format = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
  int code = spng_decode_image(context.get(), pixels.data(), pixels.size(), format, SPNG_DECODE_TRNS);
  if (code != 0) return refused(code);
  code = spng_decode_chunks(context.get());  // to the end
  if (code != 0) return refused(code);
  if (alpha) lay_over_white(pixels);
  return Decoded{{std::string(name), size, std::move(pixels)}, orientation_of(context.get())};
}

}  // namespace belay::images
