#include "core/base/toml.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <optional>
#include <sstream>

// toml++ asserts, or lets the optimiser assume, what hostile text breaks ("[&"), although its own checks
// follow. With these two lines both do nothing in every build.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace belay::toml {
namespace {

// Columns count characters, as toml++ counts them.
Position position_of(std::string_view text, std::size_t offset) {
  Position at{1, 1};
  for (const char c : text.substr(0, offset)) {
    const bool continuation = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    at = c == '\n' ? Position{at.line + 1, 1} : Position{at.line, at.column + (continuation ? 0U : 1U)};
  }
  return at;
}

ParseError error_at(std::string_view text, std::size_t offset, std::string message) {
  return {position_of(text, offset), std::move(message)};
}

std::optional<ParseError> check_bytes(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return ParseError{{1, 1},
                      format("the file has {} bytes; at most {} are read", text.size(), limits.max_bytes)};
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return ParseError{{1, 1}, "the file begins with a byte-order mark; save it as UTF-8 without one"};
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return error_at(text, nul, "a NUL byte; the file must be UTF-8 text");
  }
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return error_at(text, bad,
                    format("byte 0x{:02x} is not valid UTF-8", static_cast<unsigned char>(text[bad])));
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > limits.max_line_bytes) {
      return error_at(
          text, begin,
          format("a line of {} bytes; a line has at most {}", end - begin, limits.max_line_bytes));
    }
    begin = end + 1;
  }
  return std::nullopt;
}

// Bounds what makes toml++ recurse or allocate: brackets inside brackets, the parts of a dotted key, and
// keys. Knows just enough TOML to step over strings and comments; whether the text is well-formed, toml++
// decides.
class Scanner {
 public:
  Scanner(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  std::optional<ParseError> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        count(c);
        if (keys_ > limits_.max_keys) return refuse("keys", limits_.max_keys);
        if (nesting_ > limits_.max_depth) return refuse("brackets inside each other", limits_.max_depth);
        if (dots_ >= limits_.max_depth) return refuse("parts of a dotted key", limits_.max_depth);
        ++at_;
      }
    }
    return std::nullopt;
  }

 private:
  // A header counts as a key by the bracket that begins its line, a pair by its '=', a dotted key by each
  // dot as well.
  void count(char c) {
    if (c == '=' || c == '.' || (c == '[' && line_is_blank_)) ++keys_;
    line_is_blank_ = c == '\n' || (line_is_blank_ && (c == ' ' || c == '\t'));
    if (c == '[' || c == '{') ++nesting_;
    if ((c == ']' || c == '}') && nesting_ > 0) --nesting_;
    if (c == '.') ++dots_;
    const bool ends_key = c == ',' || c == '=' || c == '[' || c == ']' || c == '{' || c == '}' || c == '\n';
    if (ends_key) dots_ = 0;
  }

  void skip_string(char quote) {
    const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
    const bool multi_line = text_.substr(at_).starts_with(three);
    at_ += multi_line ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && quote == '"') {
        ++at_;
      } else if (!multi_line && (text_[at_] == quote || text_[at_] == '\n')) {
        at_ += text_[at_] == quote ? 1 : 0;
        return;
      } else if (multi_line && text_.substr(at_).starts_with(three)) {
        at_ += 3;  // one or two more quotes still belong to the string
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return;
      }
    }
    at_ = std::min(at_, text_.size());
  }

  [[nodiscard]] ParseError refuse(std::string_view what, std::size_t most) const {
    return error_at(text_, at_, format("more than {} {}; that is the most allowed", most, what));
  }

  std::string_view text_;
  const Limits& limits_;
  std::size_t at_ = 0;
  bool line_is_blank_ = true;
  std::size_t keys_ = 0;
  std::size_t nesting_ = 0;
  std::size_t dots_ = 0;
};

Position begin_of(const ::toml::source_region& region) { return {region.begin.line, region.begin.column}; }

// toml++'s tree as plain data, refused below `max_depth`.
class Converter {
 public:
  explicit Converter(std::size_t max_depth) : max_depth_(max_depth) {}

  [[nodiscard]] const std::optional<ParseError>& error() const { return error_; }

  Table table(const ::toml::table& source, std::size_t depth) {
    Table out;
    out.reserve(source.size());
    for (const auto& [key, node] : source) {
      out.push_back({std::string(key.str()), value(node, depth + 1), begin_of(key.source())});
    }
    const auto order = [](const Entry& entry) { return std::pair(entry.at.line, entry.at.column); };
    std::sort(out.begin(), out.end(), [&](const Entry& a, const Entry& b) { return order(a) < order(b); });
    return out;
  }

 private:
  Value value(const ::toml::node& node, std::size_t depth) {
    Value out;
    out.at = begin_of(node.source());
    if (depth > max_depth_) {
      error_ =
          ParseError{out.at, format("nested more than {} levels deep; that is the most allowed", max_depth_)};
    } else {
      node.visit([&](const auto& concrete) { fill(concrete, depth, out); });
    }
    return out;
  }

  template <class Node>
  void fill(const Node& node, std::size_t depth, Value& out) {
    if constexpr (::toml::is_table<Node>) {
      out.data = table(node, depth);
    } else if constexpr (::toml::is_array<Node>) {
      Array elements;
      elements.reserve(node.size());
      for (const ::toml::node& element : node) elements.push_back(value(element, depth + 1));
      out.data = std::move(elements);
    } else if constexpr (::toml::is_chronological<Node>) {
      std::ostringstream text;
      text << node.get();
      out.data = Value::Datetime{text.str()};
    } else {
      out.data = node.get();
    }
  }

  std::size_t max_depth_;
  std::optional<ParseError> error_;
};

}  // namespace

const Value* find(const Table& table, std::string_view key) {
  const auto entry = std::find_if(table.begin(), table.end(), [&](const Entry& e) { return e.key == key; });
  return entry == table.end() ? nullptr : &entry->value;
}

const char* type_name(const Value& value) {
  constexpr const char* kNames[] = {"table", "array",   "string",      "integer",
                                    "float", "boolean", "date or time"};
  return kNames[value.data.index()];
}

std::variant<Table, ParseError> parse(std::string_view text, const Limits& limits) {
  if (auto error = check_bytes(text, limits)) return *std::move(error);
  if (auto error = Scanner(text, limits).run()) return *std::move(error);
  const ::toml::parse_result parsed = ::toml::parse(text);
  if (!parsed) {
    return ParseError{begin_of(parsed.error().source()), printable(parsed.error().description(), 400)};
  }
  Converter converter(limits.max_depth);
  Table table = converter.table(parsed.table(), 0);
  if (converter.error()) return *converter.error();
  return table;
}

}  // namespace belay::toml
