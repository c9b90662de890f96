#include "core/manifest/table_reader.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/manifest/hint.hpp"
#include "core/manifest/syntax.hpp"

#include <algorithm>

namespace belay::manifest {

std::string found(const toml::Value& value) {
  if (const auto* text = value.string()) return format("string \"{}\"", printable(*text, 60));
  if (const auto* number = value.integer()) return format("integer {}", *number);
  if (const auto* number = value.floating()) return format("float {}", *number);
  if (const auto* truth = value.boolean()) return format("boolean {}", *truth);
  if (const auto* elements = value.array()) return format("array of {}", elements->size());
  return toml::type_name(value);
}

const toml::Value* TableReader::get(std::string_view key) {
  known_.push_back(key);
  return toml::find(table_, key);
}

const toml::Value* TableReader::require(std::string_view key) {
  const toml::Value* value = get(key);
  if (value == nullptr)
    add(severity::kManifest, finding::kMissing, key, at_, "the key is required and absent");
  return value;
}

const std::string* TableReader::string(std::string_view key, char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return nullptr;
  if (value->string() == nullptr) wrong_type(severity, key, *value, "a string");
  return value->string();
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t least, std::int64_t most,
                                                 char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  const auto* number = value->integer();
  if (number == nullptr) {
    wrong_type(severity, key, *value, format("an integer from {} to {}", least, most));
    return std::nullopt;
  }
  if (*number < least || *number > most) {
    add(severity, finding::kRange, key, value->at,
        format("found {}; allowed is {} to {}", *number, least, most));
    return std::nullopt;
  }
  return *number;
}

std::optional<bool> TableReader::boolean(std::string_view key, char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (value->boolean() != nullptr) return *value->boolean();
  wrong_type(severity, key, *value, "true or false");
  return std::nullopt;
}

std::optional<double> TableReader::number(std::string_view key, char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (value->floating() != nullptr) return *value->floating();
  if (value->integer() != nullptr) return static_cast<double>(*value->integer());
  wrong_type(severity, key, *value, "a number");
  return std::nullopt;
}

std::span<const toml::Value> TableReader::array(std::string_view key, std::size_t most, char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return {};
  const toml::Array* elements = value->array();
  if (elements == nullptr) {
    wrong_type(severity, key, *value, "an array");
    return {};
  }
  if (elements->size() > most) {
    add(severity, finding::kRange, key, value->at,
        format("found {} elements; at most {} are allowed", elements->size(), most));
    return {};
  }
  return *elements;
}

std::span<const toml::Value> TableReader::strings(std::string_view key, std::size_t most, char severity) {
  const auto elements = array(key, most, severity);
  const auto other =
      std::find_if(elements.begin(), elements.end(), [](const auto& e) { return e.string() == nullptr; });
  if (other == elements.end()) return elements;
  add(severity, finding::kType, key, other->at,
      format("found {} in the array; only strings are allowed", found(*other)));
  return {};
}

std::optional<std::size_t> TableReader::choice(std::string_view key, std::span<const std::string_view> names,
                                               char severity) {
  const toml::Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (value->string() == nullptr) {
    wrong_type(severity, key, *value, format("one of {}", join(names, ", ")));
    return std::nullopt;
  }
  const auto name = std::find(names.begin(), names.end(), *value->string());
  if (name != names.end()) return static_cast<std::size_t>(name - names.begin());
  add(severity, finding::kValue, key, value->at,
      format("found {}; allowed is one of {}{}", found(*value), join(names, ", "),
             did_you_mean(*value->string(), names)));
  return std::nullopt;
}

std::string TableReader::display(std::string_view key, std::size_t limit) {
  const std::string* text = string(key, severity::kWarning);
  if (text == nullptr) return "";
  std::string shown = display_text(*text, limit);
  if (text->size() > limit) {
    add(severity::kWarning, finding::kRange, key, get(key)->at,
        format("found {} bytes; cut to {}", text->size(), limit));
  }
  return shown;
}

bool TableReader::table(std::string_view key, const Read& read) {
  const toml::Value* value = get(key);
  if (value == nullptr) return false;
  if (value->table() == nullptr) {
    wrong_type(severity::kManifest, key, *value, "a table");
    return true;
  }
  TableReader inner(*value->table(), path(key), value->at, findings_);
  read(inner);
  inner.report_unknown_keys();
  return true;
}

bool TableReader::tables(std::string_view key, const Read& read) {
  const toml::Value* value = get(key);
  if (value == nullptr) return false;
  const toml::Array* elements = value->array();
  if (elements == nullptr) {
    wrong_type(severity::kManifest, key, *value, format("an array of tables, written [[{}]]", key));
    return true;
  }
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const toml::Value& element = (*elements)[i];
    const std::string place = format("{}[{}]", key, i);
    if (element.table() == nullptr) {
      wrong_type(severity::kManifest, place, element, "a table");
      continue;
    }
    TableReader inner(*element.table(), path(place), element.at, findings_);
    read(inner);
    inner.report_unknown_keys();
  }
  return true;
}

void TableReader::report_unknown_keys() {
  for (const toml::Entry& entry : table_) {
    const bool known = std::find(known_.begin(), known_.end(), entry.key) != known_.end();
    if (known || entry.key.starts_with("x-")) continue;
    add(severity::kWarning, finding::kUnknownKey, printable(entry.key, 60), entry.at,
        "nobody reads this key; it is ignored" + did_you_mean(entry.key, known_));
  }
}

std::string TableReader::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : format("{}.{}", path_, key);
}

void TableReader::add(char severity, std::string_view code, std::string_view key, toml::Position at,
                      std::string message) {
  findings_.add(severity, code, at, path(key), std::move(message));
}

void TableReader::wrong_type(char severity, std::string_view key, const toml::Value& value,
                             std::string_view allowed) {
  add(severity, finding::kType, key, value.at, format("found {}; allowed is {}", found(value), allowed));
}

}  // namespace belay::manifest
