// The compressed copy of a model's weights, as a run makes it that measured a gain.
#pragma once

#include "core/runtime/compression.hpp"
#include "tests/support/doctest.hpp"

#include <filesystem>

namespace belay::test {

inline std::filesystem::path make_compressed_copy(const std::filesystem::path& model,
                                                  const std::filesystem::path& folder) {
  const auto file = models::ModelFile::open(model);
  REQUIRE(file.ok());
  const auto built = models::build_model(*file, DType::kF32);
  REQUIRE(built.ok());
  const auto weights = runtime::compressible_weights(built->decoder.body, *file);
  const auto name = runtime::name_copy(weights, *file, folder);
  threading::Pool pool({.threads = 2, .pin = false});
  REQUIRE(runtime::make_copy(weights, name, "made by a test", pool, {}).ok());
  return name.path;
}

}  // namespace belay::test
