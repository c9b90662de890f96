// JPEG through libjpeg-turbo. libjpeg leaves an error by longjmp, so it is called only from `guarded`, and
// nothing between a `guarded` and the call needs a destructor.
#include "core/base/format.hpp"
#include "core/images/codec.hpp"

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it and does not include it
#include <cstring>
#include <utility>

namespace belay::images {
namespace {

// A progressive file of a few hundred bytes can ask for thousands of passes over all its pixels. Real ones
// have ten to thirty scans.
constexpr int kMaxScans = 100;
constexpr int kTooManyScans = -1;  // a code of ours among libjpeg's
constexpr std::string_view kExifHead("Exif\0\0", 6);

// Warnings after which every pixel is still what the file says. All others stand for pixels that are made up.
bool is_harmless(int code) {
  return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
         code == JWRN_NOT_SEQUENTIAL;
}

// What libjpeg keeps for a whole picture: coefficients of 2 bytes in up to four planes, whose sides are
// filled up to 32.
long memory_limit(Size size) {
  constexpr std::uint64_t kBytesPerPixel = 8;
  constexpr std::uint64_t kForMargins = std::uint64_t{64} << 20U;
  return static_cast<long>(size.pixels() * kBytesPerPixel +
                           kForMargins);  // at most 2^32 pixels: JPEG's own limit
}

class Decoder {
 public:
  explicit Decoder(std::string_view name) : name_(name) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { self(info).give_up(info->err->msg_code); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0 && !is_harmless(info->err->msg_code)) self(info).give_up(info->err->msg_code);
    };
    progress_.progress_monitor = [](j_common_ptr info) {
      if (self(info).info_.input_scan_number > kMaxScans) self(info).give_up(kTooManyScans);
    };
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  Result<Decoded> decode(std::span<const std::byte> bytes, const ImageLimits& limits);

 private:
  static Decoder& self(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }
  [[noreturn]] void give_up(int code);
  // False when libjpeg gave up in `call`; `refusal` says why.
  template <class Call>
  bool guarded(const Call& call) {
    if (setjmp(back_) != 0) return false;  // NOLINT(cert-err52-cpp): libjpeg's way
    call();
    return true;
  }
  [[nodiscard]] Error refusal() const;

  void read_header(std::span<const std::byte> bytes);
  void read_pixels(std::uint8_t* rgb, std::uint8_t* cmyk_row);
  [[nodiscard]] Orientation orientation() const;

  std::string_view name_;
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf back_ = {};
  int code_ = 0;
  char text_[JMSG_LENGTH_MAX] = {};
};

void Decoder::give_up(int code) {
  code_ = code;
  if (code != kTooManyScans) errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text_);
  std::longjmp(back_, 1);  // NOLINT(cert-err52-cpp)
}

Error Decoder::refusal() const {
  switch (code_) {
    case kTooManyScans:
      return fail(ErrorCode::kBadInput, "{}: a JPEG file of more than {} scans; save it as an ordinary JPEG",
                  name_, kMaxScans);
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:  // the limit that was set
      return fail(ErrorCode::kOutOfMemory, "{}: no memory to decode it; make the image smaller", name_);
    case JWRN_JPEG_EOF:
      return fail(ErrorCode::kBadInput,
                  "{}: the JPEG file ends before the image does; fetch or export it again", name_);
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
      return fail(ErrorCode::kBadInput,
                  "{}: a JPEG file of a kind that Belay does not read ({}); save it as PNG", name_, text_);
    default:
      return fail(ErrorCode::kBadInput, "{}: a broken JPEG file ({}); fetch or export it again", name_,
                  text_);
  }
}

void Decoder::read_header(std::span<const std::byte> bytes) {
  jpeg_create_decompress(&info_);
  info_.progress = &progress_;
  jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
  jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info_, TRUE);
}

Orientation Decoder::orientation() const {
  for (jpeg_saved_marker_ptr marker = info_.marker_list; marker != nullptr; marker = marker->next) {
    const auto data = std::as_bytes(std::span(marker->data, marker->data_length));
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    if (text.starts_with(kExifHead)) return exif_orientation(data.subspan(kExifHead.size()));
  }
  return Orientation::kUpright;
}

// a·b/255, rounded.
unsigned product(unsigned a, unsigned b) { return (a * b + 127) / 255; }

// Files store the light that each ink lets through (255 is no ink): Adobe's way, which the reference assumes
// of all of them.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, std::size_t width) {
  for (std::size_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const unsigned light = cmyk[3];
    for (std::size_t c = 0; c < 3; ++c)
      rgb[c] = static_cast<std::uint8_t>(light - product(255U - cmyk[c], light));
  }
}

void Decoder::read_pixels(std::uint8_t* rgb, std::uint8_t* cmyk_row) {
  jpeg_start_decompress(&info_);
  while (info_.output_scanline < info_.output_height) {
    JSAMPROW row = cmyk_row != nullptr ? cmyk_row : rgb;
    jpeg_read_scanlines(&info_, &row, 1);
    if (cmyk_row != nullptr) cmyk_to_rgb(cmyk_row, rgb, info_.output_width);
    rgb += std::size_t{3} * info_.output_width;
  }
  jpeg_finish_decompress(&info_);  // reads to the end mark
}

Result<Decoded> Decoder::decode(std::span<const std::byte> bytes, const ImageLimits& limits) {
  if (!guarded([&] { read_header(bytes); })) return refusal();
  const Size size{info_.image_height, info_.image_width};
  BELAY_TRY(check_size(size, name_, limits));
  info_.mem->max_memory_to_use = memory_limit(size);
  const bool cmyk = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
  info_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  Decoded decoded{{std::string(name_), size, std::vector<std::uint8_t>(size.pixels() * 3)}, orientation()};
  std::vector<std::uint8_t> cmyk_row(cmyk ? std::size_t{4} * size.width : 0);
  if (!guarded([&] { read_pixels(decoded.image.rgb.data(), cmyk ? cmyk_row.data() : nullptr); }))
    return refusal();
  return decoded;
}

}  // namespace

Result<Decoded> decode_jpeg(std::span<const std::byte> bytes, std::string_view name,
                            const ImageLimits& limits) {
  Decoder decoder(name);
  return decoder.decode(bytes, limits);
}

}  // namespace belay::images
