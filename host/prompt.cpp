#include "host/prompt.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"

#include <array>

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

// content: a string, or a list of parts of which text can be taken.
Result<std::string> content_text(const Json& content, const std::string& name) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return bad_json(name, "\"content\" must be a string or a list of parts");
  std::string text;
  for (const Json& part : content) {
    const bool typed = part.is_object() && part.contains("type") && part["type"].is_string();
    if (typed && part["type"] == "image") {
      return bad_json(name,
                      "a message has an image, but this model has no vision part; remove the image or take a "
                      "vision model");
    }
    if (!typed || part["type"] != "text" || !part.contains("text") || !part["text"].is_string()) {
      return bad_json(name, R"(a part of "content" must be {"type":"text","text":"..."})");
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

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

Result<std::vector<std::int32_t>> encode_text(const std::string& text, const tokenizer::Tokenizer& tokenizer,
                                              const models::ModelFile& model, bool raw) {
  if (text.empty()) return fail(ErrorCode::kBadInput, "the prompt is empty; give at least one character");
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
    return fail(ErrorCode::kBadInput,
                "the prompt is not UTF-8: its byte {} is {:#04x}; convert it, or give --prompt-ids", bad + 1,
                static_cast<unsigned char>(text[bad]));
  }
  if (raw) return tokenizer.encode(text, tokenizer::Specials::kParse);
  return encode_conversation({{"user", text}}, tokenizer, model);
}

// A text or a conversation, behind the token that the model wants in front of every prompt.
Result<std::vector<std::int32_t>> encode_words(const Prompt& prompt, const tokenizer::Tokenizer& tokenizer,
                                               const models::ModelFile& model, bool raw) {
  std::vector<std::int32_t> ids;
  if (const auto* conversation = std::get_if<PromptMessages>(&prompt)) {
    if (raw) return fail(ErrorCode::kUsage, "--messages needs the chat template that --raw turns off");
    BELAY_TRY_ASSIGN(ids, encode_conversation(conversation->messages, tokenizer, model));
  } else {
    BELAY_TRY_ASSIGN(ids, encode_text(std::get<PromptText>(prompt).text, tokenizer, model, raw));
  }
  const auto bos = tokenizer.leading_bos();
  if (bos && (ids.empty() || ids[0] != *bos)) ids.insert(ids.begin(), *bos);
  return ids;
}

}  // namespace

Result<PromptMessages> parse_messages(const std::string& text, const std::string& name) {
  BELAY_TRY_ASSIGN(const Json json, read_json(text, name));
  if (!json.is_array() || json.empty()) return bad_json(name, "must be a JSON array of at least one message");
  PromptMessages prompt;
  for (const Json& message : json) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string() ||
        !message.contains("content")) {
      return bad_json(name, R"(each message must be {"role":"...","content":...})");
    }
    BELAY_TRY_ASSIGN(std::string content, content_text(message["content"], name));
    prompt.messages.push_back({message["role"].get<std::string>(), std::move(content)});
  }
  return prompt;
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

Result<Prompt> read_prompt(const Options& options) {
  constexpr std::array<const char*, 4> kWays = {"prompt", "prompt-file", "messages", "prompt-ids"};
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
  const std::string value = *options.text(way);
  const std::string_view name = way;
  if (name == "prompt") return Prompt(PromptText{value});
  BELAY_TRY_ASSIGN(std::string text, read_file(value, kMostPromptBytes, ErrorCode::kUsage));
  const std::string file = printable(value, 400);
  if (name == "prompt-file") return Prompt(PromptText{std::move(text)});
  if (name == "messages") {
    BELAY_TRY_ASSIGN(PromptMessages messages, parse_messages(text, file));
    return Prompt(std::move(messages));
  }
  BELAY_TRY_ASSIGN(PromptIds ids, parse_ids(text, file));
  return Prompt(std::move(ids));
}

Result<std::vector<std::int32_t>> encode_prompt(const Prompt& prompt, const tokenizer::Tokenizer& tokenizer,
                                                const models::ModelFile& model, bool raw) {
  std::vector<std::int32_t> ids;
  if (const auto* given = std::get_if<PromptIds>(&prompt)) {
    ids = given->ids;
  } else {
    BELAY_TRY_ASSIGN(ids, encode_words(prompt, tokenizer, model, raw));
  }
  if (ids.empty()) return fail(ErrorCode::kBadInput, "the prompt has no tokens; give at least one");
  return ids;
}

}  // namespace belay::host
