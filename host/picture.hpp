// The images of a prompt: from files to what the vision encoder takes, and how many tokens each becomes.
#pragma once

#include "core/base/status.hpp"
#include "core/images/preprocess.hpp"
#include "core/models/model_file.hpp"
#include "core/models/vision.hpp"
#include "core/runtime/vision_encoder.hpp"
#include "host/options.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace belay::host {

struct Picture {
  models::PatchGrid grid;
  images::PatchedImage image;
  [[nodiscard]] std::uint64_t tokens() const { return grid.tokens().tokens(); }
};

// How the model wants its images, with what --image-min-pixels and --image-max-pixels say. kBadInput, saying
// what to do, for a model that takes no images or lacks its vision part.
[[nodiscard]] Result<images::PreprocessConfig> preprocess_config(const Options& options,
                                                                 const models::ModelFile& model);

// One that is in memory. kBadInput naming it when it is too long and thin.
[[nodiscard]] Result<Picture> make_picture(const images::Image& image,
                                           const images::PreprocessConfig& config);

// Reads and prepares them in order. kBadInput naming the file.
[[nodiscard]] Result<std::vector<Picture>> read_pictures(std::span<const std::filesystem::path> paths,
                                                         const images::PreprocessConfig& config);

// Encodes them in order, with a line of progress for each.
[[nodiscard]] Result<std::vector<runtime::ImageRows>> encode_pictures(std::span<const Picture> pictures,
                                                                      runtime::VisionEncoder& encoder);

// The patches of the largest one; 0 without any.
[[nodiscard]] std::uint64_t most_patches(std::span<const Picture> pictures);
[[nodiscard]] std::uint64_t all_tokens(std::span<const Picture> pictures);

}  // namespace belay::host
