#include "core/tokenizer/tokenizer.hpp"

#include "core/base/text.hpp"
#include "core/tokenizer/normalize.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/core/tokenizer/slow_reference.hpp"
#include "tests/support/doctest.hpp"

#include <random>

namespace belay::test {
namespace {

using tokenizer::Specials;
using tokenizer::StreamDecoder;
using tokenizer::Tokenizer;

// Any code point but surrogates, with more of those that mean something to a tokenizer.
std::string random_text(std::mt19937_64& random, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint64_t draw = random();
    char32_t code = static_cast<char32_t>((draw >> 8U) % 0x110000U);
    if (draw % 4 == 0) code = U"  \n\r\t'sS0٤é\u0301\u00A0日"[(draw >> 8U) % 15];
    if (draw % 4 == 1) code = static_cast<char32_t>((draw >> 8U) % 0x80U);
    if (code >= 0xD800 && code < 0xE000) code = U'x';
    text += utf8(code);
  }
  return text;
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string text;
  for (const std::int32_t id : ids) {
    const std::string part = stream.feed(id);
    CHECK(find_invalid_utf8(part) == std::string::npos);
    text += part;
  }
  return text + stream.flush();
}

}  // namespace

TEST_CASE("tokenizers give the reference's ids and texts") {
  check_cases(golden_tokenizer(kQwenFile), "qwen");
  check_cases(golden_tokenizer(kSmollmFile), "llama");
}

TEST_CASE("150,000 random strings give the ids of an independent slow tokenizer") {
  using tokenizer::PreTokenizerKind;
  for (const auto kind : {PreTokenizerKind::kSmollm, PreTokenizerKind::kQwen2, PreTokenizerKind::kGpt2}) {
    const auto file = kind == PreTokenizerKind::kQwen2 ? kQwenFile : kSmollmFile;
    const formats::GgufFile gguf = golden_gguf(file);
    auto data = tokenizer::tokenizer_data(gguf);
    REQUIRE(data.ok());
    data->pre = kind;  // no golden has that of GPT-2
    const SlowTokenizer slow(*data);
    const auto made = Tokenizer::create(*data);
    REQUIRE(made.ok());
    const Tokenizer& fast = *made;
    const std::vector<std::u32string> parts = {U"the ", U" program", U"'s",    U"'RE", U"'ll",
                                               U"\r\n", U"\n\n ",    U"   ",   U"12",  U"<|im_end|>",
                                               U"<|im", U"<think>",  U"-----", U" a"};
    std::mt19937_64 random(7);
    int different = 0;
    for (int round = 0; round < 50'000; ++round) {
      std::u32string text;
      for (std::uint64_t n = random() % 10; n > 0; --n) {
        const std::uint64_t draw = random();
        if (draw % 3 == 0) text += parts[(draw >> 8U) % parts.size()];
        if (draw % 3 == 1) text += slow_alphabet()[(draw >> 8U) % slow_alphabet().size()];
        if (draw % 3 == 2) text += static_cast<char32_t>((draw >> 8U) % 0x80U);
      }
      std::string bytes;
      for (const char32_t c : text) bytes += utf8(c);
      if (encode(fast, bytes) == slow.encode(text)) continue;
      if (++different <= 3) MESSAGE(static_cast<int>(kind), ": differs on \"", printable(bytes), "\"");
    }
    CHECK(different == 0);
  }
}

TEST_CASE("decoding the ids of a text gives the text") {
  const Tokenizer smollm = golden_tokenizer(kSmollmFile);
  const Tokenizer qwen = golden_tokenizer(kQwenFile);
  std::mt19937_64 random(11);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_text(random, random() % 40);
    CAPTURE(printable(text, 1000));
    CHECK(smollm.decode(encode(smollm, text), false) == text);
    const auto composed = tokenizer::normalize_nfc(text);
    REQUIRE(composed.ok());
    CHECK(qwen.decode(encode(qwen, text), false) == *composed);
  }
}

TEST_CASE("every byte has a token and comes back from it") {
  const Tokenizer tokenizer = golden_tokenizer(kSmollmFile);
  std::vector<bool> seen(256, false);
  for (std::int32_t id = 0; id < 256; ++id) {  // the alphabet comes first in this vocabulary
    const std::string bytes = tokenizer.token_bytes(id);
    REQUIRE(bytes.size() == 1);
    seen[static_cast<std::uint8_t>(bytes[0])] = true;
  }
  CHECK(std::find(seen.begin(), seen.end(), false) == seen.end());
}

TEST_CASE("a stream shows the same text as decoding at once, whatever the ids") {
  for (const std::string_view file : {kSmollmFile, kQwenFile}) {
    const Tokenizer tokenizer = golden_tokenizer(file);
    std::mt19937_64 random(13);
    for (int round = 0; round < 2000; ++round) {
      Ids ids(random() % 12);
      for (std::int32_t& id : ids)
        id = static_cast<std::int32_t>(random() % (tokenizer.vocab_size() + 8)) - 4;
      if (round % 2 == 0) ids = encode(tokenizer, random_text(random, 6));
      for (const bool skip : {false, true})
        CHECK(streamed(tokenizer, ids, skip) == tokenizer.decode(ids, skip));
    }
  }
}

TEST_CASE("special tokens can be kept as plain text") {
  const Tokenizer tokenizer = golden_tokenizer(kQwenFile);
  const std::string text = "<|im_start|>user<think>";
  const std::int32_t im_start = *tokenizer.find("<|im_start|>");
  const Ids parsed = encode(tokenizer, text);
  CHECK(parsed.front() == im_start);
  const Ids plain = encode(tokenizer, text, Specials::kPlain);
  CHECK(std::find(plain.begin(), plain.end(), im_start) == plain.end());
  CHECK(plain.back() == *tokenizer.find("<think>"));  // added, but not special
  CHECK(tokenizer.decode(plain, true) == text);
  CHECK(tokenizer.decode(parsed, true) == "user<think>");
}

TEST_CASE("a vocabulary knows its ends and what is not in it") {
  const Tokenizer tokenizer = golden_tokenizer(kQwenFile);
  CHECK(tokenizer.is_end_of_generation(*tokenizer.find("<|im_end|>")));
  CHECK(tokenizer.is_end_of_generation(*tokenizer.find("<|endoftext|>")));
  CHECK_FALSE(tokenizer.is_end_of_generation(*tokenizer.find("<|im_start|>")));
  CHECK_FALSE(tokenizer.is_end_of_generation(-1));
  CHECK_FALSE(tokenizer.leading_bos().has_value());
  CHECK_FALSE(tokenizer.find("no such token").has_value());
  CHECK_FALSE(tokenizer.find("").has_value());
  const auto size = static_cast<std::int32_t>(tokenizer.vocab_size());
  for (const std::int32_t id :
       {-1, size, size - 1, std::numeric_limits<std::int32_t>::max()}) {  // size - 1 is padding
    CHECK(tokenizer.token_bytes(id).empty());
    CHECK(tokenizer.decode(std::span(&id, 1), false).empty());
  }
}

TEST_CASE("empty text has no ids") {
  CHECK(encode(golden_tokenizer(kSmollmFile), "").empty());
  CHECK(golden_tokenizer(kSmollmFile).decode({}, false).empty());
}

TEST_CASE("text that is not UTF-8 is refused at its offset") {
  const Tokenizer tokenizer = golden_tokenizer(kSmollmFile);
  for (const std::string_view bad :
       {"ab\xFF", "ab\xC3", "ab\xED\xA0\x80", "ab\xC0\x80", "ab\xF4\x90\x80\x80"}) {
    const auto ids = tokenizer.encode(bad, Specials::kParse);
    REQUIRE_FALSE(ids.ok());
    CHECK(ids.error().code == ErrorCode::kBadInput);
    CHECK(ids.error().message.find("at byte 2") != std::string::npos);
  }
}

TEST_CASE("a megabyte in one piece takes less than a second") {
  for (const std::string_view file : {kSmollmFile, kQwenFile}) {
    const Tokenizer tokenizer = golden_tokenizer(file);
    std::mt19937_64 random(17);
    std::string letters(std::size_t{1} << 20U, 'a');
    std::string mixed = letters;
    for (char& c : mixed) c = static_cast<char>('a' + random() % 26);
    std::string marks;  // combining marks of two classes, against the order that normalisation wants
    while (marks.size() < (std::size_t{1} << 20U)) marks += "\u0301\u0323";
    for (const std::string& text :
         {letters, mixed, std::string(letters.size(), ' '), std::string(letters.size(), '\n'),
          std::string(letters.size(), '!'), std::string(letters.size(), '<'), marks}) {
      const double start = cpu_ms();
      const Ids ids = encode(tokenizer, text);
      const double took = cpu_ms() - start;
      CHECK(!ids.empty());
      CHECK_MESSAGE(took < allowed_ms(1000), printable(text, 4));
    }
  }
}

TEST_CASE("more text than any model takes is refused") {
  const std::string text((std::size_t{64} << 20U) + 1, 'a');
  const auto ids = golden_tokenizer(kSmollmFile).encode(text, Specials::kParse);
  REQUIRE_FALSE(ids.ok());
  CHECK(ids.error().code == ErrorCode::kBadInput);
}

}  // namespace belay::test
