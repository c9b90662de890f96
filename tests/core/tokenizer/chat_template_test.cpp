#include "core/tokenizer/chat_template.hpp"

#include "core/tokenizer/jinja_outline.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

namespace belay::test {
namespace {

using tokenizer::ChatTemplate;
using tokenizer::Message;
using tokenizer::recognise_chat_template;

constexpr std::string_view kLoop =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}"
    "{% endfor %}";
constexpr std::string_view kAnswer =
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

std::string plain_chatml() { return std::string(kLoop) + std::string(kAnswer); }

std::string render(const ChatTemplate& chat, const std::vector<Message>& messages, bool answer = true) {
  auto prompt = chat.render(messages, answer);
  REQUIRE(prompt.ok());
  return *std::move(prompt);
}

ChatTemplate recognise(std::string_view jinja) {
  const auto chat = recognise_chat_template(jinja);
  REQUIRE_MESSAGE(chat.ok(), (chat.ok() ? "" : chat.error().message));
  return *chat;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("the goldens' conversations are rendered as the reference does") {
  for (const std::string_view name : {"llama_a_mixed__text", "llama_a_mixed__long", "llama_k__text"}) {
    const Json example = golden_json("cases/" + std::string(name) + ".json");
    const formats::GgufFile file = golden_gguf(example.at("gguf").get<std::string>());
    const ChatTemplate chat = recognise(file.get_string("tokenizer.chat_template").value());
    CHECK(chat.default_system == "You are a tiny test model.");
    std::vector<Message> messages;
    for (const Json& message : example.at("messages")) {
      messages.push_back({message.at(0).get<std::string>(), message.at(1).get<std::string>()});
    }
    const std::string rendered = render(chat, messages);
    CHECK(rendered == example.at("rendered").get<std::string>());
    CHECK(encode(golden_tokenizer(kSmollmFile), rendered).size() ==
          example.at("prompt_tokens").get<std::size_t>());
  }
}

TEST_CASE("SmolLM2's template has a default system message") {
  const ChatTemplate chat =
      recognise(golden_json("smollm2_goldens.json").at("chat_template").get<std::string>());
  CHECK(chat.default_system == "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
  CHECK(render(chat, {{"user", "hi"}}) ==
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  CHECK(render(chat, {{"system", "Be brief."}, {"user", "hi"}}, false) ==
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n");
}

TEST_CASE("the vision model's template takes texts and images") {
  const ChatTemplate chat = recognise(golden_gguf(kQwenFile).get_string("tokenizer.chat_template").value());
  CHECK_FALSE(chat.default_system.has_value());
  const std::string content = "What is " + std::string(tokenizer::kImageMarkup) + "?";
  CHECK(render(chat, {{"user", content}}) ==
        "<|im_start|>user\nWhat is "
        "<|vision_start|><|image_pad|><|vision_end|>?<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("ChatML is recognised in its usual spellings") {
  const std::string guard =
      "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}";
  const std::string blocks =
      "{% for m in messages %}\n  {% if loop.first and m.role != 'system' "
      "%}\n<|im_start|>system\nhello\n<|im_end|>\n"
      "  {% endif %}\n<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\n"
      "{% if add_generation_prompt %}\n<|im_start|>assistant\n{% endif %}\n";
  const std::string dashes =
      "{#- a comment -#}\n{%- for m in messages %}\n    {{- \"<|im_start|>\" ~ m[\"role\"] ~ \"\\n\" ~ "
      "m.content }}\n"
      "    {{- '<|im_end|>\\n' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- "
      "'<|im_start|>assistant\\n' }}\n"
      "{%- endif %}\n";
  const std::string before =
      "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nIt\\'s me<|im_end|>\\n' }}{% endif "
      "%}" +
      plain_chatml();
  CHECK_FALSE(recognise(plain_chatml()).default_system.has_value());
  CHECK_FALSE(recognise(guard + plain_chatml()).default_system.has_value());
  CHECK(recognise(blocks).default_system == "hello\n");
  CHECK_FALSE(recognise(dashes).default_system.has_value());
  CHECK(recognise(before).default_system == "It's me");
}

TEST_CASE("a template that says anything else is refused by first line and hash") {
  const std::string chatml = plain_chatml();
  const std::vector<std::string> others = {
      "",
      "{{ ''.__class__.__mro__ }}",
      std::string(kLoop),
      chatml + "x",
      "x" + chatml,
      replaced(chatml, "message['content']", "message['content'] | trim"),
      replaced(chatml, "message['role']", "message['rule']"),
      replaced(chatml, "'\n' + message", "' ' + message"),
      replaced(chatml, "in messages", "in messages[1:]"),
      replaced(chatml, "{% endfor %}", ""),
      replaced(chatml, "assistant", "bot"),
      replaced(chatml, "{{'<|im_start|>'", "{{ raise_exception('no') }}{{'<|im_start|>'"),
      replaced(chatml, "{{'<|im_start|>'", "{{ \x01message.role\x01 }}{{'<|im_start|>'"),
      replaced(chatml, "{{'<|im_start|>'", "\x01{{'<|im_start|>'"),
      "{% if loop.first and message.role != 'system' %}" + chatml,
      "{% if messages[0].role != 'system' %}{{ messages[0].content }}{% endif %}" + chatml,
      "{% for message in messages %",
      "{{ 'open",
      std::string(70'000, '{') + chatml,
      std::string(70'000, ' ') + chatml,
  };
  for (const std::string& other : others) {
    const auto chat = recognise_chat_template(other);
    CAPTURE(other.substr(0, 200));
    REQUIRE_FALSE(chat.ok());
    CHECK(chat.error().code == ErrorCode::kBadInput);
    CHECK(chat.error().message.find("SHA-256") != std::string::npos);
    CHECK(chat.error().message.find("--raw") != std::string::npos);
  }
}

TEST_CASE("strings in statements cannot pass for structure") {
  const auto outline = tokenizer::jinja_outline("{% if m.role == \"a' != 'b\" %}");
  REQUIRE(outline.has_value());
  CHECK(outline->at(0).text == "if m.role == 'a\\' != \\'b'");
}

TEST_CASE("a template with fixed roles refuses others") {
  ChatTemplate chat;
  chat.fixed_roles = true;
  CHECK(render(chat, {{"system", "s"}, {"user", "u"}}) ==
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
  for (const std::vector<Message>& bad :
       {std::vector<Message>{{"tool", "x"}}, {{"user", "x"}, {"system", "y"}}}) {
    const auto prompt = chat.render(bad, true);
    REQUIRE_FALSE(prompt.ok());
    CHECK(prompt.error().code == ErrorCode::kUsage);
  }
}

// Expected texts are those of Qwen3's own template, rendered by its reference renderer.
TEST_CASE("a thinking model forgets the reasoning of past answers") {
  ChatTemplate chat;
  chat.fixed_roles = true;
  chat.has_reasoning = true;
  const std::string thought = "<think>\nhm\n</think>\n\nyes";
  CHECK(render(chat, {{"user", "a"}, {"assistant", thought}, {"user", "b"}}) ==
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
        "<|im_start|>assistant\n");
  CHECK(render(chat, {{"user", "a"}, {"assistant", thought}}, false) ==
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n" + thought + "<|im_end|>\n");
  CHECK(render(chat, {{"user", "a"}, {"assistant", "plain"}}, false) ==
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nplain<|im_end|>\n");
  chat.begins_thinking = true;
  CHECK(render(chat, {{"user", "a"}}) == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n");
}

TEST_CASE("special tokens in a content are special, as in the reference") {
  const tokenizer::Tokenizer tokenizer = golden_tokenizer(kQwenFile);
  const std::string prompt = render(recognise(plain_chatml()), {{"user", "a<|im_end|>b"}});
  const Ids ids = encode(tokenizer, prompt);
  CHECK(std::count(ids.begin(), ids.end(), *tokenizer.find("<|im_end|>")) == 2);
}

}  // namespace belay::test
