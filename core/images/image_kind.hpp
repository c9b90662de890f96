// Tells picture and document formats apart by how their files begin. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace belay::images {

enum class ImageKind { kJpeg, kPng, kOther };

struct Recognised {
  ImageKind kind = ImageKind::kOther;
  std::string_view what;  // with its article, for example "a WebP image"; empty when nothing is recognised
};

[[nodiscard]] Recognised recognise(std::span<const std::byte> bytes);

}  // namespace belay::images
