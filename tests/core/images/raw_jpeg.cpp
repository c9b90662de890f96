#include "tests/core/images/raw_jpeg.hpp"

#include <jpeglib.h>

#include <cstdio>  // jpeglib.h needs it and does not include it
#include <cstdlib>

namespace belay::test {
namespace {

struct Colours {
  J_COLOR_SPACE given, stored;
  int components;
};

Colours colours_of(JpegColour colour) {
  switch (colour) {
    case JpegColour::kGray:
      return {JCS_GRAYSCALE, JCS_GRAYSCALE, 1};
    case JpegColour::kRgb:
      return {JCS_RGB, JCS_RGB, 3};
    case JpegColour::kYcc:
      return {JCS_RGB, JCS_YCbCr, 3};
    case JpegColour::kCmyk:
      return {JCS_CMYK, JCS_CMYK, 4};
    case JpegColour::kYcck:
      return {JCS_CMYK, JCS_YCCK, 4};
  }
  return {};
}

// All DC coefficients, then each AC coefficient of each component alone.
std::vector<jpeg_scan_info> one_scan_per_frequency(int components) {
  jpeg_scan_info dc = {components, {0, 1, 2, 3}, 0, 0, 0, 0};
  std::vector<jpeg_scan_info> scans = {dc};
  for (int component = 0; component < components; ++component) {
    for (int frequency = 1; frequency < DCTSIZE2; ++frequency) {
      scans.push_back({1, {component}, frequency, frequency, 0, 0});
    }
  }
  return scans;
}

}  // namespace

std::string encode_jpeg(images::Size size, std::span<const std::uint8_t> samples, const JpegRecipe& recipe) {
  const Colours colours = colours_of(recipe.colour);
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long out_bytes = 0;
  jpeg_mem_dest(&info, &out, &out_bytes);
  info.image_width = size.width;
  info.image_height = size.height;
  info.input_components = colours.components;
  info.in_color_space = colours.given;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, colours.stored);
  jpeg_set_quality(&info, 100, TRUE);
  for (int i = 0; i < info.num_components; ++i)
    info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;
  const auto scans = one_scan_per_frequency(colours.components);
  if (recipe.scans == JpegScans::kProgressive) jpeg_simple_progression(&info);
  if (recipe.scans == JpegScans::kOnePerFrequency) {
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&info, TRUE);
  if (!recipe.app1.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(recipe.app1.data()),
                      static_cast<unsigned>(recipe.app1.size()));
  }
  const std::size_t row_bytes = std::size_t{size.width} * static_cast<std::size_t>(colours.components);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(samples.data() + info.next_scanline * row_bytes);  // only read
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(out), out_bytes);
  jpeg_destroy_compress(&info);
  std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): jpeg_mem_dest's
  return bytes;
}

}  // namespace belay::test
