// Writes a model as GGUF: the decoder with its vocabulary, and the vision part as an mmproj file. Tensor by
// tensor: in memory are one tensor and what was made of it. One thread.
#pragma once

#include "core/base/status.hpp"
#include "core/models/model_file.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>

namespace belay::models {

struct ExportOptions {
  std::optional<DType> quantize = {};  // as ModelOptions
  std::size_t threads = 1;             // for that
  // Called before each tensor; may be empty.
  std::function<Status(std::size_t done, std::size_t total)> on_tensor = {};
};

// The files appear when they are whole; an error leaves what was there before. kOutOfMemory when the disk is
// full, kUsage when the path cannot be written, and what `on_tensor` returns.
[[nodiscard]] Status export_decoder(const ModelFile& model, const std::filesystem::path& path,
                                    const ExportOptions& options);
// Only for a model with a vision part.
[[nodiscard]] Status export_vision(const ModelFile& model, const std::filesystem::path& path,
                                   const ExportOptions& options);

}  // namespace belay::models
