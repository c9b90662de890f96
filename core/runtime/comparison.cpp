#include "core/runtime/comparison.hpp"

#include "core/runtime/plan.hpp"

#include <algorithm>

namespace belay::runtime {
namespace {

constexpr std::uint64_t kMostKeptBytes = std::uint64_t{64} << 20U;

// Tokens of a piece: whole steps of the head, and no more than one of the body.
std::uint64_t piece_rows(std::uint64_t vocab_size) {
  const std::uint64_t steps = kMostKeptBytes / (vocab_size * sizeof(float) * kMostHeadRows);
  return std::clamp(kMostHeadRows * steps, kMostHeadRows, kMostChunk);
}

}  // namespace

std::uint64_t Comparison::kept_bytes(std::uint32_t vocab_size) {
  return piece_rows(vocab_size) * vocab_size * sizeof(float);
}

Result<Comparison> Comparison::create(Session& reference, Session& tested, std::uint32_t vocab_size) {
  Comparison comparison(reference, tested, vocab_size);
  BELAY_TRY_ASSIGN(comparison.kept_, memory::Buffer::allocate(kept_bytes(vocab_size), "logits to compare"));
  return comparison;
}

Status Comparison::add(std::span<const std::int32_t> window, std::size_t first) {
  reference_.rewind(0);
  tested_.rewind(0);
  BELAY_TRY(read(window.first(first - 1)));
  const std::size_t rows = piece_rows(vocab_size_);
  for (std::size_t at = first - 1; at + 1 < window.size(); at += rows) {
    const std::size_t count = std::min(rows, window.size() - 1 - at);
    BELAY_TRY(score(window.subspan(at, count), window.subspan(at + 1, count)));
  }
  return {};
}

Status Comparison::read(std::span<const std::int32_t> context) {
  if (context.empty()) return {};
  BELAY_TRY(reference_.feed(context));
  return tested_.feed(context);
}

// `next`: the token behind each of the piece.
Status Comparison::score(std::span<const std::int32_t> piece, std::span<const std::int32_t> next) {
  const auto kept = [&](std::size_t row) {
    return kept_.as<float>().subspan(row * vocab_size_, vocab_size_);
  };
  std::size_t row = 0;
  BELAY_TRY(reference_.feed(piece, [&](std::uint64_t, std::span<const float> logits) -> Status {
    std::ranges::copy(logits, kept(row++).begin());
    return {};
  }));
  row = 0;
  return tested_.feed(piece, [&](std::uint64_t, std::span<const float> logits) -> Status {
    scores_.push_back(score_token(kept(row), logits, static_cast<std::size_t>(next[row])));
    ++row;
    return {};
  });
}

}  // namespace belay::runtime
