// The orientation in EXIF data, and turning a picture by it. Pure; any thread.
#pragma once

#include "core/images/image.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace belay::images {

// The values of EXIF's tag 0x0112, by what brings the stored picture upright.
enum class Orientation : std::uint8_t {
  kUpright = 1,
  kMirror = 2,  // left to right
  kHalfTurn = 3,
  kFlip = 4,        // top to bottom
  kTranspose = 5,   // about the main diagonal
  kTurnRight = 6,   // a quarter turn clockwise
  kTransverse = 7,  // about the other diagonal
  kTurnLeft = 8,
};

// `tiff` starts at the byte order mark ("II" or "MM"). Data that is broken or says nothing of orientation is
// kUpright: a picture is not refused for its metadata.
[[nodiscard]] Orientation exif_orientation(std::span<const std::byte> tiff);

[[nodiscard]] Image upright(Image image, Orientation orientation);

}  // namespace belay::images
