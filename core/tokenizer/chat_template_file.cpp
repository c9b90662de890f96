#include "core/tokenizer/chat_template_file.hpp"

#include "core/base/format.hpp"
#include "core/base/json_fields.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"

namespace belay::tokenizer {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{16} << 20U;
constexpr std::string_view kKey = "chat_template";

// [{"name": "default", "template": "..."}, ...]
Result<std::string> default_of(const Json& list, const JsonFields& file) {
  std::string names;
  for (const Json& item : list) {
    BELAY_TRY_ASSIGN(const JsonFields fields, file.item(kKey, item));
    BELAY_TRY_ASSIGN(const auto name, fields.text("name"));
    BELAY_TRY_ASSIGN(const auto text, fields.text("template"));
    if (name == "default" && text) return std::string(*text);
    names += format("{}\"{}\"", names.empty() ? "" : ", ", printable(name.value_or("")));
  }
  return fail(ErrorCode::kBadInput, "{} has no template named \"default\", only: {}", file.name(kKey),
              printable(names, 400));
}

Result<std::optional<std::string>> template_in(const std::filesystem::path& path) {
  BELAY_TRY_ASSIGN(const std::optional<Json> json, read_object(path, kMaxFileBytes));
  if (!json) return std::optional<std::string>();
  const std::string file = path.string();
  const JsonFields fields(*json, file);
  const Json* value = fields.find(kKey);
  if (value != nullptr && value->is_array()) {
    BELAY_TRY_ASSIGN(std::string text, default_of(*value, fields));
    return std::optional(std::move(text));
  }
  BELAY_TRY_ASSIGN(const auto text, fields.text(kKey));
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> read_chat_template(const std::filesystem::path& folder) {
  const std::filesystem::path jinja = folder / "chat_template.jinja";
  std::error_code failed;
  if (std::filesystem::exists(jinja, failed) || failed) {
    BELAY_TRY_ASSIGN(std::string text, read_file(jinja, kMaxFileBytes, ErrorCode::kBadInput));
    return std::optional(std::move(text));
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    BELAY_TRY_ASSIGN(std::optional<std::string> text, template_in(folder / name));
    if (text) return text;
  }
  return std::optional<std::string>();
}

}  // namespace belay::tokenizer
