// Where a Hugging Face folder keeps its chat template. Any thread.
#pragma once

#include "core/base/status.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace belay::tokenizer {

// The Jinja text for recognise_chat_template: of chat_template.jinja, else chat_template.json, else
// tokenizer_config.json (there also a list of named templates, of which "default" is taken), the order of the
// reference. Nothing when none of them holds one. kBadInput, naming file and key, for what is not readable.
[[nodiscard]] Result<std::optional<std::string>> read_chat_template(const std::filesystem::path& folder);

}  // namespace belay::tokenizer
