#include "core/tokenizer/tokenizer.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/tokenizer/byte_map.hpp"
#include "core/tokenizer/normalize.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace belay::tokenizer {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20U;
constexpr std::array<std::string_view, 2> kEndTexts = {"<|im_end|>", "<|endoftext|>"};

bool is_known(TokenType type) { return type >= TokenType::kNormal && type <= TokenType::kByte; }

Status check(const TokenizerData& data) {
  if (data.tokens.empty()) return fail(ErrorCode::kBadInput, "the vocabulary has no tokens");
  if (data.types.size() != data.tokens.size()) {
    return fail(ErrorCode::kBadInput, "the vocabulary has {} tokens but {} token types", data.tokens.size(),
                data.types.size());
  }
  for (std::size_t id = 0; id < data.types.size(); ++id) {
    if (is_known(data.types[id])) continue;
    return fail(ErrorCode::kBadInput, "token {} has the unknown type {}", id,
                static_cast<std::int32_t>(data.types[id]));
  }
  std::vector<std::pair<std::string_view, std::optional<std::int32_t>>> named = {{"bos", data.bos},
                                                                                 {"eos", data.eos},
                                                                                 {"eot", data.eot},
                                                                                 {"padding", data.pad},
                                                                                 {"unknown", data.unknown}};
  for (const std::int32_t id : data.ends) named.emplace_back("end", id);
  for (const auto& [name, id] : named) {
    if (!id || (*id >= 0 && static_cast<std::size_t>(*id) < data.tokens.size())) continue;
    return fail(ErrorCode::kBadInput, "the {} token is {}, but the vocabulary ends at {}", name, *id,
                data.tokens.size() - 1);
  }
  if (data.add_bos && !data.bos)
    return fail(ErrorCode::kBadInput, "the model wants a bos token but names none");
  return {};
}

}  // namespace

Result<Tokenizer> Tokenizer::create(const TokenizerData& data) {
  BELAY_TRY(check(data));
  BELAY_TRY_ASSIGN(TokenTable tokens, TokenTable::create(data.tokens));
  BELAY_TRY_ASSIGN(Bpe bpe, Bpe::create(tokens, data.merges));
  BELAY_TRY_ASSIGN(PreTokenizer pre, PreTokenizer::create(data.pre));
  Tokenizer made(std::move(tokens), std::move(bpe), std::move(pre));
  made.types_ = data.types;
  made.normalize_nfc_ = data.normalize_nfc;
  BELAY_TRY(made.add_added_tokens(data));
  made.add_ends(data);
  if (data.add_bos) made.leading_bos_ = data.bos;
  return made;
}

Status Tokenizer::add_added_tokens(const TokenizerData& data) {
  std::vector<AddedToken> all;
  std::vector<AddedToken> plain;
  for (std::size_t at = 0; at < data.types.size(); ++at) {
    const TokenType type = data.types[at];
    if (type != TokenType::kControl && type != TokenType::kUserDefined) continue;
    const AddedToken token{std::string(data.tokens[at]), static_cast<std::int32_t>(at)};
    all.push_back(token);
    if (type == TokenType::kUserDefined) plain.push_back(token);
  }
  BELAY_TRY_ASSIGN(all_added_, AddedTokens::create(std::move(all)));
  BELAY_TRY_ASSIGN(plain_added_, AddedTokens::create(std::move(plain)));
  return {};
}

void Tokenizer::add_ends(const TokenizerData& data) {
  ends_ = data.ends;
  for (const auto id : {data.eos, data.eot}) {
    if (id) ends_.push_back(*id);
  }
  for (const std::string_view text : kEndTexts) {
    const auto id = tokens_.find(text);
    if (id && type(*id) == TokenType::kControl) ends_.push_back(*id);
  }
}

Result<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text, Specials specials) const {
  if (text.size() > kMaxTextBytes) {
    return fail(ErrorCode::kBadInput, "the text has {} bytes; the limit is {}", text.size(), kMaxTextBytes);
  }
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return fail(ErrorCode::kBadInput, "the text is not UTF-8 at byte {} (0x{:02x})", bad,
                static_cast<std::uint8_t>(text[bad]));
  }
  const AddedTokens& added = specials == Specials::kParse ? all_added_ : plain_added_;
  Bpe::Scratch scratch;
  std::vector<std::int32_t> ids;
  for (std::size_t at = 0; at < text.size();) {
    const auto match = added.next(text, at);
    BELAY_TRY(encode_part(text.substr(at, match ? match->at - at : std::string_view::npos), scratch, ids));
    if (!match) break;
    ids.push_back(match->id);
    at = match->at + match->length;
  }
  return ids;
}

Status Tokenizer::encode_part(std::string_view part, Bpe::Scratch& scratch,
                              std::vector<std::int32_t>& ids) const {
  std::string normalized;
  if (normalize_nfc_) {
    BELAY_TRY_ASSIGN(normalized, tokenizer::normalize_nfc(part));
    part = normalized;
  }
  return pre_.split(part, [&](std::string_view piece) { bpe_.encode(piece, scratch, ids); });
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  StreamDecoder stream(*this, skip_special);
  std::string text;
  for (const std::int32_t id : ids) text += stream.feed(id);
  return text + stream.flush();
}

std::string Tokenizer::token_bytes(std::int32_t id) const {
  if (!contains(id) || type(id) == TokenType::kUnused) return {};
  const std::string_view text = tokens_.text(id);
  if (type(id) != TokenType::kNormal) return std::string(text);
  std::string bytes;
  append_token_bytes(bytes, text);
  return bytes;
}

bool Tokenizer::is_special(std::int32_t id) const { return contains(id) && type(id) == TokenType::kControl; }

bool Tokenizer::is_end_of_generation(std::int32_t id) const {
  return std::find(ends_.begin(), ends_.end(), id) != ends_.end();
}

std::string StreamDecoder::feed(std::int32_t id) {
  if (skip_special_ && tokenizer_.is_special(id)) return {};
  return stream_.feed(tokenizer_.token_bytes(id));
}

}  // namespace belay::tokenizer
