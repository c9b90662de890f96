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

// A merge by the ids of its tokens.
struct MergeRule {
  std::int32_t left;
  std::int32_t right;
  std::int32_t merged;
};

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
  static constexpr std::uint32_t kEmpty = ~std::uint32_t{0};

  // The slot of a pair: the one that holds its rank, or the empty one where it belongs. Null after too many
  // steps.
  [[nodiscard]] const std::uint32_t* probe(std::int32_t left, std::int32_t right) const;
  [[nodiscard]] Status add(const MergeRule& rule);
  // The rank of the merge of two tokens, kEmpty if there is none.
  [[nodiscard]] std::uint32_t rank_of(std::int32_t left, std::int32_t right) const;
  void queue_pair(Scratch& scratch, std::uint32_t at) const;
  void merge_with_next(Scratch& scratch, std::uint32_t at) const;

  std::array<std::int32_t, 256> byte_ids_{};  // -1 without a token
  std::vector<MergeRule> rules_;              // by rank
  std::vector<std::uint32_t> slots_;          // ranks by hash of the pair: a power of two, at most half full
};

}  // namespace belay::tokenizer
