// Two sessions of the same model that read the same text side by side, so that of the logits of both only
// those of a short piece exist at a time. One thread; both sessions outlive it.
#pragma once

#include "core/memory/buffer.hpp"
#include "core/runtime/accuracy.hpp"
#include "core/runtime/session.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace belay::runtime {

class Comparison {
 public:
  // Both sessions have the same vocabulary of `vocab_size` tokens.
  [[nodiscard]] static Result<Comparison> create(Session& reference, Session& tested,
                                                 std::uint32_t vocab_size);

  // Reads a window from empty caches and scores its tokens from place `first` (at least 1) on. What a
  // session fails with; the scores of what came before stay.
  [[nodiscard]] Status add(std::span<const std::int32_t> window, std::size_t first);

  [[nodiscard]] std::span<const TokenScore> scores() const { return scores_; }

  // Bytes of logits that it keeps.
  [[nodiscard]] static std::uint64_t kept_bytes(std::uint32_t vocab_size);

 private:
  Comparison(Session& reference, Session& tested, std::uint32_t vocab_size)
      : reference_(reference), tested_(tested), vocab_size_(vocab_size) {}
  [[nodiscard]] Status read(std::span<const std::int32_t> context);
  [[nodiscard]] Status score(std::span<const std::int32_t> piece, std::span<const std::int32_t> next);

  Session& reference_;
  Session& tested_;
  std::size_t vocab_size_;
  memory::Buffer kept_;  // (rows, vocab): the reference's logits of a piece
  std::vector<TokenScore> scores_;
};

}  // namespace belay::runtime
