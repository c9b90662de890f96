// Qwen3-VL's vision encoder as a graph: from the patches of one image to the rows that the decoder takes in
// their place. Source of every formula: transformers, Qwen3VLVisionModel.
#pragma once

#include "core/base/status.hpp"
#include "core/graph/graph.hpp"
#include "core/models/mrope.hpp"
#include "core/models/tensors.hpp"
#include "core/models/vision_config.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace belay::models {

// The learned positions in a model's tensors, f32 (table_side^2, width).
inline constexpr std::string_view kPositionTable = "v.position_embd.weight";

// An image cut into patches: rows x columns of them, both even.
struct PatchGrid {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  [[nodiscard]] std::uint64_t patches() const { return std::uint64_t{rows} * columns; }
  [[nodiscard]] TokenGrid tokens() const { return {rows / kMergeSide, columns / kMergeSide}; }
};

// Movable; the graph points into `wavelengths` and into the tensors that it was built from.
struct Vision {
  VisionConfig config;
  std::vector<float> wavelengths;  // of the pairs that rotate: (head_dim / 2)
  // Inputs, for the P patches of one image in the order of their tokens, each a 2 x 2 block of patches:
  // patches f32 (P, 768); position_rows f32 (P, width); coordinates i32 (2, P). Outputs f32 (P/4,
  // output_width): the merged rows, then those of each deepstack level.
  graph::Graph graph;
};

[[nodiscard]] Result<Vision> build_vision(const VisionConfig& config, const Tensors& tensors,
                                          std::string_view name);

// Row and column of each patch, as the graph wants them: (2, P).
[[nodiscard]] std::vector<std::int32_t> patch_coordinates(const PatchGrid& grid);

// The learned positions, a table f32 (side * side, width), stretched over the grid: bilinear, corner to
// corner. (P, width)
[[nodiscard]] std::vector<float> position_rows(std::span<const float> table, std::uint32_t side,
                                               std::uint32_t width, const PatchGrid& grid);

}  // namespace belay::models
