// The logits of a run, kept for `--dump`: a safetensors file with input_ids i64 [positions] and logits f32
// [positions, vocab]; with images also position_ids i64 [3, positions], image_grid_thw i64 [images, 3],
// pixel_values f32 [patches, 1536], vis_merged and vis_deepstack_I f32 [image tokens, width].
#pragma once

#include "core/base/status.hpp"
#include "core/runtime/image_rows.hpp"
#include "host/picture.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace belay::host {

class LogitsDump {
 public:
  // The row behind the next position.
  [[nodiscard]] Status add(std::span<const float> row) {
    rows_.insert(rows_.end(), row.begin(), row.end());
    vocab_ = row.size();
    return {};
  }
  // What stood in the prompt for its images.
  struct Images {
    std::int32_t token = -1;
    std::span<const Picture> pictures;
    std::span<const runtime::ImageRows> rows;
  };
  // `ids`: the token at each position; rows beyond them are dropped (a step that was interrupted).
  [[nodiscard]] Status write(const std::filesystem::path& path, std::span<const std::int32_t> ids,
                             const Images& images) const;

 private:
  std::vector<float> rows_;
  std::size_t vocab_ = 0;
};

}  // namespace belay::host
