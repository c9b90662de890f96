// Byte-pair encoding of one piece of text: its bytes become tokens, and again and again the adjacent pair of
// lowest rank, leftmost on ties, becomes one. O(n log n) in the piece's bytes. Immutable after create; any
// thread with its own Scratch.
#pragma once

#include "core/base/status.hpp"
#include "core/tokenizer/token_table.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

class Bpe {
 public:
  struct Symbol {
    std::int32_t id;
    std::uint32_t rank;  // of the merge with the next symbol
    std::uint32_t previous;
    std::uint32_t next;
  };
  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> queue;
  };

  // Each merge is "left right", two texts of tokens that become the token with both; the earlier in the list,
  // the lower its rank. kBadInput when one is not that, names a text that is no token, or appears twice.
  [[nodiscard]] static Result<Bpe> create(const TokenTable& tokens, std::span<const std::string_view> merges);

  // Appends the ids of `piece`. A byte that the vocabulary has no token for is left out, as in the reference.
  void encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;

 private:
  struct Slot {
    std::uint64_t pair = kNoPair;
    std::uint32_t rank = 0;
    std::int32_t merged = 0;
  };
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  [[nodiscard]] Status add(std::uint64_t pair, std::uint32_t rank, std::int32_t merged);
  // The slot of a pair: the one that holds it, or the empty one where it belongs. Null after too many steps.
  [[nodiscard]] const Slot* probe(std::uint64_t pair) const;
  [[nodiscard]] const Slot* find(std::int32_t left, std::int32_t right) const;
  void queue_pair(Scratch& scratch, std::uint32_t at) const;
  void merge_with_next(Scratch& scratch, std::uint32_t at) const;

  std::array<std::int32_t, 256> byte_ids_{};  // -1 without a token
  std::vector<Slot> slots_;                   // a power of two, at most half full
};

}  // namespace belay::tokenizer
