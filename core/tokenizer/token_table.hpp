// The texts of a vocabulary, as the model file has them, and the way from a text to its id. Owns a copy of
// the texts. Immutable after create; any thread.
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

class TokenTable {
 public:
  // kBadInput when a text appears twice or the vocabulary is larger than 2^24 tokens or 1 GiB. Empty texts
  // keep their id but are not found.
  [[nodiscard]] static Result<TokenTable> create(std::span<const std::string_view> texts);

  [[nodiscard]] std::size_t size() const { return starts_.size() - 1; }
  // `id` must be below size().
  [[nodiscard]] std::string_view text(std::int32_t id) const {
    const auto at = static_cast<std::size_t>(id);
    return std::string_view(texts_).substr(starts_[at], starts_[at + 1] - starts_[at]);
  }
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view wanted) const;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;  // empty slot
  };

  // The slot of a text: the one that holds it, or the empty one where it belongs. Null after too many steps.
  [[nodiscard]] const Slot* probe(std::string_view wanted, std::uint64_t hash) const;

  std::string texts_;
  std::vector<std::uint32_t> starts_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace belay::tokenizer
