// Text, vocabularies and chat templates from bytes. The first byte chooses which; what follows is:
//   t, q  a text for a whole vocabulary with the pre-tokenizer smollm, or qwen2 with normalisation
//   v     a vocabulary, one line each: a type digit and a token's text, or ' ' and a merge; behind an empty
//   line a text c     a chat template
#include "core/base/text.hpp"
#include "core/tokenizer/byte_map.hpp"
#include "core/tokenizer/chat_template.hpp"
#include "core/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace belay::tokenizer;
using Ids = std::vector<std::int32_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

// Decoding one by one and at once is the same, and gives UTF-8 whatever the ids.
std::string decode_both_ways(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string text;
  for (const std::int32_t id : ids) text += stream.feed(id);
  text += stream.flush();
  require(text == tokenizer.decode(ids, skip_special));
  require(belay::find_invalid_utf8(text) == std::string::npos);
  return text;
}

Ids encode(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, Specials::kParse);
  const auto plain = tokenizer.encode(text, Specials::kPlain);
  const bool valid = belay::find_invalid_utf8(text) == std::string_view::npos;
  require(ids.ok() == valid && plain.ok() == valid);
  if (!valid) return {};
  for (const std::int32_t id : *ids)
    require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocab_size());
  return *ids;
}

// Every byte, some merges, and added tokens.
Tokenizer make_whole(PreTokenizerKind pre, bool normalize) {
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.emplace_back(mapped_char(static_cast<std::uint8_t>(byte)));
  const std::vector<std::string_view> merges = {
      "t h",          "th e", "a a", "aa aa", "\u0120 the", "\u0120 \u0120", "\u0120\u0120 \u0120\u0120",
      "\u00C3 \u00A9"};
  for (const std::string_view merge : merges) {
    const std::size_t space = merge.find(' ');
    texts.push_back(std::string(merge.substr(0, space)) + std::string(merge.substr(space + 1)));
  }
  TokenizerData data;
  data.types.assign(texts.size(), TokenType::kNormal);
  texts.insert(texts.end(), {"<|im_start|>", "<|im_end|>", "<|im_end|><|im_start|>", "<think>"});
  data.types.insert(data.types.end(),
                    {TokenType::kControl, TokenType::kControl, TokenType::kControl, TokenType::kUserDefined});
  data.tokens.assign(texts.begin(), texts.end());
  data.merges = merges;
  data.pre = pre;
  data.normalize_nfc = normalize;
  auto made = Tokenizer::create(data);
  require(made.ok());
  return *std::move(made);
}

void fuzz_text(const Tokenizer& tokenizer, std::string_view text, bool exact) {
  const Ids ids = encode(tokenizer, text);
  if (const auto plain = tokenizer.encode(text, Specials::kPlain)) {
    for (const std::int32_t id : *plain) require(!tokenizer.is_special(id));
  }
  const std::string decoded = decode_both_ways(tokenizer, ids, false);
  if (exact && !ids.empty()) require(decoded == text);
  if (!exact)
    require(decode_both_ways(tokenizer, encode(tokenizer, decoded), false) == decoded);  // normal already
  Ids any;
  for (const char c : text) any.push_back((static_cast<std::uint8_t>(c) * 5) % 300 - 8);
  decode_both_ways(tokenizer, any, true);
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

void fuzz_vocabulary(std::string_view input) {
  TokenizerData data;
  for (std::string_view line = take_line(input); !line.empty(); line = take_line(input)) {
    if (line[0] == ' ') {
      data.merges.push_back(line.substr(1));
      continue;
    }
    data.types.push_back(static_cast<TokenType>(line[0] - '0'));
    data.tokens.push_back(line.substr(1));
  }
  data.eos = static_cast<std::int32_t>(input.size() % 8);
  data.pre = input.size() % 2 == 0 ? PreTokenizerKind::kSmollm : PreTokenizerKind::kQwen2;
  data.normalize_nfc = input.size() % 2 == 1;
  const auto made = Tokenizer::create(data);
  if (!made) return;
  decode_both_ways(*made, encode(*made, input), false);
  Ids all;
  for (std::int32_t id = -1; id <= static_cast<std::int32_t>(made->vocab_size()); ++id) all.push_back(id);
  decode_both_ways(*made, all, true);
}

void fuzz_chat_template(std::string_view jinja) {
  const auto chat = recognise_chat_template(jinja);
  if (!chat) return;
  const std::vector<Message> messages = {{"user", "a"}, {"assistant", "<think>b</think>c"}};
  const auto prompt = chat->render(messages, true);
  require(prompt.ok());
  require(
      prompt->ends_with("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>b</think>c<|im_end|>\n"
                        "<|im_start|>assistant\n"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Tokenizer smollm = make_whole(PreTokenizerKind::kSmollm, false);
  static const Tokenizer qwen = make_whole(PreTokenizerKind::kQwen2, true);
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  switch (bytes[0]) {
    case 't':
      fuzz_text(smollm, input, true);
      break;
    case 'q':
      fuzz_text(qwen, input, false);
      break;
    case 'v':
      fuzz_vocabulary(input);
      break;
    case 'c':
      fuzz_chat_template(input);
      break;
    default:
      break;
  }
  return 0;
}
