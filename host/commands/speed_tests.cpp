#include "host/commands/speed_tests.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <span>

namespace belay::host {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Random tokens of the vocabulary.
class Tokens {
 public:
  explicit Tokens(std::uint32_t vocab) : vocab_(vocab) {}
  std::vector<std::int32_t> draw(std::uint64_t count) {
    std::vector<std::int32_t> ids(count);
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random_() % vocab_);
    return ids;
  }

 private:
  std::uint32_t vocab_;
  std::mt19937 random_{1};
};

Result<double> timed_speed(runtime::Session& session, std::span<const std::int32_t> ids, bool one_by_one) {
  const auto start = Clock::now();
  const std::size_t step = one_by_one ? 1 : ids.size();
  for (std::size_t at = 0; at < ids.size(); at += step) BELAY_TRY(session.feed(ids.subspan(at, step)));
  return static_cast<double>(ids.size()) / seconds_since(start);
}

Result<double> prefill_speed(runtime::Session& session, Tokens& tokens, const TextTests& tests) {
  session.rewind(0);
  return timed_speed(session, tokens.draw(tests.prefill), false);
}

Result<double> decode_speed(runtime::Session& session, Tokens& tokens, const TextTests& tests) {
  session.rewind(0);
  BELAY_TRY(session.feed(tokens.draw(tests.depth)));
  return timed_speed(session, tokens.draw(tests.decode), true);
}

Status measure_round(runtime::Session& session, Tokens& tokens, const TextTests& tests, TextSpeeds& speeds) {
  if (tests.prefill > 0) {
    BELAY_TRY_ASSIGN(const double speed, prefill_speed(session, tokens, tests));
    speeds.prefill.push_back(speed);
  }
  if (tests.decode > 0) {
    BELAY_TRY_ASSIGN(const double speed, decode_speed(session, tokens, tests));
    speeds.decode.push_back(speed);
  }
  return {};
}

}  // namespace

std::uint64_t TextTests::context() const { return std::max({prefill, depth + decode, std::uint64_t{1}}); }

Result<std::vector<TextSpeeds>> measure_text(std::span<runtime::Session* const> sessions, std::uint32_t vocab,
                                             const TextTests& tests, std::uint64_t rounds) {
  std::vector<Tokens> tokens(sessions.size(), Tokens(vocab));
  std::vector<TextSpeeds> speeds;
  for (std::uint64_t round = 0; round <= rounds; ++round) {
    if (round <= 1) speeds.assign(sessions.size(), {});
    for (std::size_t i = 0; i < sessions.size(); ++i)
      BELAY_TRY(measure_round(*sessions[i], tokens[i], tests, speeds[i]));
  }
  return speeds;
}

images::Image noise_image(images::Size size) {
  images::Image image = {"--image-size", size, std::vector<std::uint8_t>(3 * size.pixels())};
  std::mt19937 random(1);
  for (std::uint8_t& sample : image.rgb) sample = static_cast<std::uint8_t>(random() >> 24U);
  return image;
}

Result<std::vector<double>> measure_vision(runtime::VisionEncoder& encoder, const Picture& picture,
                                           std::uint64_t rounds) {
  std::vector<double> seconds;
  for (std::uint64_t round = 0; round <= rounds; ++round) {
    if (round == 1) seconds.clear();
    const auto start = Clock::now();
    BELAY_TRY(encoder.encode(picture.grid, picture.image.patches));
    seconds.push_back(seconds_since(start));
  }
  return seconds;
}

}  // namespace belay::host
