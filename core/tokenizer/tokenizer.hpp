// Text to token ids and back: the byte-level byte-pair encoding of GPT-2, SmolLM2 and Qwen vocabularies.
// Immutable after create, owns all it needs; any thread.
#pragma once

#include "core/base/status.hpp"
#include "core/tokenizer/added_tokens.hpp"
#include "core/tokenizer/bpe.hpp"
#include "core/tokenizer/pretokenize.hpp"
#include "core/tokenizer/token_table.hpp"
#include "core/tokenizer/utf8_stream.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

// The numbers of GGUF's tokenizer.ggml.token_type.
enum class TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // added, special: <|im_end|>
  kUserDefined = 4,  // added, not special: <think>
  kUnused = 5,       // fills the vocabulary up; decodes to nothing
  kByte = 6,
};

// A vocabulary as a model file has it. The views need to live until Tokenizer::create returns.
struct TokenizerData {
  std::vector<std::string_view> tokens;  // by id; normal ones in the byte-level alphabet
  std::vector<TokenType> types;          // as many
  std::vector<std::string_view> merges;  // "left right", by rank
  PreTokenizerKind pre = PreTokenizerKind::kSmollm;
  bool normalize_nfc = false;  // Qwen does, SmolLM2 does not
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  std::optional<std::int32_t> eot;  // ends a turn, where it differs from eos
  std::vector<std::int32_t> ends;   // further ids that end an answer
  std::optional<std::int32_t> pad;
  std::optional<std::int32_t> unknown;
  bool add_bos = false;  // the model wants `bos` in front of every prompt
};

// Whether special tokens that are spelled out in a text become their ids or plain text. Added tokens that are
// not special (<think>) become their ids either way.
enum class Specials { kParse, kPlain };

class Tokenizer {
 public:
  // kBadInput, naming token or merge, for data that contradicts itself.
  [[nodiscard]] static Result<Tokenizer> create(const TokenizerData& data);

  // The ids of a text, nothing put in front or behind (see leading_bos). kBadInput with the byte offset for
  // text that is not UTF-8, and for more than 64 MiB. Bytes that the vocabulary has no token for are left
  // out, as in the reference.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode(std::string_view text, Specials specials) const;

  // The text of ids; what is not UTF-8 becomes U+FFFD. Ids outside the vocabulary, and control tokens with
  // `skip_special`, give nothing. StreamDecoder does the same one id at a time.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;

  // The bytes behind one id, nothing for an id outside the vocabulary or unused.
  [[nodiscard]] std::string token_bytes(std::int32_t id) const;

  [[nodiscard]] std::size_t vocab_size() const { return tokens_.size(); }
  // The id of a token by its text in the vocabulary, for example "<|image_pad|>".
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view text) const { return tokens_.find(text); }
  [[nodiscard]] bool is_special(std::int32_t id) const;
  // True for eos, eot, ends, <|im_end|> and <|endoftext|>.
  [[nodiscard]] bool is_end_of_generation(std::int32_t id) const;
  // What belongs in front of the first prompt of a session, if the model asks for it.
  [[nodiscard]] std::optional<std::int32_t> leading_bos() const { return leading_bos_; }

 private:
  Tokenizer(TokenTable tokens, Bpe bpe, PreTokenizer pre)
      : tokens_(std::move(tokens)), bpe_(std::move(bpe)), pre_(std::move(pre)) {}

  [[nodiscard]] Status add_added_tokens(const TokenizerData& data);
  void add_ends(const TokenizerData& data);
  [[nodiscard]] bool contains(std::int32_t id) const {
    return id >= 0 && static_cast<std::size_t>(id) < tokens_.size();
  }
  [[nodiscard]] TokenType type(std::int32_t id) const { return types_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Status encode_part(std::string_view part, Bpe::Scratch& scratch,
                                   std::vector<std::int32_t>& ids) const;

  TokenTable tokens_;
  Bpe bpe_;
  PreTokenizer pre_;
  std::vector<TokenType> types_;
  AddedTokens all_added_;
  AddedTokens plain_added_;  // without the special ones
  std::vector<std::int32_t> ends_;
  std::optional<std::int32_t> leading_bos_;
  bool normalize_nfc_ = false;
};

// Decodes a stream of ids for showing: text appears as soon as it is whole characters. The tokenizer must
// outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}

  // What can be shown now.
  [[nodiscard]] std::string feed(std::int32_t id);
  // What is left at the end of generation.
  [[nodiscard]] std::string flush() { return stream_.flush(); }

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  Utf8Stream stream_;
};

}  // namespace belay::tokenizer
