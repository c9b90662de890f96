// The steps in front of byte-pair encoding, and the one behind it.
#include "core/base/text.hpp"

#include "core/tokenizer/added_tokens.hpp"
#include "core/tokenizer/normalize.hpp"
#include "core/tokenizer/pretokenize.hpp"
#include "core/tokenizer/utf8_stream.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

#include <random>

namespace belay::test {
namespace {

using tokenizer::PreTokenizer;
using tokenizer::PreTokenizerKind;
using Pieces = std::vector<std::string>;

Pieces pieces_of(const PreTokenizer& pre, std::string_view text) {
  Pieces pieces;
  const Status status = pre.split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  REQUIRE(status.ok());
  return pieces;
}

PreTokenizer make(PreTokenizerKind kind, bool use_jit = true) {
  auto pre = PreTokenizer::create(kind, use_jit);
  REQUIRE(pre.ok());
  return *std::move(pre);
}

std::string nfc(std::string_view text) {
  auto composed = tokenizer::normalize_nfc(text);
  REQUIRE(composed.ok());
  return *std::move(composed);
}

std::string stream(std::initializer_list<std::string_view> parts) {
  tokenizer::Utf8Stream decoder;
  std::string text;
  for (const std::string_view part : parts) text += decoder.feed(part);
  return text + decoder.flush();
}

}  // namespace

TEST_CASE("smollm cuts numbers out first and looks ahead only within the rest") {
  const PreTokenizer pre = make(PreTokenizerKind::kSmollm);
  CHECK(pieces_of(pre, "a  b 12") == Pieces{"a", " ", " b", " ", "1", "2"});
  CHECK(pieces_of(pre, "x  7") == Pieces{"x", "  ", "7"});
  CHECK(pieces_of(pre, "I'm don'T \n end") == Pieces{"I", "'m", " don", "'", "T", " \n", " end"});
  CHECK(pieces_of(pre, "½Ⅰ٤①") == Pieces{"½", "Ⅰ", "٤", "①"});
  CHECK(pieces_of(pre, "").empty());
}

TEST_CASE("qwen2 keeps one sign with a word and breaks with what is before them") {
  const PreTokenizer pre = make(PreTokenizerKind::kQwen2);
  CHECK(pieces_of(pre, "(a) #tag") == Pieces{"(a", ")", " #", "tag"});
  CHECK(pieces_of(pre, "I'M it\u017F'\u017F") == Pieces{"I", "'M", " it\u017F", "'\u017F"});
  CHECK(pieces_of(pre, "x!\n\ny  \n  z") == Pieces{"x", "!\n\n", "y", "  \n", " ", " z"});
}

TEST_CASE("gpt-2 keeps numbers together and looks ahead over them") {
  const PreTokenizer pre = make(PreTokenizerKind::kGpt2);
  CHECK(pieces_of(pre, "a  b 12x") == Pieces{"a", " ", " b", " 12", "x"});
  CHECK(pieces_of(pre, "x  7 ½٤") == Pieces{"x", " ", " 7", " ½٤"});
  CHECK(pieces_of(pre, "I'm don'T \n end ") == Pieces{"I", "'m", " don", "'", "T", " \n", " end", " "});
}

TEST_CASE("U+180E is no white space, unlike PCRE2's own class") {
  for (const PreTokenizerKind kind :
       {PreTokenizerKind::kSmollm, PreTokenizerKind::kQwen2, PreTokenizerKind::kGpt2}) {
    CHECK(pieces_of(make(kind), " \u180E.") == Pieces{" \u180E."});
  }
}

TEST_CASE("the interpreter cuts as the compiled expression does, and nothing is lost") {
  std::mt19937_64 random(5);
  const std::u32string alphabet = U"aZé日'sdt 1½\t\n\r\u00A0\u2003.-!😀\u0301\u180E";
  for (const PreTokenizerKind kind :
       {PreTokenizerKind::kSmollm, PreTokenizerKind::kQwen2, PreTokenizerKind::kGpt2}) {
    const PreTokenizer compiled = make(kind);
    const PreTokenizer interpreted = make(kind, false);
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      for (std::uint64_t n = random() % 20; n > 0; --n) text += utf8(alphabet[random() % alphabet.size()]);
      CAPTURE(printable(text, 400));
      const Pieces pieces = pieces_of(compiled, text);
      CHECK(pieces == pieces_of(interpreted, text));
      std::string joined;
      for (const std::string& piece : pieces) joined += piece;
      CHECK(joined == text);
    }
  }
}

TEST_CASE("an unknown pre-tokenizer is refused with the names that are known") {
  const auto kind = tokenizer::pre_tokenizer_named("llama-bpe\x01");
  REQUIRE_FALSE(kind.ok());
  CHECK(kind.error().code == ErrorCode::kBadInput);
  CHECK(kind.error().message.find("\"llama-bpe\\x01\"") != std::string::npos);
  CHECK(kind.error().message.find("smollm, qwen2, gpt-2") != std::string::npos);
}

TEST_CASE("normalisation composes canonically") {
  CHECK(nfc("plain \u00E9") == "plain \u00E9");
  CHECK(nfc("e\u0301") == "\u00E9");
  CHECK(nfc("\u212B A\u030A") == "\u00C5 \u00C5");
  CHECK(nfc("\u1E9B\u0323") == "\u1E9B\u0323");              // composed, but not with the dot below
  CHECK(nfc("\u1E9B\u0323\u0307") == "\u1E9B\u0323\u0307");  // nor with the second dot above
  CHECK(nfc("q\u0307\u0323") == "q\u0323\u0307");            // marks in canonical order
  CHECK(nfc("\u1112\u1161\u11AB") == "\uD55C");              // Hangul
  CHECK(nfc("\u0958") == "\u0915\u093C");                    // excluded from composition
  CHECK(nfc("\uFB01\u00BD") == "\uFB01\u00BD");              // compatibility characters stay
  CHECK(nfc(std::string_view("a\0e\u0301", 5)) == std::string_view("a\0\u00E9", 4));
}

TEST_CASE("the leftmost and longest added token is found") {
  using tokenizer::AddedToken;
  const auto added =
      tokenizer::AddedTokens::create({{"<a>", 1}, {"<a><b>", 2}, {"a>", 3}, {"", 4}, {"日", 5}});
  REQUIRE(added.ok());
  const auto check = [&](std::string_view text, std::size_t from, std::size_t at, std::int32_t id) {
    const auto match = added->next(text, from);
    REQUIRE(match.has_value());
    CHECK(match->at == at);
    CHECK(match->id == id);
  };
  check("x<a><b>", 0, 1, 2);
  check("x<a><c>", 0, 1, 1);
  check("x<a><b>", 2, 2, 3);
  check("本日", 0, 3, 5);
  CHECK_FALSE(added->next("<b> <", 0).has_value());
  CHECK_FALSE(added->next("", 0).has_value());
  CHECK_FALSE(tokenizer::AddedTokens::create({})->next("<a>", 0).has_value());
}

TEST_CASE("added tokens that would cost too much, or cut characters, are refused") {
  CHECK_FALSE(tokenizer::AddedTokens::create({{std::string(257, 'a'), 0}}).ok());
  CHECK_FALSE(tokenizer::AddedTokens::create({{"\xC3", 0}}).ok());
}

TEST_CASE("bytes become whole characters, however they are cut") {
  const std::string text = "a\u00E9日😀z";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      CHECK(stream({text.substr(0, i), text.substr(i, j - i), text.substr(j)}) == text);
    }
  }
}

TEST_CASE("each maximal part of a broken character is one replacement") {
  const std::string bad = "\uFFFD";
  CHECK(stream({"\xE6\x97"}) == bad);
  CHECK(stream({"\xE6\x97", "x"}) == bad + "x");
  CHECK(stream({"\xFF\xC0\x80"}) == bad + bad + bad);
  CHECK(stream({"\xED\xA0\x80"}) == bad + bad + bad);  // a surrogate
  CHECK(stream({"\xF0\x9F\x98", "\xE6\x97\xA5"}) == bad + "日");
  CHECK(stream({"\xF4\x90\x80\x80"}) == bad + bad + bad + bad);
  CHECK(stream({"\xE0\x80\xAF"}) == bad + bad + bad);  // overlong
}

TEST_CASE("a character that is begun waits for its rest") {
  tokenizer::Utf8Stream decoder;
  CHECK(decoder.feed("\xF0\x9F").empty());
  CHECK(decoder.feed("\x98").empty());
  CHECK(decoder.feed("\x80!") == "😀!");
  CHECK(decoder.flush().empty());
  CHECK(decoder.feed("\xC3").empty());
  CHECK(decoder.flush() == "\uFFFD");
  CHECK(decoder.flush().empty());
}

}  // namespace belay::test
