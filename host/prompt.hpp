// What the user wants answered, from any of the ways to say it, as token ids.
#pragma once

#include "core/base/status.hpp"
#include "core/models/model_file.hpp"
#include "core/tokenizer/chat_template.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  std::vector<tokenizer::Message> messages;  // images stand in them as kImageMarkup
};
struct Prompt {
  std::variant<PromptText, PromptMessages, PromptIds> words;
  std::vector<std::filesystem::path> images;  // in the order of their places
};

// Whether any of --prompt, --prompt-file, --messages and --prompt-ids is given.
[[nodiscard]] bool has_prompt(const Options& options);

// Reads it, with the images of --image or of the messages. kUsage when none or several are given or a file
// cannot be read, kBadInput when what it holds is no prompt.
[[nodiscard]] Result<Prompt> read_prompt(const Options& options);

// The ids that the model sees: through its chat template unless `raw`, each image as `image_tokens` says.
// kBadInput when nothing is left to run, or the prompt has another number of places than there are images.
[[nodiscard]] Result<std::vector<std::int32_t>> encode_prompt(const Prompt& prompt,
                                                              const tokenizer::Tokenizer& tokenizer,
                                                              const models::ModelFile& model, bool raw,
                                                              std::span<const std::uint64_t> image_tokens);

// A conversation through the model's chat template, each image as one token.
[[nodiscard]] Result<std::vector<std::int32_t>> encode_conversation(
    const std::vector<tokenizer::Message>& messages, const tokenizer::Tokenizer& tokenizer,
    const models::ModelFile& model);

// Each place of an image repeated as often as the image has tokens. Ids that say so already are taken as they
// are. kBadInput for another number of places.
[[nodiscard]] Result<std::vector<std::int32_t>> expand_images(std::vector<std::int32_t> ids,
                                                              const tokenizer::Tokenizer& tokenizer,
                                                              std::span<const std::uint64_t> image_tokens);

// The token that images stand at, if the vocabulary has one.
[[nodiscard]] std::optional<std::int32_t> image_token(const tokenizer::Tokenizer& tokenizer);

// The messages of a JSON text, with their images; the ids of a JSON text. `name` is for messages.
[[nodiscard]] Result<Prompt> parse_messages(const std::string& text, const std::string& name);
[[nodiscard]] Result<PromptIds> parse_ids(const std::string& text, const std::string& name);

// kBadInput, with the place of the first bad byte, for a text that is not UTF-8. `name` and `way_out` are for
// the message.
[[nodiscard]] Status check_utf8(std::string_view text, std::string_view name, std::string_view way_out);

}  // namespace belay::host
