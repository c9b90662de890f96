#include "core/tokenizer/chat_template.hpp"

#include "core/base/format.hpp"
#include "core/base/sha256.hpp"
#include "core/base/text.hpp"
#include "core/tokenizer/chatml_matcher.hpp"
#include "core/tokenizer/jinja_outline.hpp"

#include <algorithm>
#include <array>

namespace belay::tokenizer {
namespace {

constexpr std::size_t kMaxTemplateBytes = std::size_t{64} << 10U;
constexpr std::string_view kThinkBegin = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

// Published templates that do more than ChatML, for tools and videos, which Belay does not have. The SHA-256
// is that of the text without white space at the end.
struct Published {
  std::string_view sha256;
  std::string_view default_system;
  bool has_reasoning;
  bool begins_thinking;
};
constexpr std::array kPublished = {
    // Qwen3-VL Instruct, 2B, 4B and 8B
    Published{"9d879ef91075acbfb2df7e441fd79d60bacfca989cf6d511d2af45c681e94f10", "", false, false},
    // Qwen3-VL Thinking
    Published{"84ed326ccec340f3c775d5a31c0aada290d59819c18e43650aabe14f1d42c839", "", true, true},
    // Qwen3, as first published and as it is now
    Published{"87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5", "", true, false},
    Published{"a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8", "", true, false},
    // Qwen3 Instruct 2507 and Thinking 2507
    Published{"64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326", "", false, false},
    Published{"3802169b2a02b81e6adb7ab4f64f91ff02db753c8c3a64a01c35192d3a61d8d7", "", true, true},
    // Qwen2.5 Instruct
    Published{"55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a",
              "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", false, false},
};

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

std::string_view strip_front(std::string_view text, std::string_view what = "\n") {
  return text.substr(std::min(text.find_first_not_of(what), text.size()));
}
std::string_view strip_back(std::string_view text, std::string_view what = "\n") {
  return text.substr(0, text.find_last_not_of(what) + 1);  // npos + 1 is 0
}

// An assistant's message of a model that thinks before it answers.
struct Answer {
  std::string_view reasoning;
  std::string_view content;
};

// Split at the marks as Qwen3's template does: the reasoning ends at the first </think>, the answer begins at
// the last.
Answer split_reasoning(std::string_view text) {
  const std::size_t first_end = text.find(kThinkEnd);
  if (first_end == std::string_view::npos) return {{}, text};
  std::string_view reasoning = strip_back(text.substr(0, first_end));
  const std::size_t begin = reasoning.rfind(kThinkBegin);
  if (begin != std::string_view::npos) reasoning.remove_prefix(begin + kThinkBegin.size());
  return {strip_back(strip_front(reasoning)),
          strip_front(text.substr(text.rfind(kThinkEnd) + kThinkEnd.size()))};
}

// The last message that a person wrote; answers up to there go without their reasoning.
std::size_t last_query(std::span<const Message> messages) {
  const auto is_tool_response = [](const std::string& text) {
    return text.starts_with("<tool_response>") && text.ends_with("</tool_response>");
  };
  for (std::size_t index = messages.size(); index-- > 0;) {
    if (messages[index].role == "user" && !is_tool_response(messages[index].content)) return index;
  }
  return messages.size() - 1;
}

std::string answer_text(std::span<const Message> messages, std::size_t index) {
  const Answer answer = split_reasoning(messages[index].content);
  const bool is_last = index + 1 == messages.size();
  const bool keeps_reasoning = index > last_query(messages) && (is_last || !answer.reasoning.empty());
  if (!keeps_reasoning) return std::string(answer.content);
  return format("{}\n{}\n{}\n\n{}", kThinkBegin, answer.reasoning, kThinkEnd, strip_front(answer.content));
}

void append_message(std::string& prompt, std::string_view role, std::string_view content) {
  prompt.append(kTurnBegin).append(role).append("\n").append(content).append(kTurnEnd);
}

Status check_role(std::string_view role, std::size_t index) {
  if (role == "user" || role == "assistant" || (role == "system" && index == 0)) return {};
  if (role == "system") {
    return fail(ErrorCode::kUsage, "message {}: this model takes a system message only in front", index);
  }
  return fail(ErrorCode::kUsage,
              "message {}: this model knows the roles system, user and assistant, not \"{}\"", index,
              printable(role));
}

}  // namespace

Result<std::string> ChatTemplate::render(std::span<const Message> messages,
                                         bool add_generation_prompt) const {
  std::string prompt;
  const bool needs_system = !messages.empty() && messages[0].role != "system";
  if (default_system && needs_system) append_message(prompt, "system", *default_system);
  for (std::size_t index = 0; index < messages.size(); ++index) {
    const Message& message = messages[index];
    if (fixed_roles) BELAY_TRY(check_role(message.role, index));
    const bool is_answer = has_reasoning && message.role == "assistant";
    append_message(prompt, message.role, is_answer ? answer_text(messages, index) : message.content);
  }
  if (add_generation_prompt) prompt.append(kAnswerBegin).append(begins_thinking ? "<think>\n" : "");
  return prompt;
}

Result<ChatTemplate> recognise_chat_template(std::string_view jinja) {
  if (jinja.size() <= kMaxTemplateBytes) {
    if (const auto outline = jinja_outline(jinja)) {
      if (auto found = match_chatml(*outline)) return *std::move(found);
    }
  }
  const std::string sha256 = sha256_hex(std::as_bytes(std::span(strip_back(jinja, " \t\r\n"))));
  for (const Published& row : kPublished) {
    if (row.sha256 != sha256) continue;
    ChatTemplate known;
    known.fixed_roles = true;
    known.has_reasoning = row.has_reasoning;
    known.begins_thinking = row.begins_thinking;
    if (!row.default_system.empty()) known.default_system = row.default_system;
    return known;
  }
  return fail(ErrorCode::kBadInput,
              "the model's chat template is none that Belay knows (it begins with \"{}\", SHA-256 {}); write "
              "the prompt "
              "with its markup yourself and use --raw",
              printable(first_line(jinja), 60), sha256);
}

}  // namespace belay::tokenizer
