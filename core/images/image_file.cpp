#include "core/images/image_file.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/images/codec.hpp"
#include "core/images/image_kind.hpp"

#include <utility>

namespace belay::images {
namespace {

// How much of a file's name a message shows.
constexpr std::size_t kNameBytes = 400;

Result<Decoded> decode(std::span<const std::byte> bytes, std::string_view name, const ImageLimits& limits) {
  const Recognised found = recognise(bytes);
  if (found.kind == ImageKind::kJpeg) return decode_jpeg(bytes, name, limits);
  if (found.kind == ImageKind::kPng) return decode_png(bytes, name, limits);
  if (found.what.empty()) {
    return fail(ErrorCode::kBadInput, "{}: not an image that Belay knows; Belay reads JPEG and PNG", name);
  }
  return fail(ErrorCode::kBadInput, "{} is {}; Belay reads JPEG and PNG: convert it first", name, found.what);
}

}  // namespace

Status check_size(Size size, std::string_view name, const ImageLimits& limits) {
  if (size.pixels() == 0) {
    return fail(ErrorCode::kBadInput, "{}: the image has no pixels ({} wide, {} high); export it again", name,
                size.width, size.height);
  }
  if (size.pixels() <= limits.max_pixels) return {};
  return fail(ErrorCode::kBadInput,
              "{}: {} x {} pixels are more than the {} that Belay reads; make the image smaller", name,
              size.width, size.height, limits.max_pixels);
}

Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view name,
                           const ImageLimits& limits) {
  const std::string shown = printable(name, kNameBytes);
  if (bytes.empty())
    return fail(ErrorCode::kBadInput, "{}: the file is empty; fetch or export it again", shown);
  if (bytes.size() > limits.max_file_bytes) {
    return fail(ErrorCode::kBadInput,
                "{}: {} bytes are more than the {} that Belay reads of an image; make it smaller", shown,
                bytes.size(), limits.max_file_bytes);
  }
  BELAY_TRY_ASSIGN(Decoded decoded, decode(bytes, shown, limits));
  return upright(std::move(decoded.image), decoded.orientation);
}

Result<Image> read_image(const std::filesystem::path& path, const ImageLimits& limits) {
  // Read, not mapped: an image may be replaced while it is decoded, and a mapping that loses its file is a
  // crash.
  BELAY_TRY_ASSIGN(const std::string bytes, read_file(path, limits.max_file_bytes, ErrorCode::kBadInput));
  return decode_image(std::as_bytes(std::span(bytes)), path.string(), limits);
}

}  // namespace belay::images
