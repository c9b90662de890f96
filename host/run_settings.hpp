// What `belay run` is asked for, beyond what every command knows: how much to generate and how to sample it.
#pragma once

#include "core/runtime/sampler.hpp"
#include "core/tokenizer/generation_config.hpp"
#include "host/json_output.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace belay::host {

struct RunSettings {
  std::uint64_t max_tokens = 256;
  bool raw = false;
  bool ignore_end = false;
  bool explain = false;
  bool quiet = false;
  std::optional<std::filesystem::path> dump;
};

[[nodiscard]] Result<RunSettings> read_run_settings(const Options& options);

// What the options say of sampling, and for the rest how the model's makers want it; greedy when they say
// nothing.
[[nodiscard]] Result<runtime::SamplingOptions> read_sampling(const Options& options,
                                                             const tokenizer::GenerationDefaults& defaults);

[[nodiscard]] Json to_json(const runtime::SamplingOptions& sampling);

}  // namespace belay::host
