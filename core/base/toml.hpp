// TOML text, read safely into plain data. The only wrapper of toml++: size, line length and key count are
// bounded before and depth after the parser runs (toml++ 3.3 overflows the stack on long dotted keys). Pure;
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace belay::toml {

// Where a value or an error stands in the text; both count from 1.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Value;
struct Entry;
using Array = std::vector<Value>;
using Table = std::vector<Entry>;  // in the order of the file; keys are unique

struct Value {
  // A date or time is kept as its text in `Datetime`; nothing in Belay takes one.
  struct Datetime {
    std::string text;
  };
  std::variant<Table, Array, std::string, std::int64_t, double, bool, Datetime> data;
  Position at;

  [[nodiscard]] const Table* table() const { return std::get_if<Table>(&data); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&data); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&data); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
  [[nodiscard]] const double* floating() const { return std::get_if<double>(&data); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&data); }
};

struct Entry {
  std::string key;
  Value value;
  Position at;  // of the key
};

// The value under `key`, or null.
[[nodiscard]] const Value* find(const Table& table, std::string_view key);

// "string", "integer", ... as messages name it.
[[nodiscard]] const char* type_name(const Value& value);

struct Limits {
  std::size_t max_bytes = std::size_t{64} << 10U;
  std::size_t max_line_bytes = 2048;
  std::size_t max_keys = 4096;
  std::size_t max_depth = 8;
};

struct ParseError {
  Position at;
  std::string message;  // what was found and what is allowed
};

// A whole document. A byte-order mark, invalid UTF-8 and a document beyond the limits are errors.
[[nodiscard]] std::variant<Table, ParseError> parse(std::string_view text, const Limits& limits = {});

}  // namespace belay::toml
