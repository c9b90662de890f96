#include "host/picture.hpp"

#include "core/base/format.hpp"
#include "core/images/image_file.hpp"
#include "host/console.hpp"
#include "host/settings.hpp"

#include <algorithm>

namespace belay::host {

Result<images::PreprocessConfig> preprocess_config(const Options& options, const models::ModelFile& model) {
  if (!model.config().takes_images) {
    return fail(ErrorCode::kBadInput,
                "{}: a model of architecture {} takes no images; leave the image out or take a vision model",
                model.name(), model.config().architecture);
  }
  if (!model.vision()) {
    return fail(ErrorCode::kBadInput,
                "{}: the model's vision part is a file of its own; give it with --mmproj", model.name());
  }
  images::PreprocessConfig config = model.vision()->preprocess;
  constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 32U;
  BELAY_TRY_ASSIGN(const auto least, read_integer(options, {"image-min-pixels", 1, kMostPixels}));
  BELAY_TRY_ASSIGN(const auto most, read_integer(options, {"image-max-pixels", 1, kMostPixels}));
  config.limits.min_pixels = least.value_or(config.limits.min_pixels);
  config.limits.max_pixels = most.value_or(config.limits.max_pixels);
  // One bound given alone moves the other along, so that asking for small or large images is one option.
  if (!most) config.limits.max_pixels = std::max(config.limits.max_pixels, config.limits.min_pixels);
  if (!least) config.limits.min_pixels = std::min(config.limits.min_pixels, config.limits.max_pixels);
  const Status valid = images::validate(config);
  if (valid.ok()) return config;
  return fail(ErrorCode::kUsage, "--image-min-pixels, --image-max-pixels: {}", valid.error().message);
}

Result<Picture> make_picture(const images::Image& image, const images::PreprocessConfig& config) {
  BELAY_TRY_ASSIGN(images::PatchedImage patched, images::preprocess(image, config));
  const models::PatchGrid grid = {patched.grid_h, patched.grid_w};
  return Picture{grid, std::move(patched)};
}

Result<std::vector<Picture>> read_pictures(std::span<const std::filesystem::path> paths,
                                           const images::PreprocessConfig& config) {
  std::vector<Picture> pictures;
  for (const std::filesystem::path& path : paths) {
    progress(format("reading {}", path.filename().string()));
    BELAY_TRY_ASSIGN(const images::Image image, images::read_image(path));
    BELAY_TRY_ASSIGN(Picture picture, make_picture(image, config));
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

Result<std::vector<runtime::ImageRows>> encode_pictures(std::span<const Picture> pictures,
                                                        runtime::VisionEncoder& encoder) {
  std::vector<runtime::ImageRows> rows;
  for (const Picture& picture : pictures) {
    progress(format("encoding image {} of {}, {} patches", rows.size() + 1, pictures.size(),
                    picture.grid.patches()));
    BELAY_TRY_ASSIGN(runtime::ImageRows encoded, encoder.encode(picture.grid, picture.image.patches));
    rows.push_back(std::move(encoded));
  }
  return rows;
}

std::uint64_t most_patches(std::span<const Picture> pictures) {
  std::uint64_t most = 0;
  for (const Picture& picture : pictures) most = std::max(most, picture.grid.patches());
  return most;
}

std::uint64_t all_tokens(std::span<const Picture> pictures) {
  std::uint64_t tokens = 0;
  for (const Picture& picture : pictures) tokens += picture.tokens();
  return tokens;
}

}  // namespace belay::host
