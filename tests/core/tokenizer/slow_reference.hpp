// A second tokenizer, written from the description of the algorithm alone and as naive as it goes:
// expressions matched by hand over code points of a small alphabet, added tokens tried one by one, merges
// found by looking at every pair.
#pragma once

#include "core/tokenizer/tokenizer.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace belay::test {

// The characters it knows.
[[nodiscard]] const std::u32string& slow_alphabet();

class SlowTokenizer {
 public:
  explicit SlowTokenizer(const tokenizer::TokenizerData& data);

  // `text` holds characters of the alphabet and ASCII only.
  [[nodiscard]] std::vector<std::int32_t> encode(const std::u32string& text) const;

 private:
  void encode_plain(const std::u32string& text, std::vector<std::int32_t>& ids) const;
  void encode_piece(const std::u32string& piece, std::vector<std::int32_t>& ids) const;

  tokenizer::PreTokenizerKind pre_;
  std::map<std::string, std::int32_t> ids_;
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
  std::map<std::u32string, std::int32_t> added_;
};

}  // namespace belay::test
