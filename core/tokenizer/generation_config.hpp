// How a model's makers want it sampled: generation_config.json of a Hugging Face folder. Plain data; any
// thread.
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

// What the file leaves out, the reference sets to temperature 1, top-k 50, top-p 1, no min-p and penalty 1.
struct GenerationDefaults {
  std::vector<std::int32_t> ends;           // token ids that end an answer
  bool do_sample = false;                   // else greedy; the penalty counts either way
  std::optional<float> temperature;         // 0 to 100
  std::optional<std::int32_t> top_k;        // 0 (all) or more
  std::optional<float> top_p;               // above 0, at most 1 (all)
  std::optional<float> min_p;               // 0 (off) to 1
  std::optional<float> repetition_penalty;  // above 0, at most 10; 1: none
};

// Of the folder's generation_config.json; without one, nothing but greedy. kBadInput, naming file and key,
// for wrong types and numbers outside their range.
[[nodiscard]] Result<GenerationDefaults> read_generation_defaults(const std::filesystem::path& folder);

}  // namespace belay::tokenizer
