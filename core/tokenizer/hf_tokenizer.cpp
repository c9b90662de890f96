#include "core/tokenizer/hf_tokenizer.hpp"

#include "core/base/format.hpp"
#include "core/base/json_fields.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/tokenizer/generation_config.hpp"
#include "core/tokenizer/hf_pipeline.hpp"

#include <algorithm>

namespace belay::tokenizer {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64}
                                        << 20U;  // the largest known: 33 MB for 262,144 tokens
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20U;
constexpr std::size_t kMaxUnused = 65'536;  // ids without a token, below the highest that has one

// What the views of a vocabulary point into.
struct Texts {
  explicit Texts(Json json) : file(std::move(json)) {}

  Json file;           // keys and strings keep their place
  std::string merges;  // pairs as "left right", one behind the other
};

struct Token {
  std::string_view text;
  std::int32_t id;
  TokenType type;
};

// `value` is that of `key`, null when there is none.
Result<std::int32_t> read_id(const JsonFields& fields, std::string_view key, const Json* value,
                             std::string_view text) {
  const auto id = value != nullptr ? whole_number(*value) : std::nullopt;
  if (id) return *id;
  return fail(ErrorCode::kBadInput, "{}: token \"{}\" has the id {}, which is no token id", fields.name(key),
              printable(text), value != nullptr ? printable(to_line(*value)) : "null");
}

// {"token": id, ...}
Status read_vocabulary(const JsonFields& model, std::vector<Token>& tokens) {
  BELAY_TRY_ASSIGN(const auto vocabulary, model.object("vocab"));
  if (!vocabulary) return fail(ErrorCode::kBadInput, "{} is missing", model.name("vocab"));
  for (const auto& [text, value] : model.find("vocab")->get_ref<const Json::object_t&>()) {
    BELAY_TRY_ASSIGN(const std::int32_t id, read_id(model, "vocab", &value, text));
    tokens.push_back({text, id, TokenType::kNormal});
  }
  return {};
}

// {"id": 5, "content": "<|im_end|>", "special": true, ...}
Result<Token> read_added_token(const JsonFields& token, bool normalizes) {
  BELAY_TRY_ASSIGN(const auto content, token.text("content"));
  if (!content) return fail(ErrorCode::kBadInput, "{} is missing", token.name("content"));
  BELAY_TRY_ASSIGN(const std::int32_t id, read_id(token, "id", token.find("id"), *content));
  for (const std::string_view key : {"single_word", "lstrip", "rstrip", "normalized"}) {
    BELAY_TRY_ASSIGN(const bool set, token.flag_or(key, false));
    if (!set || (key == "normalized" && !normalizes)) continue;
    return fail(ErrorCode::kBadInput,
                "{} of \"{}\" is true; Belay finds added tokens only in the text as it is (false)",
                token.name(key), printable(*content));
  }
  BELAY_TRY_ASSIGN(const bool special, token.flag_or("special", false));
  return Token{*content, id, special ? TokenType::kControl : TokenType::kUserDefined};
}

Status read_added_tokens(const JsonFields& file, bool normalizes, std::vector<Token>& tokens) {
  constexpr std::string_view kKey = "added_tokens";
  const Json* list = file.find(kKey);
  if (list == nullptr) return {};
  if (!list->is_array()) {
    return fail(ErrorCode::kBadInput, "{} is {}, where an array belongs", file.name(kKey), kind_of(*list));
  }
  for (const Json& item : *list) {
    BELAY_TRY_ASSIGN(const JsonFields fields, file.item(kKey, item));
    BELAY_TRY_ASSIGN(const Token token, read_added_token(fields, normalizes));
    tokens.push_back(token);
  }
  return {};
}

// Puts each token at its id. An added token may stand in the vocabulary too; ids that nobody has are unused.
Status place(const std::vector<Token>& tokens, std::string_view file, TokenizerData& data) {
  std::size_t count = 0;
  for (const Token& token : tokens) count = std::max(count, static_cast<std::size_t>(token.id) + 1);
  if (count > tokens.size() + kMaxUnused) {
    return fail(ErrorCode::kBadInput,
                "{}: {} tokens have ids up to {}; at most {} ids may be without a token",
                printable(file, 400), tokens.size(), count - 1, kMaxUnused);
  }
  data.tokens.resize(count);
  data.types.resize(count, TokenType::kUnused);
  for (const Token& token : tokens) {
    const auto at = static_cast<std::size_t>(token.id);
    const bool is_free = data.types[at] == TokenType::kUnused;
    if (!is_free && (data.tokens[at] != token.text || token.type == TokenType::kNormal)) {
      return fail(ErrorCode::kBadInput, "{}: the tokens \"{}\" and \"{}\" have the same id {}",
                  printable(file, 400), printable(data.tokens[at]), printable(token.text), token.id);
    }
    data.tokens[at] = token.text;
    data.types[at] = token.type;
  }
  return {};
}

// "left right" as it stands; ["left", "right"] joined behind `joined`, which has room for all.
Result<std::string_view> read_merge(const Json& merge, const JsonFields& model, std::size_t rank,
                                    std::string& joined) {
  if (merge.is_string()) return std::string_view(merge.get_ref<const std::string&>());
  if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
    return fail(ErrorCode::kBadInput, "{}[{}] is neither \"left right\" nor [\"left\", \"right\"]",
                model.name("merges"), rank);
  }
  const std::size_t begin = joined.size();
  joined.append(merge[0].get_ref<const std::string&>())
      .append(1, ' ')
      .append(merge[1].get_ref<const std::string&>());
  return std::string_view(joined).substr(begin);
}

std::size_t joined_bytes(const Json& merges) {
  std::size_t bytes = 0;
  for (const Json& merge : merges) {
    if (!merge.is_array()) continue;
    for (const Json& part : merge)
      bytes += part.is_string() ? part.get_ref<const std::string&>().size() + 1 : 0;
  }
  return bytes;
}

Status read_merges(const JsonFields& model, std::string& joined, TokenizerData& data) {
  const Json* merges = model.find("merges");
  if (merges == nullptr || !merges->is_array()) {
    return fail(ErrorCode::kBadInput, "{} is {}, where an array belongs", model.name("merges"),
                merges == nullptr ? "missing" : kind_of(*merges));
  }
  joined.reserve(joined_bytes(*merges));
  data.merges.reserve(merges->size());
  for (const Json& merge : *merges) {
    BELAY_TRY_ASSIGN(const std::string_view line, read_merge(merge, model, data.merges.size(), joined));
    data.merges.push_back(line);
  }
  return {};
}

// The id of a token that tokenizer_config.json names: "text" or {"content": "text", ...}.
Result<std::optional<std::int32_t>> named_id(const JsonFields& config, std::string_view key,
                                             const TokenizerData& data) {
  std::optional<std::string_view> text;
  if (const Json* value = config.find(key); value != nullptr && value->is_object()) {
    BELAY_TRY_ASSIGN(const auto token, config.object(key));
    BELAY_TRY_ASSIGN(text, token->text("content"));
  } else {
    BELAY_TRY_ASSIGN(text, config.text(key));
  }
  if (!text) return std::optional<std::int32_t>();
  const auto found = std::find(data.tokens.begin(), data.tokens.end(), *text);
  if (found != data.tokens.end() && !text->empty()) {
    return std::optional(static_cast<std::int32_t>(found - data.tokens.begin()));
  }
  return fail(ErrorCode::kBadInput, "{} is \"{}\", which is no token of the vocabulary", config.name(key),
              printable(*text));
}

Status read_names(const std::filesystem::path& path, TokenizerData& data) {
  BELAY_TRY_ASSIGN(const std::optional<Json> json, read_object(path, kMaxConfigBytes));
  if (!json) return {};
  const std::string file = path.string();
  const JsonFields config(*json, file);
  BELAY_TRY_ASSIGN(data.bos, named_id(config, "bos_token", data));
  BELAY_TRY_ASSIGN(data.eos, named_id(config, "eos_token", data));
  BELAY_TRY_ASSIGN(data.pad, named_id(config, "pad_token", data));
  BELAY_TRY_ASSIGN(data.unknown, named_id(config, "unk_token", data));
  BELAY_TRY_ASSIGN(data.add_bos, config.flag_or("add_bos_token", false));
  return {};
}

}  // namespace

Result<HfTokenizer> parse_hf_tokenizer(std::string_view text, std::string_view file) {
  BELAY_TRY_ASSIGN(Json json, parse_object(text, file));
  const auto texts = std::make_shared<Texts>(std::move(json));
  const JsonFields fields(texts->file, file);
  BELAY_TRY_ASSIGN(const auto model, fields.object("model"));
  if (!model) return fail(ErrorCode::kBadInput, "{} is missing", fields.name("model"));
  BELAY_TRY(check_pipeline(fields, *model));
  HfTokenizer made;
  BELAY_TRY_ASSIGN(made.data.pre, read_pre_tokenizer(fields));
  BELAY_TRY_ASSIGN(made.data.normalize_nfc, read_normalizer(fields));
  std::vector<Token> tokens;
  BELAY_TRY(read_vocabulary(*model, tokens));
  BELAY_TRY(read_added_tokens(fields, made.data.normalize_nfc, tokens));
  BELAY_TRY(place(tokens, file, made.data));
  BELAY_TRY(read_merges(*model, texts->merges, made.data));
  made.texts = texts;
  return made;
}

Result<HfTokenizer> read_hf_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  BELAY_TRY_ASSIGN(const std::string text, read_file(path, kMaxFileBytes, ErrorCode::kBadInput));
  BELAY_TRY_ASSIGN(HfTokenizer made, parse_hf_tokenizer(text, path.string()));
  BELAY_TRY(read_names(folder / "tokenizer_config.json", made.data));
  BELAY_TRY_ASSIGN(GenerationDefaults defaults, read_generation_defaults(folder));
  made.data.ends = std::move(defaults.ends);
  return made;
}

}  // namespace belay::tokenizer
