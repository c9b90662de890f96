// The token loop: prompt in, tokens out.
#pragma once

#include "core/runtime/sampler.hpp"
#include "core/runtime/session.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace belay::runtime {

enum class Finish { kStop, kLength, kInterrupted, kDeadline };

// "stop", "length", "interrupted" (also for a deadline)
[[nodiscard]] std::string_view to_string(Finish finish);

struct GenerationRequest {
  std::span<const std::int32_t> prompt;  // at least one token
  std::uint64_t max_tokens = 0;
  bool ignore_end = false;        // go on after an end token
  std::int32_t image_token = -1;  // as in MixedTokens
  std::span<const ImageRows> images = {};
};

struct Generation {
  std::vector<std::int32_t> tokens;  // with the end token, if one ended it
  Finish finish = Finish::kLength;
  double prefill_s = 0;
  double decode_s = 0;  // of the tokens behind the first
};

struct GenerationHooks {
  std::function<bool(std::int32_t)> is_end;         // ends the text
  std::function<void(std::int32_t)> on_token = {};  // each token as it is committed, end tokens too
  LogitsSink on_logits = {};  // every prompt position, then every generated one but the last
};

// Whether an error is what the user asked for: an interruption or a deadline, which becomes the finish.
bool asked_for(const Error& error, Finish& finish);

// Feeds the prompt and then samples and feeds token by token. An interruption or a deadline is a finish, not
// an error.
[[nodiscard]] Result<Generation> generate(Session& session, Sampler& sampler,
                                          const GenerationRequest& request, const GenerationHooks& hooks);

}  // namespace belay::runtime
