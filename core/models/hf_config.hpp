// The hyperparameters of a Hugging Face folder: config.json, and preprocessor_config.json for images.
#pragma once

#include "core/base/status.hpp"
#include "core/models/config.hpp"
#include "core/models/vision_config.hpp"

#include <filesystem>
#include <optional>

namespace belay::models {

struct HfConfig {
  DecoderConfig decoder;  // the size of the vocabulary is left to the embedding table
  std::optional<VisionConfig> vision;
  bool tied = false;  // the output layer is the embedding table, whatever else the files hold
};

// kBadInput, naming file and key: an architecture or a variant of one that Belay does not run, values of a
// wrong type, or values that make no model.
[[nodiscard]] Result<HfConfig> read_hf_config(const std::filesystem::path& folder);

}  // namespace belay::models
