// What belay bench measures, round after round: one round more than asked, the first of which warms up and
// does not count. One thread at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/images/image.hpp"
#include "core/runtime/session.hpp"
#include "core/runtime/vision_encoder.hpp"
#include "host/picture.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace belay::host {

// Tokens of each test; 0: none.
struct TextTests {
  std::uint64_t prefill = 512;
  std::uint64_t decode = 128;
  std::uint64_t depth = 1;  // in the context before decoding, at least 1

  [[nodiscard]] std::uint64_t context() const;  // positions that they need
};

// Tokens a second, of each round.
struct TextSpeeds {
  std::vector<double> prefill;
  std::vector<double> decode;
};

// Over random tokens, the same in every run. Several sessions of one vocabulary take turns in each round, so
// that a slow minute hits all of them. What a session fails with.
[[nodiscard]] Result<std::vector<TextSpeeds>> measure_text(std::span<runtime::Session* const> sessions,
                                                           std::uint32_t vocab, const TextTests& tests,
                                                           std::uint64_t rounds);

// A picture of noise, the same in every run.
[[nodiscard]] images::Image noise_image(images::Size size);

// Seconds to encode it, of each round. What the encoder fails with.
[[nodiscard]] Result<std::vector<double>> measure_vision(runtime::VisionEncoder& encoder,
                                                         const Picture& picture, std::uint64_t rounds);

}  // namespace belay::host
