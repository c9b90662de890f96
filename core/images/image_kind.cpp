#include "core/images/image_kind.hpp"

#include <algorithm>
#include <array>

namespace belay::images {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): magic numbers contain
                                            // zeros

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  ImageKind kind;
  std::string_view what;
};

constexpr std::array kMagics = {
    Magic{0, "\xFF\xD8\xFF"sv, ImageKind::kJpeg, "a JPEG image"},
    Magic{0, "\x89PNG\r\n\x1A\n"sv, ImageKind::kPng, "a PNG image"},
    Magic{0, "GIF8"sv, ImageKind::kOther, "a GIF image"},
    Magic{8, "WEBP"sv, ImageKind::kOther, "a WebP image"},
    Magic{0, "BM"sv, ImageKind::kOther, "a BMP image"},
    Magic{0, "II*\0"sv, ImageKind::kOther, "a TIFF image"},
    Magic{0, "MM\0*"sv, ImageKind::kOther, "a TIFF image"},
    Magic{4, "ftypavif"sv, ImageKind::kOther, "an AVIF image"},
    Magic{4, "ftypavis"sv, ImageKind::kOther, "an AVIF image"},
    Magic{4, "ftyphe"sv, ImageKind::kOther, "a HEIC image"},
    Magic{4, "ftypmif1"sv, ImageKind::kOther, "a HEIF image"},
    Magic{4, "ftypmsf1"sv, ImageKind::kOther, "a HEIF image"},
    Magic{4, "ftyp"sv, ImageKind::kOther, "a video"},
    Magic{0, "\xFF\x0A"sv, ImageKind::kOther, "a JPEG XL image"},
    Magic{4, "JXL \r\n"sv, ImageKind::kOther, "a JPEG XL image"},
    Magic{4, "jP  \r\n"sv, ImageKind::kOther, "a JPEG 2000 image"},
    Magic{0, "8BPS"sv, ImageKind::kOther, "a Photoshop image"},
    Magic{0, "\0\0\1\0"sv, ImageKind::kOther, "an icon"},
    Magic{0, "%PDF-"sv, ImageKind::kOther, "a PDF document"},
};

// SVG is text: a declaration, comments and spaces may come before its root element.
bool is_svg(std::string_view text) {
  constexpr std::size_t kLookedAt = 1024;
  const std::size_t start = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != std::string_view::npos && text[start] == '<' &&
         text.substr(0, kLookedAt).find("<svg") != std::string_view::npos;
}

}  // namespace

Recognised recognise(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto* found = std::find_if(kMagics.begin(), kMagics.end(), [text](const Magic& magic) {
    return text.size() >= magic.offset && text.substr(magic.offset).starts_with(magic.bytes);
  });
  if (found != kMagics.end()) return {found->kind, found->what};
  return {ImageKind::kOther, is_svg(text) ? "an SVG drawing" : ""};
}

}  // namespace belay::images
