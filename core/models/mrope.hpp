// Where tokens and pictures stand: Qwen3-VL's positions have three axes (time, height, width). Text moves all
// three along; the tokens of a picture share one time and spread over height and width. Pure.
// Source: transformers, Qwen3VLModel.get_rope_index.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace belay::models {

inline constexpr std::size_t kPositionAxes = 3;

// The tokens of one picture: rows times columns of them, row by row.
struct TokenGrid {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  [[nodiscard]] std::uint64_t tokens() const { return std::uint64_t{rows} * columns; }
};

// Fills positions[axis * count + i], count = tokens.size(), for tokens of which each run of `image_token` is
// a picture of `grids`, in order; `start` is the position of the first token. Returns the position behind the
// last one. The runs must be as long as their grids.
std::int32_t fill_positions(std::span<const std::int32_t> tokens, std::int32_t image_token,
                            std::span<const TokenGrid> grids, std::int32_t start,
                            std::span<std::int32_t> positions);

}  // namespace belay::models
