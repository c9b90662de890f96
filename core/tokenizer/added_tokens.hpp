// The added tokens of a vocabulary: texts such as <|im_start|> that are cut out of the raw text before
// anything else. Immutable after create; any thread.
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

struct AddedToken {
  std::string text;
  std::int32_t id = 0;
};

class AddedTokens {
 public:
  struct Match {
    std::size_t at = 0;
    std::size_t length = 0;
    std::int32_t id = 0;
  };

  // kBadInput for a text that is not UTF-8 or longer than 256 bytes (a search costs up to that per byte of
  // text). Empty texts are left out.
  [[nodiscard]] static Result<AddedTokens> create(std::vector<AddedToken> tokens);

  // The leftmost added token at or behind `from`, the longest of those that begin there.
  [[nodiscard]] std::optional<Match> next(std::string_view text, std::size_t from) const;

 private:
  [[nodiscard]] std::optional<Match> longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;  // sorted by text
  std::string first_bytes_;         // each first byte of a token once
};

}  // namespace belay::tokenizer
