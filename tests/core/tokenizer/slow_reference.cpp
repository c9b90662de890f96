#include "tests/core/tokenizer/slow_reference.hpp"

#include "tests/core/tokenizer/goldens.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace belay::test {
namespace {

using Text = std::u32string;

// Characters outside ASCII by class, from Unicode's tables. U+017F folds to s; U+180E is no white space.
constexpr std::u32string_view kLetters = U"éÅÄßſñжЯ日本語한אع\U0001D400";
constexpr std::u32string_view kNumbers = U"½Ⅰ٤①५\U0001D7D8";
constexpr std::u32string_view kSpaces = U"\u0085\u00A0\u1680\u2003\u2028\u202F\u3000";
constexpr std::u32string_view kOthers = U"—“€\u180E\u200B\u20AC😀\u00AD";

bool in(std::u32string_view set, char32_t c) { return set.find(c) != std::u32string_view::npos; }
bool is_letter(char32_t c) { return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || in(kLetters, c); }
bool is_number(char32_t c) { return (c >= U'0' && c <= U'9') || in(kNumbers, c); }
bool is_space(char32_t c) { return c == U' ' || (c >= U'\t' && c <= U'\r') || in(kSpaces, c); }
bool is_break(char32_t c) { return c == U'\r' || c == U'\n'; }
bool is_other(char32_t c) { return !is_letter(c) && !is_number(c) && !is_space(c); }

// The text that is being cut, from where the next piece begins. Every alternative returns its length, 0 for
// no match.
struct Cut {
  const Text& text;
  std::size_t begin;

  [[nodiscard]] std::size_t left() const { return text.size() - begin; }
  [[nodiscard]] char32_t at(std::size_t i) const { return text[begin + i]; }
  template <class Class>
  [[nodiscard]] std::size_t run(std::size_t from, Class of_class) const {
    std::size_t end = from;
    while (end < left() && of_class(at(end))) ++end;
    return end - from;
  }
};

char32_t folded(char32_t c) {
  if (c == U'\u017F') return U's';
  return c >= U'A' && c <= U'Z' ? c + 32 : c;
}

std::size_t contraction(const Cut& cut, bool any_case) {
  for (const Text& form :
       {Text(U"'s"), Text(U"'t"), Text(U"'re"), Text(U"'ve"), Text(U"'m"), Text(U"'ll"), Text(U"'d")}) {
    if (cut.left() < form.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < form.size(); ++i)
      same = same && (any_case ? folded(cut.at(i)) : cut.at(i)) == form[i];
    if (same) return form.size();
  }
  return 0;
}

// " ?X+"
template <class Class>
std::size_t with_space(const Cut& cut, Class of_class) {
  const std::size_t space = cut.at(0) == U' ' ? 1 : 0;
  const std::size_t run = cut.run(space, of_class);
  return run > 0 ? space + run : 0;
}

// "\s+(?!\S)" and, failing that, "\s+"
std::size_t spaces(const Cut& cut) {
  const std::size_t run = cut.run(0, is_space);
  if (run == cut.left() || run <= 1) return run;
  return run - 1;
}

// "'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
std::size_t gpt2_piece(const Cut& cut) {
  if (const std::size_t n = contraction(cut, false)) return n;
  if (const std::size_t n = with_space(cut, is_letter)) return n;
  if (const std::size_t n = with_space(cut, is_number)) return n;
  if (const std::size_t n = with_space(cut, is_other)) return n;
  return spaces(cut);
}

// "\s*[\r\n]+": of the run of white space, everything up to its last break.
std::size_t spaces_to_break(const Cut& cut) {
  for (std::size_t n = cut.run(0, is_space); n > 0; --n) {
    if (is_break(cut.at(n - 1))) return n;
  }
  return 0;
}

std::size_t qwen_piece(const Cut& cut) {
  if (const std::size_t n = contraction(cut, true)) return n;
  const char32_t first = cut.at(0);
  if (is_letter(first)) return cut.run(0, is_letter);
  if (!is_break(first) && !is_number(first) && cut.left() > 1 && is_letter(cut.at(1)))
    return 1 + cut.run(1, is_letter);
  if (is_number(first)) return 1;
  if (const std::size_t n = with_space(cut, is_other)) return n + cut.run(n, is_break);
  if (const std::size_t n = spaces_to_break(cut)) return n;
  return spaces(cut);
}

template <class Piece>
void cut_all(const Text& text, Piece piece, std::vector<Text>& pieces) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t length = piece(Cut{text, begin});
    pieces.push_back(text.substr(begin, length));
    begin += length;
  }
}

// Every number alone, and GPT-2's expression on each part between them.
std::vector<Text> smollm_pieces(const Text& text) {
  std::vector<Text> pieces;
  Text part;
  for (const char32_t c : text) {
    if (!is_number(c)) {
      part += c;
      continue;
    }
    cut_all(part, gpt2_piece, pieces);
    part.clear();
    pieces.emplace_back(1, c);
  }
  cut_all(part, gpt2_piece, pieces);
  return pieces;
}

std::string mapped(unsigned char byte) {
  const auto printable = [](unsigned b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  };
  if (printable(byte)) return utf8(byte);
  unsigned before = 0;
  for (unsigned b = 0; b < byte; ++b) before += printable(b) ? 0 : 1;
  return utf8(256 + before);
}

}  // namespace

const Text& slow_alphabet() {
  static const Text all = Text(kLetters).append(kNumbers).append(kSpaces).append(kOthers);
  return all;
}

SlowTokenizer::SlowTokenizer(const tokenizer::TokenizerData& data) : pre_(data.pre) {
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    ids_[std::string(data.tokens[id])] = static_cast<std::int32_t>(id);
    const bool added = data.types[id] == tokenizer::TokenType::kControl ||
                       data.types[id] == tokenizer::TokenType::kUserDefined;
    if (added) added_[Text(data.tokens[id].begin(), data.tokens[id].end())] = static_cast<std::int32_t>(id);
  }
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    const std::string_view line = data.merges[rank];
    const std::size_t space = line.find(' ');
    ranks_[{std::string(line.substr(0, space)), std::string(line.substr(space + 1))}] = rank;
  }
}

std::vector<std::int32_t> SlowTokenizer::encode(const Text& text) const {
  std::vector<std::int32_t> ids;
  Text plain;
  for (std::size_t at = 0; at < text.size();) {
    const Text* longest = nullptr;
    for (const auto& [token, id] : added_) {
      if (text.compare(at, token.size(), token) == 0 &&
          (longest == nullptr || token.size() > longest->size()))
        longest = &token;
    }
    if (longest == nullptr) {
      plain += text[at++];
      continue;
    }
    encode_plain(plain, ids);
    plain.clear();
    ids.push_back(added_.at(*longest));
    at += longest->size();
  }
  encode_plain(plain, ids);
  return ids;
}

void SlowTokenizer::encode_plain(const Text& text, std::vector<std::int32_t>& ids) const {
  std::vector<Text> pieces;
  switch (pre_) {
    case tokenizer::PreTokenizerKind::kQwen2:
      cut_all(text, qwen_piece, pieces);
      break;
    case tokenizer::PreTokenizerKind::kGpt2:
      cut_all(text, gpt2_piece, pieces);
      break;
    case tokenizer::PreTokenizerKind::kSmollm:
      pieces = smollm_pieces(text);
      break;
  }
  for (const Text& piece : pieces) encode_piece(piece, ids);
}

void SlowTokenizer::encode_piece(const Text& piece, std::vector<std::int32_t>& ids) const {
  std::vector<std::string> symbols;
  for (const char32_t c : piece) {
    for (const char byte : utf8(c)) symbols.push_back(mapped(static_cast<unsigned char>(byte)));
  }
  while (true) {
    std::size_t best = std::numeric_limits<std::size_t>::max();
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks_.find({symbols[i], symbols[i + 1]});
      if (found == ranks_.end() || found->second >= best) continue;
      best = found->second;
      where = i;
    }
    if (best == std::numeric_limits<std::size_t>::max()) break;
    symbols[where] += symbols[where + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
  for (const std::string& symbol : symbols) ids.push_back(ids_.at(symbol));
}

}  // namespace belay::test
