#include "core/base/json_fields.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"

#include <cmath>

namespace belay {
namespace {

Error wrong_kind(const std::string& name, const Json& value, std::string_view wanted) {
  return fail(ErrorCode::kBadInput, "{} is {}, where {} belongs", name, kind_of(value), wanted);
}

}  // namespace

Result<Json> parse_object(std::string_view text, std::string_view file) {
  auto json = parse_json(text, ErrorCode::kBadInput);
  if (!json) {
    return fail(ErrorCode::kBadInput, "{}: {}", printable(file, 400), json.error().message);
  }
  if (json->is_object()) return json;
  return fail(ErrorCode::kBadInput, "{}: it holds {}, where an object belongs", printable(file, 400),
              kind_of(*json));
}

Result<std::optional<Json>> read_object(const std::filesystem::path& path, std::uint64_t max_bytes) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed) return std::optional<Json>();
  BELAY_TRY_ASSIGN(const std::string text, read_file(path, max_bytes, ErrorCode::kBadInput));
  BELAY_TRY_ASSIGN(Json json, parse_object(text, path.string()));
  return std::optional(std::move(json));
}

std::string JsonFields::name(std::string_view key) const {
  return format("{}: {}{}", printable(file_, 400), path_, key);
}

const Json* JsonFields::find(std::string_view key) const {
  for (const auto& [name, value] : object_->get_ref<const Json::object_t&>()) {
    if (name == key) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

Result<std::optional<std::string_view>> JsonFields::text(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::string_view>();
  if (!value->is_string()) return wrong_kind(name(key), *value, "a string");
  return std::optional<std::string_view>(value->get_ref<const std::string&>());
}

Result<std::optional<JsonFields>> JsonFields::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<JsonFields>();
  if (!value->is_object()) return wrong_kind(name(key), *value, "an object");
  return std::optional(JsonFields(*value, file_, format("{}{}.", path_, key)));
}

Result<JsonFields> JsonFields::item(std::string_view key, const Json& item) const {
  if (!item.is_object()) return wrong_kind(name(key) + "[]", item, "an object");
  return JsonFields(item, file_, format("{}{}[].", path_, key));
}

Result<bool> JsonFields::flag_or(std::string_view key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return wrong_kind(name(key), *value, "true or false");
  return value->get<bool>();
}

Result<std::optional<double>> JsonFields::number(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<double>();
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    return wrong_kind(name(key), *value, "a finite number");
  }
  return std::optional(value->get<double>());
}

std::optional<std::int32_t> whole_number(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;  // negative numbers are not
  return narrow<std::int32_t>(value.get<std::uint64_t>());
}

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

}  // namespace belay
