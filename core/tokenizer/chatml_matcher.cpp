#include "core/tokenizer/chatml_matcher.hpp"

#include "core/base/format.hpp"

#include <string>

namespace belay::tokenizer {
namespace {

constexpr std::string_view kSystemBegin = "<|im_start|>system\n";

class ChatMlMatcher {
 public:
  explicit ChatMlMatcher(std::span<const JinjaItem> items) : rest_(items) {}

  std::optional<ChatTemplate> match() {
    skip_prologue();
    const std::string first = "if messages[0].role != 'system'";
    if (at_statement(first) && !take_default_system(first)) return std::nullopt;
    if (!take_loop() || !take_default_system_in_loop() || !take_message()) return std::nullopt;
    const bool whole = take_statement("endfor") && take_statement("if add_generation_prompt") &&
                       take_write(kAnswerBegin) && take_statement("endif") && rest_.empty();
    return whole ? std::optional(result_) : std::nullopt;
  }

 private:
  [[nodiscard]] bool at_statement(std::string_view text) const {
    return !rest_.empty() && rest_[0].kind == JinjaItem::Kind::kStatement && rest_[0].text == text;
  }
  bool take_statement(std::string_view text) {
    if (!at_statement(text)) return false;
    rest_ = rest_.subspan(1);
    return true;
  }
  std::optional<std::string_view> take_any_write() {
    if (rest_.empty() || rest_[0].kind != JinjaItem::Kind::kWrite) return std::nullopt;
    const std::string_view text = rest_[0].text;
    rest_ = rest_.subspan(1);
    return text;
  }
  bool take_write(std::string_view text) { return take_any_write() == text; }

  void skip_prologue() {
    if (!take_statement("if not add_generation_prompt is defined")) return;
    take_statement("set add_generation_prompt = false");
    take_statement("endif");
  }

  // "for NAME in messages"
  bool take_loop() {
    constexpr std::string_view kFor = "for ";
    constexpr std::string_view kIn = " in messages";
    if (rest_.empty() || rest_[0].kind != JinjaItem::Kind::kStatement) return false;
    const std::string_view text = rest_[0].text;
    if (text.size() <= kFor.size() + kIn.size() || !text.starts_with(kFor) || !text.ends_with(kIn))
      return false;
    message_ = text.substr(kFor.size(), text.size() - kFor.size() - kIn.size());
    rest_ = rest_.subspan(1);
    return message_.find(' ') == std::string::npos;
  }

  bool take_default_system(std::string_view condition) {
    if (result_.default_system || !take_statement(condition)) return false;
    const std::string_view text = take_any_write().value_or("");
    const bool framed = text.size() >= kSystemBegin.size() + kTurnEnd.size() &&
                        text.starts_with(kSystemBegin) && text.ends_with(kTurnEnd) &&
                        text.find(kHole) == std::string_view::npos;
    if (!framed || !take_statement("endif")) return false;
    result_.default_system =
        text.substr(kSystemBegin.size(), text.size() - kSystemBegin.size() - kTurnEnd.size());
    return true;
  }

  bool take_default_system_in_loop() {
    for (const std::string& first : {std::string("messages[0]"), message_}) {
      const std::string condition = "if loop.first and " + first + ".role != 'system'";
      if (at_statement(condition)) return take_default_system(condition);
    }
    return true;
  }

  bool take_message() {
    const std::string content = hole(message_ + ".content");
    const std::string wanted = format("{}{}\n{}{}", kTurnBegin, hole(message_ + ".role"), content, kTurnEnd);
    std::string text(take_any_write().value_or(""));
    if (at_statement("if " + message_ + ".content is string")) {
      if (!take_content_of_parts()) return false;
      text += content;
      text += take_any_write().value_or("");
    }
    return text == wanted;
  }

  // A content that is either a text or a list of texts and images.
  bool take_content_of_parts() {
    const std::string content = message_ + ".content";
    const bool text_branch =
        take_statement("if " + content + " is string") && take_write(hole(content)) && take_statement("else");
    if (!text_branch || rest_.empty()) return false;
    constexpr std::string_view kFor = "for ";
    const std::string in = " in " + content;
    const std::string_view loop = rest_[0].text;
    if (!loop.starts_with(kFor) || !loop.ends_with(in) || loop.size() <= kFor.size() + in.size())
      return false;
    const std::string part(loop.substr(kFor.size(), loop.size() - kFor.size() - in.size()));
    return take_statement(loop) && take_statement("if " + part + ".type == 'image'") &&
           take_write(kImageMarkup) && take_statement("else") && take_write(hole(part + ".text")) &&
           take_statement("endif") && take_statement("endfor") && take_statement("endif");
  }

  std::span<const JinjaItem> rest_;
  std::string message_;  // the loop's variable
  ChatTemplate result_;
};

}  // namespace

std::optional<ChatTemplate> match_chatml(std::span<const JinjaItem> outline) {
  return ChatMlMatcher(outline).match();
}

}  // namespace belay::tokenizer
