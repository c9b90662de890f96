// What `belay eval` is asked for, beyond what every command knows: the text, how it is cut, and what the run
// is compared with.
#pragma once

#include "core/models/model_file.hpp"
#include "core/runtime/windows.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::host {

struct EvalText {
  std::string name;  // for messages
  std::vector<std::int32_t> ids;
  std::optional<std::int32_t> bos;  // what the model wants in front of a text; none in front of given ids
};

struct EvalSettings {
  std::optional<std::uint64_t> tokens;  // most of the text
  std::optional<std::uint64_t> context;
  std::optional<std::uint64_t> unscored;
  std::uint64_t repeat = 3;
  std::vector<std::string> off;  // full ids of optimizations
};

// kUsage for what is no number or list, and unless exactly one of --text and --ids is given.
[[nodiscard]] Result<EvalSettings> read_eval_settings(const Options& options);

// The options of the reference's run: the same with another level.
[[nodiscard]] Options reference_options(const Options& options);

// kUsage when the file cannot be read, kBadInput when it holds no text of this model.
[[nodiscard]] Result<EvalText> read_eval_text(const Options& options, const EvalSettings& settings,
                                              const models::ModelFile& model);

// kUsage for numbers that do not go together, kBadInput when the text is too short for them.
[[nodiscard]] Result<runtime::WindowRule> window_rule(const EvalSettings& settings, const EvalText& text,
                                                      std::uint64_t model_context);

}  // namespace belay::host
