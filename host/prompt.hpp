// What the user wants answered, from any of the ways to say it, as token ids.
#pragma once

#include "core/base/status.hpp"
#include "core/models/model_file.hpp"
#include "core/tokenizer/chat_template.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace belay::host {

struct PromptIds {
  std::vector<std::int32_t> ids;
};
struct PromptText {
  std::string text;
};
struct PromptMessages {
  std::vector<tokenizer::Message> messages;
};
using Prompt = std::variant<PromptText, PromptMessages, PromptIds>;

// Reads --prompt, --prompt-file, --messages or --prompt-ids. kUsage when none or several are given or a file
// cannot be read, kBadInput when what it holds is no prompt.
[[nodiscard]] Result<Prompt> read_prompt(const Options& options);

// The ids that the model sees: through its chat template unless `raw`. kBadInput when nothing is left to run.
[[nodiscard]] Result<std::vector<std::int32_t>> encode_prompt(const Prompt& prompt,
                                                              const tokenizer::Tokenizer& tokenizer,
                                                              const models::ModelFile& model, bool raw);

// The messages of a JSON text; the ids of a JSON text. `name` is for messages.
[[nodiscard]] Result<PromptMessages> parse_messages(const std::string& text, const std::string& name);
[[nodiscard]] Result<PromptIds> parse_ids(const std::string& text, const std::string& name);

}  // namespace belay::host
