#include "core/tokenizer/jinja_outline.hpp"

#include <algorithm>

namespace belay::tokenizer {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

struct Word {
  enum class Kind { kName, kString, kSign };
  Kind kind;
  std::string text;  // of a string: its value
};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The value of the string literal at the start of `text`, which is cut off. Nothing when it does not end or
// has an escape other than \n, \t, \\ and quotes.
std::optional<std::string> take_string(std::string_view& text) {
  const char quote = text[0];
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    char c = text[at];
    if (c == quote) {
      text.remove_prefix(at + 1);
      return value;
    }
    if (c == kHole) return std::nullopt;
    if (c == '\\') {
      if (++at == text.size()) return std::nullopt;
      constexpr std::string_view kEscapes = "nt\\'\"";
      const std::size_t which = kEscapes.find(text[at]);
      if (which == std::string_view::npos) return std::nullopt;
      c = std::string_view("\n\t\\'\"")[which];
    }
    value += c;
  }
  return std::nullopt;
}

std::optional<std::vector<Word>> words_of(std::string_view code) {
  std::vector<Word> words;
  while (true) {
    code.remove_prefix(std::min(code.find_first_not_of(kSpaces), code.size()));
    if (code.empty()) return words;
    if (code[0] == '\'' || code[0] == '"') {
      auto value = take_string(code);
      if (!value) return std::nullopt;
      words.push_back({Word::Kind::kString, *std::move(value)});
      continue;
    }
    const auto end_of_name = std::find_if_not(code.begin(), code.end(), is_name_char);
    auto length = static_cast<std::size_t>(end_of_name - code.begin());
    const Word::Kind kind = length > 0 ? Word::Kind::kName : Word::Kind::kSign;
    if (length == 0) length = code.starts_with("!=") || code.starts_with("==") ? 2 : 1;
    words.push_back({kind, std::string(code.substr(0, length))});
    code.remove_prefix(length);
  }
}

bool is_sign(const Word& word, std::string_view sign) {
  return word.kind == Word::Kind::kSign && word.text == sign;
}

// Rewrites name['member'] as name.member.
void dot_members(std::vector<Word>& words) {
  for (std::size_t at = 1; at + 2 < words.size(); ++at) {
    const bool member =
        is_sign(words[at], "[") && words[at + 1].kind == Word::Kind::kString && is_sign(words[at + 2], "]");
    const bool behind_value = words[at - 1].kind == Word::Kind::kName || is_sign(words[at - 1], "]");
    const std::string& name = words[at + 1].text;
    if (!member || !behind_value || name.empty() || !std::all_of(name.begin(), name.end(), is_name_char))
      continue;
    words[at].text.assign(1, '.');
    words[at + 1].kind = Word::Kind::kName;
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(at) + 2);
  }
}

std::string quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

std::string spell(const std::vector<Word>& words) {
  std::string text;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const bool tight = at == 0 || is_sign(words[at], ".") || is_sign(words[at - 1], ".") ||
                       is_sign(words[at], "[") || is_sign(words[at - 1], "[") || is_sign(words[at], "]");
    if (!tight) text += ' ';
    text += words[at].kind == Word::Kind::kString ? quoted(words[at].text) : words[at].text;
  }
  return text;
}

// What {{ code }} writes: strings and values joined by + or ~. Nothing for any other expression.
std::optional<std::string> written(std::vector<Word> words) {
  std::string text;
  std::vector<Word> value;
  words.push_back({Word::Kind::kSign, "+"});  // so that the last term ends like the others
  for (Word& word : words) {
    if (!is_sign(word, "+") && !is_sign(word, "~")) {
      const bool simple =
          word.kind != Word::Kind::kSign || word.text == "." || word.text == "[" || word.text == "]";
      if (!simple) return std::nullopt;
      value.push_back(std::move(word));
      continue;
    }
    if (value.empty()) return std::nullopt;
    const bool literal = value.size() == 1 && value[0].kind == Word::Kind::kString;
    text += literal ? value[0].text : hole(spell(value));
    value.clear();
  }
  return text;
}

class OutlineReader {
 public:
  explicit OutlineReader(std::string_view text) : rest_(text) {
    if (rest_.ends_with('\n')) rest_.remove_suffix(1);  // as the renderer does
  }

  std::optional<std::vector<JinjaItem>> read() {
    while (!rest_.empty()) {
      const std::size_t open = next_tag();
      std::string_view plain = rest_.substr(0, open);
      rest_.remove_prefix(plain.size());
      if (plain.find(kHole) != std::string_view::npos) return std::nullopt;
      strip_before_tag(plain);
      write(plain);
      if (!rest_.empty() && !read_tag()) return std::nullopt;
    }
    return std::move(items_);
  }

 private:
  [[nodiscard]] std::size_t next_tag() const {
    std::size_t at = rest_.find('{');
    while (at != std::string_view::npos) {
      const std::string_view tag = rest_.substr(at, 2);
      if (tag == "{{" || tag == "{%" || tag == "{#") break;
      at = rest_.find('{', at + 1);
    }
    return at;
  }

  // White space in front of a tag goes when the tag says so, or when it begins the line of a statement.
  void strip_before_tag(std::string_view& plain) const {
    const bool dash = rest_.size() > 2 && rest_[2] == '-';
    const std::size_t kept = plain.find_last_not_of(dash ? kSpaces : " \t") + 1;  // npos + 1 is 0
    const bool begins_line = kept == 0 ? at_line_start_ : plain[kept - 1] == '\n';
    const bool statement = rest_.starts_with("{%") || rest_.starts_with("{#");
    if (dash || (statement && begins_line)) plain = plain.substr(0, kept);
  }

  bool read_tag() {
    const char kind = rest_[1];
    const std::string_view close = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
    const std::size_t end = end_of_tag(close);
    if (end == std::string_view::npos) return false;
    std::string_view code = rest_.substr(2, end - 2);
    rest_.remove_prefix(end + 2);
    const bool dash = code.ends_with('-');
    if (code.starts_with('-')) code.remove_prefix(1);
    if (dash && !code.empty()) code.remove_suffix(1);
    strip_behind_tag(dash, kind != '{');
    return kind == '#' || add(code, kind == '{');
  }

  // Where `close` begins, not looking into strings.
  [[nodiscard]] std::size_t end_of_tag(std::string_view close) const {
    char quote = 0;
    for (std::size_t at = 2; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (quote != 0) {
        if (c == '\\') ++at;
        if (c == quote) quote = 0;
      } else if (rest_.substr(at).starts_with(close)) {
        return at;
      } else if ((c == '\'' || c == '"') && close != "#}") {
        quote = c;
      }
    }
    return std::string_view::npos;
  }

  void strip_behind_tag(bool dash, bool statement) {
    const std::size_t before = rest_.size();
    if (dash) {
      rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpaces), rest_.size()));
    } else if (statement && rest_.starts_with('\n')) {
      rest_.remove_prefix(1);
    }
    at_line_start_ = rest_.size() != before;
  }

  bool add(std::string_view code, bool is_write) {
    auto words = words_of(code);
    if (!words || words->empty()) return false;
    dot_members(*words);
    if (!is_write) {
      items_.push_back({JinjaItem::Kind::kStatement, spell(*words)});
      return true;
    }
    const auto text = written(*std::move(words));
    if (text) write(*text);
    return text.has_value();
  }

  void write(std::string_view text) {
    if (text.empty()) return;
    if (items_.empty() || items_.back().kind != JinjaItem::Kind::kWrite) items_.emplace_back();
    items_.back().text += text;
  }

  std::string_view rest_;
  bool at_line_start_ = true;
  std::vector<JinjaItem> items_;
};

}  // namespace

std::string hole(std::string_view expression) { return kHole + std::string(expression) + kHole; }

std::optional<std::vector<JinjaItem>> jinja_outline(std::string_view text) {
  return OutlineReader(text).read();
}

}  // namespace belay::tokenizer
