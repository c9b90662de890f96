// Recognises the one form that ChatML templates have, in its usual spellings. Pure; any thread.
#pragma once

#include "core/tokenizer/chat_template.hpp"
#include "core/tokenizer/jinja_outline.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace belay::tokenizer {

// The marks of ChatML: <|im_start|>ROLE\nCONTENT<|im_end|>\n
inline constexpr std::string_view kTurnBegin = "<|im_start|>";
inline constexpr std::string_view kTurnEnd = "<|im_end|>\n";
inline constexpr std::string_view kAnswerBegin = "<|im_start|>assistant\n";

// Nothing when the outline says anything else than: maybe a default system message, every message in turn,
// and the begin of the answer.
[[nodiscard]] std::optional<ChatTemplate> match_chatml(std::span<const JinjaItem> outline);

}  // namespace belay::tokenizer
