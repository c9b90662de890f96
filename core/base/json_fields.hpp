// The members of a JSON object in a model's folder, with errors that name file and key. A view: object and
// file name must outlive it. Any thread.
#pragma once

#include "core/base/json.hpp"
#include "core/base/status.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace belay {

// The object that a text holds. kBadInput naming `file`.
[[nodiscard]] Result<Json> parse_object(std::string_view text, std::string_view file);

// The object in a file; nothing when there is no such file. kBadInput for more than `max_bytes`.
[[nodiscard]] Result<std::optional<Json>> read_object(const std::filesystem::path& path,
                                                      std::uint64_t max_bytes);

class JsonFields {
 public:
  // `path` stands in front of the keys in messages: "model." for the members of model.
  JsonFields(const Json& object, std::string_view file, std::string path = {})
      : object_(&object), file_(file), path_(std::move(path)) {}

  // For messages: "tokenizer.json: model.type".
  [[nodiscard]] std::string name(std::string_view key) const;

  // Null when the member is absent or null.
  [[nodiscard]] const Json* find(std::string_view key) const;

  // kBadInput for a member of another type.
  [[nodiscard]] Result<std::optional<std::string_view>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<JsonFields>> object(std::string_view key) const;
  // `item` of the array under `key`, which must be an object.
  [[nodiscard]] Result<JsonFields> item(std::string_view key, const Json& item) const;
  [[nodiscard]] Result<bool> flag_or(std::string_view key, bool otherwise) const;
  // A finite number.
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key) const;

 private:
  const Json* object_;
  std::string_view file_;
  std::string path_;
};

// A whole number from 0 on, such as a token id; nothing for any other value.
[[nodiscard]] std::optional<std::int32_t> whole_number(const Json& value);

// "a string", "a number" ..., for messages
[[nodiscard]] std::string_view kind_of(const Json& value);

}  // namespace belay
