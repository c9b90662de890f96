#include "core/tokenizer/gguf_tokenizer.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"

namespace belay::tokenizer {
namespace {

Result<std::optional<std::int32_t>> read_id(const formats::GgufFile& file, std::string_view key) {
  if (!file.has(key)) return std::optional<std::int32_t>();
  BELAY_TRY_ASSIGN(const std::uint32_t number, file.get_u32(key));
  const auto id = narrow<std::int32_t>(number);
  if (!id) return fail(ErrorCode::kBadInput, "{}: {} is {}, which is no token id", file.name(), key, number);
  return id;
}

Status check_model(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::string_view model, file.get_string("tokenizer.ggml.model"));
  if (model == "gpt2") return {};
  return fail(ErrorCode::kBadInput,
              "{}: tokenizer.ggml.model is \"{}\"; Belay knows only \"gpt2\" (byte-level BPE)", file.name(),
              printable(model));
}

Result<PreTokenizerKind> read_pre(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::string_view name, file.get_string("tokenizer.ggml.pre"));
  auto kind = pre_tokenizer_named(name);
  if (kind.ok()) return kind;
  return fail(ErrorCode::kBadInput, "{}: tokenizer.ggml.pre: {}", file.name(), kind.error().message);
}

}  // namespace

Result<TokenizerData> tokenizer_data(const formats::GgufFile& file) {
  BELAY_TRY(check_model(file));
  TokenizerData data;
  BELAY_TRY_ASSIGN(data.pre, read_pre(file));
  data.normalize_nfc = data.pre == PreTokenizerKind::kQwen2;
  BELAY_TRY_ASSIGN(data.tokens, file.get_strings("tokenizer.ggml.tokens"));
  BELAY_TRY_ASSIGN(const std::vector<std::int32_t> types, file.get_i32s("tokenizer.ggml.token_type"));
  data.types.reserve(types.size());
  for (const std::int32_t type : types) data.types.push_back(static_cast<TokenType>(type));
  BELAY_TRY_ASSIGN(data.merges, file.get_strings("tokenizer.ggml.merges"));
  BELAY_TRY_ASSIGN(data.bos, read_id(file, "tokenizer.ggml.bos_token_id"));
  BELAY_TRY_ASSIGN(data.eos, read_id(file, "tokenizer.ggml.eos_token_id"));
  BELAY_TRY_ASSIGN(data.eot, read_id(file, "tokenizer.ggml.eot_token_id"));
  BELAY_TRY_ASSIGN(data.pad, read_id(file, "tokenizer.ggml.padding_token_id"));
  BELAY_TRY_ASSIGN(data.unknown, read_id(file, "tokenizer.ggml.unknown_token_id"));
  BELAY_TRY_ASSIGN(data.add_bos, file.get_bool_or("tokenizer.ggml.add_bos_token", false));
  return data;
}

}  // namespace belay::tokenizer
