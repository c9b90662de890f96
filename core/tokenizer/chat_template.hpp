// How a model wants a conversation written. The model's own template is a Jinja program and is never run: its
// form is recognised (ChatML with or without a default system prompt) and Belay's own code does the writing.
// Pure; any thread.
#pragma once

#include "core/base/status.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace belay::tokenizer {

struct Message {
  std::string role;     // "system", "user", "assistant"
  std::string content;  // text; images stand in it as kImageMarkup
};

// Where a picture stands in the text of a Qwen-VL message. Each <|image_pad|> is later repeated once per
// image token.
inline constexpr std::string_view kImageMarkup = "<|vision_start|><|image_pad|><|vision_end|>";

struct ChatTemplate {
  // Written as a system message when the first message is not one.
  std::optional<std::string> default_system;
  // The template knows only user, assistant and one system message in front; else any role goes.
  bool fixed_roles = false;
  // Assistant messages may hold <think>reasoning</think>, which is dropped from all but the running exchange.
  bool has_reasoning = false;
  // The answer begins inside <think>.
  bool begins_thinking = false;

  // The prompt: each message as <|im_start|>ROLE\nCONTENT<|im_end|>\n, then, if asked for, the begin of the
  // assistant's answer. Contents go in as they are: special tokens that they spell out are special, as in the
  // reference. kUsage for a role, or an order of roles, that the template does not know.
  [[nodiscard]] Result<std::string> render(std::span<const Message> messages,
                                           bool add_generation_prompt) const;
};

// The form behind a model's template (GGUF: tokenizer.chat_template). kBadInput, naming the template by its
// first line and SHA-256, when it is none that Belay knows.
[[nodiscard]] Result<ChatTemplate> recognise_chat_template(std::string_view jinja);

}  // namespace belay::tokenizer
