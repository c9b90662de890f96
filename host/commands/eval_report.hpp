// What `belay eval` found, for people and for programs.
#pragma once

#include "core/base/json.hpp"
#include "core/dispatch/failure.hpp"
#include "core/runtime/accuracy.hpp"
#include "core/runtime/windows.hpp"
#include "host/commands/speed_tests.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::host {

// One of the two runs.
struct EvalSide {
  std::string level;
  std::vector<std::string> optimizations;
  std::vector<std::string> plugins;  // that did the work
  std::vector<dispatch::Fallback> fallbacks;
  std::uint64_t planned_bytes = 0;
  TextSpeeds speeds;
};

struct EvalReport {
  std::string model;
  std::uint64_t text_tokens = 0;
  std::uint64_t left_out = 0;  // of these, at the end: too few for a window
  std::uint64_t windows = 0;
  runtime::WindowRule rule;
  TextTests tests;
  runtime::Accuracy accuracy;
  EvalSide reference;
  EvalSide tested;
  std::uint32_t threads = 0;
  std::optional<std::uint64_t> peak_rss_bytes;  // of both runs together
};

// belay.eval/1
[[nodiscard]] Json eval_json(const EvalReport& report);

[[nodiscard]] std::string eval_text(const EvalReport& report);

}  // namespace belay::host
