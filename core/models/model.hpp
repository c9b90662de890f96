// What a model computes: the graphs of its decoder, and of its vision encoder where the file has one.
#pragma once

#include "core/models/decoder.hpp"
#include "core/models/model_file.hpp"
#include "core/models/vision.hpp"

#include <optional>

namespace belay::models {

struct Model {
  Decoder decoder;
  std::optional<Vision> vision;
};

// The graphs point into `file`, which must outlive them. `cache` is the type of keys and values.
[[nodiscard]] Result<Model> build_model(const ModelFile& file, DType cache);

}  // namespace belay::models
