#include "host/logits_dump.hpp"

#include "core/base/format.hpp"
#include "core/formats/safetensors_writer.hpp"
#include "core/images/preprocess.hpp"
#include "core/models/mrope.hpp"

#include <array>

namespace belay::host {
namespace {

using formats::SafetensorsWriter;

Status add_positions(SafetensorsWriter& writer, std::span<const std::int32_t> ids,
                     const LogitsDump::Images& images) {
  std::vector<models::TokenGrid> grids;
  for (const Picture& picture : images.pictures) grids.push_back(picture.grid.tokens());
  std::vector<std::int32_t> positions(models::kPositionAxes * ids.size());
  models::fill_positions(ids, images.token, grids, 0, positions);
  const std::vector<std::int64_t> wide(positions.begin(), positions.end());
  return writer.add("position_ids", std::array<std::uint64_t, 2>{models::kPositionAxes, ids.size()}, wide);
}

Status add_pixels(SafetensorsWriter& writer, std::span<const Picture> pictures) {
  std::vector<std::int64_t> grids;
  std::vector<float> pixels;
  std::uint64_t patches = 0;
  for (const Picture& picture : pictures) {
    grids.insert(grids.end(), {1, picture.grid.rows, picture.grid.columns});
    const std::vector<float> more = images::pixel_values(picture.image);
    pixels.insert(pixels.end(), more.begin(), more.end());
    patches += picture.grid.patches();
  }
  BELAY_TRY(writer.add("image_grid_thw", std::array<std::uint64_t, 2>{pictures.size(), 3}, grids));
  return writer.add("pixel_values", std::array<std::uint64_t, 2>{patches, pixels.size() / patches}, pixels);
}

// One level of all images: 0 is what was merged.
Status add_level(SafetensorsWriter& writer, std::size_t level, std::span<const runtime::ImageRows> images) {
  std::vector<float> values;
  std::uint64_t tokens = 0;
  for (const runtime::ImageRows& image : images) {
    values.insert(values.end(), image.levels[level].begin(), image.levels[level].end());
    tokens += image.grid.tokens();
  }
  const std::string name = level == 0 ? "vis_merged" : format("vis_deepstack_{}", level - 1);
  return writer.add(name, std::array<std::uint64_t, 2>{tokens, values.size() / tokens}, values);
}

Status add_images(SafetensorsWriter& writer, std::span<const std::int32_t> ids,
                  const LogitsDump::Images& images) {
  BELAY_TRY(add_positions(writer, ids, images));
  BELAY_TRY(add_pixels(writer, images.pictures));
  for (std::size_t level = 0; level < images.rows[0].levels.size(); ++level)
    BELAY_TRY(add_level(writer, level, images.rows));
  return {};
}

}  // namespace

Status LogitsDump::write(const std::filesystem::path& path, std::span<const std::int32_t> ids,
                         const Images& images) const {
  SafetensorsWriter writer;
  const std::vector<std::int64_t> wide(ids.begin(), ids.end());
  const std::array<std::uint64_t, 1> id_shape = {ids.size()};
  const std::array<std::uint64_t, 2> shape = {ids.size(), vocab_};
  BELAY_TRY(writer.add("input_ids", id_shape, wide));
  BELAY_TRY(writer.add("logits", shape, std::span(rows_).first(ids.size() * vocab_)));
  if (!images.rows.empty()) BELAY_TRY(add_images(writer, ids, images));
  return writer.write(path);
}

}  // namespace belay::host
