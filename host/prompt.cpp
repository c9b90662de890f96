#include "host/prompt.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace belay::host {
namespace {

constexpr std::uint64_t kMostPromptBytes = std::uint64_t{64} << 20U;

Error bad_json(const std::string& name, std::string_view what) {
  return fail(ErrorCode::kBadInput, "{}: {}", name, what);
}

Result<Json> read_json(const std::string& text, const std::string& name) {
  auto json = parse_json(text, ErrorCode::kBadInput);
  if (!json.ok()) return bad_json(name, json.error().message);
  return json;
}

// One part of a message's content, added to its text and to the images of the prompt.
Status add_part(const Json& part, const std::string& name, std::string& text,
                std::vector<std::filesystem::path>& images) {
  const auto string_at = [&](const char* key) { return part.contains(key) && part[key].is_string(); };
  const bool typed = part.is_object() && string_at("type");
  if (typed && part["type"] == "text" && string_at("text")) {
    text += part["text"].get<std::string>();
  } else if (typed && part["type"] == "image" && string_at("path")) {
    text += tokenizer::kImageMarkup;
    images.emplace_back(part["path"].get<std::string>());
  } else {
    return bad_json(
        name, R"(a part of "content" must be {"type":"text","text":"..."} or {"type":"image","path":"..."})");
  }
  return {};
}

// content: a string, or a list of parts.
Result<std::string> read_content(const Json& content, const std::string& name,
                                 std::vector<std::filesystem::path>& images) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return bad_json(name, "\"content\" must be a string or a list of parts");
  std::string text;
  for (const Json& part : content) BELAY_TRY(add_part(part, name, text, images));
  return text;
}

Result<std::vector<std::int32_t>> encode_text(const Prompt& prompt, const std::string& text,
                                              const tokenizer::Tokenizer& tokenizer,
                                              const models::ModelFile& model, bool raw) {
  if (text.empty() && prompt.images.empty())
    return fail(ErrorCode::kBadInput, "the prompt is empty; give at least one character");
  BELAY_TRY(check_utf8(text, "the prompt", "--prompt-ids"));
  if (raw) return tokenizer.encode(text, tokenizer::Specials::kParse);
  std::string content;  // the images first, then what is asked about them
  for (std::size_t i = 0; i < prompt.images.size(); ++i) content += tokenizer::kImageMarkup;
  return encode_conversation({{"user", content + text}}, tokenizer, model);
}

// A text or a conversation, behind the token that the model wants in front of every prompt.
Result<std::vector<std::int32_t>> encode_words(const Prompt& prompt, const tokenizer::Tokenizer& tokenizer,
                                               const models::ModelFile& model, bool raw) {
  std::vector<std::int32_t> ids;
  if (const auto* conversation = std::get_if<PromptMessages>(&prompt.words)) {
    if (raw) return fail(ErrorCode::kUsage, "--messages needs the chat template that --raw turns off");
    BELAY_TRY_ASSIGN(ids, encode_conversation(conversation->messages, tokenizer, model));
  } else {
    BELAY_TRY_ASSIGN(ids,
                     encode_text(prompt, std::get<PromptText>(prompt.words).text, tokenizer, model, raw));
  }
  const auto bos = tokenizer.leading_bos();
  if (bos && (ids.empty() || ids[0] != *bos)) ids.insert(ids.begin(), *bos);
  return ids;
}

constexpr std::array<const char*, 4> kWays = {"prompt", "prompt-file", "messages", "prompt-ids"};

// The words that one way of giving a prompt leads to; images only of messages.
Result<Prompt> read_words(std::string_view way, const std::string& value) {
  if (way == "prompt") return Prompt{PromptText{value}, {}};
  BELAY_TRY_ASSIGN(std::string text, read_file(value, kMostPromptBytes, ErrorCode::kUsage));
  const std::string file = printable(value, 400);
  if (way == "prompt-file") return Prompt{PromptText{std::move(text)}, {}};
  if (way == "messages") return parse_messages(text, file);
  BELAY_TRY_ASSIGN(PromptIds ids, parse_ids(text, file));
  return Prompt{std::move(ids), {}};
}

}  // namespace

Result<std::vector<std::int32_t>> encode_conversation(const std::vector<tokenizer::Message>& messages,
                                                      const tokenizer::Tokenizer& tokenizer,
                                                      const models::ModelFile& model) {
  if (!model.chat_template()) {
    return fail(ErrorCode::kBadInput, "{}: the model has no chat template; give the prompt with --raw",
                model.name());
  }
  BELAY_TRY_ASSIGN(const tokenizer::ChatTemplate chat,
                   tokenizer::recognise_chat_template(*model.chat_template()));
  BELAY_TRY_ASSIGN(const std::string rendered, chat.render(messages, true));
  return tokenizer.encode(rendered, tokenizer::Specials::kParse);
}

std::optional<std::int32_t> image_token(const tokenizer::Tokenizer& tokenizer) {
  return tokenizer.find("<|image_pad|>");
}

Result<std::vector<std::int32_t>> expand_images(std::vector<std::int32_t> ids,
                                                const tokenizer::Tokenizer& tokenizer,
                                                std::span<const std::uint64_t> image_tokens) {
  if (image_tokens.empty()) return ids;
  const auto token = image_token(tokenizer);
  const auto places = token ? static_cast<std::uint64_t>(std::count(ids.begin(), ids.end(), *token)) : 0;
  if (places == std::accumulate(image_tokens.begin(), image_tokens.end(), std::uint64_t{0})) return ids;
  if (places != image_tokens.size()) {
    return fail(ErrorCode::kBadInput,
                "{} images are given, and the prompt has {} places for them; each needs one <|image_pad|>",
                image_tokens.size(), places);
  }
  std::vector<std::int32_t> expanded;
  std::size_t next = 0;
  for (const std::int32_t id : ids)
    expanded.insert(expanded.end(), id == *token ? image_tokens[next++] : 1, id);
  return expanded;
}

Result<Prompt> parse_messages(const std::string& text, const std::string& name) {
  BELAY_TRY_ASSIGN(const Json json, read_json(text, name));
  if (!json.is_array() || json.empty()) return bad_json(name, "must be a JSON array of at least one message");
  PromptMessages conversation;
  std::vector<std::filesystem::path> images;
  for (const Json& message : json) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string() ||
        !message.contains("content")) {
      return bad_json(name, R"(each message must be {"role":"...","content":...})");
    }
    BELAY_TRY_ASSIGN(std::string content, read_content(message["content"], name, images));
    conversation.messages.push_back({message["role"].get<std::string>(), std::move(content)});
  }
  return Prompt{std::move(conversation), std::move(images)};
}

Result<PromptIds> parse_ids(const std::string& text, const std::string& name) {
  BELAY_TRY_ASSIGN(const Json json, read_json(text, name));
  if (!json.is_array()) return bad_json(name, "must be a JSON array of token ids");
  PromptIds prompt;
  for (const Json& value : json) {
    const auto id =
        value.is_number_integer() ? narrow<std::int32_t>(value.get<std::int64_t>()) : std::nullopt;
    if (!id || *id < 0) {
      return bad_json(
          name, format("element {} is {}, not a token id", prompt.ids.size(), printable(to_line(value))));
    }
    prompt.ids.push_back(*id);
  }
  return prompt;
}

Status check_utf8(std::string_view text, std::string_view name, std::string_view way_out) {
  const std::size_t bad = find_invalid_utf8(text);
  if (bad == std::string::npos) return {};
  return fail(ErrorCode::kBadInput, "{} is not UTF-8: its byte {} is {:#04x}; convert it, or give {}", name,
              bad + 1, static_cast<unsigned char>(text[bad]), way_out);
}

bool has_prompt(const Options& options) {
  return std::any_of(kWays.begin(), kWays.end(), [&](const char* way) { return options.has(way); });
}

Result<Prompt> read_prompt(const Options& options) {
  const char* way = nullptr;
  for (const char* name : kWays) {
    if (!options.has(name)) continue;
    if (way != nullptr)
      return fail(ErrorCode::kUsage, "--{} and --{} both give a prompt; keep one", way, name);
    way = name;
  }
  if (way == nullptr)
    return fail(ErrorCode::kUsage,
                "no prompt: give --prompt TEXT, --prompt-file, --messages or --prompt-ids");
  BELAY_TRY_ASSIGN(Prompt prompt, read_words(way, *options.text(way)));
  const std::vector<std::string> images = options.all("image");
  if (!images.empty() && std::holds_alternative<PromptMessages>(prompt.words)) {
    return fail(ErrorCode::kUsage,
                R"(--messages and --image: put the images into the messages, as {{"type":"image",)"
                R"("path":"..."}})");
  }
  for (const std::string& path : images) prompt.images.emplace_back(path);
  return prompt;
}

Result<std::vector<std::int32_t>> encode_prompt(const Prompt& prompt, const tokenizer::Tokenizer& tokenizer,
                                                const models::ModelFile& model, bool raw,
                                                std::span<const std::uint64_t> image_tokens) {
  std::vector<std::int32_t> ids;
  if (const auto* given = std::get_if<PromptIds>(&prompt.words)) {
    ids = given->ids;
  } else {
    BELAY_TRY_ASSIGN(ids, encode_words(prompt, tokenizer, model, raw));
  }
  if (ids.empty()) return fail(ErrorCode::kBadInput, "the prompt has no tokens; give at least one");
  return expand_images(std::move(ids), tokenizer, image_tokens);
}

}  // namespace belay::host
