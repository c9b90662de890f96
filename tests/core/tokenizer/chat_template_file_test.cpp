#include "core/tokenizer/chat_template_file.hpp"

#include "core/tokenizer/chat_template.hpp"
#include "tests/core/tokenizer/folder.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

namespace belay::test {
namespace {

std::optional<std::string> template_of(const std::filesystem::path& folder) {
  auto text = tokenizer::read_chat_template(folder);
  REQUIRE_MESSAGE(text.ok(), (text.ok() ? "" : text.error().message));
  return *std::move(text);
}

std::string error_of(const Folder& folder) {
  const auto text = tokenizer::read_chat_template(folder.path());
  REQUIRE_FALSE(text.ok());
  CHECK(text.error().code == ErrorCode::kBadInput);
  return text.error().message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("chat template: a file of its own goes before the processor's and the tokenizer's") {
  const Folder folder;
  CHECK_FALSE(template_of(folder.path()).has_value());
  folder.write("tokenizer_config.json", R"({"chat_template": "of the tokenizer"})");
  CHECK(template_of(folder.path()) == "of the tokenizer");
  folder.write("chat_template.json", R"({"chat_template": "of the processor"})");
  CHECK(template_of(folder.path()) == "of the processor");
  folder.write("chat_template.jinja", "a file\n");
  CHECK(template_of(folder.path()) == "a file\n");
}

TEST_CASE("chat template: of a list of templates the default one is taken") {
  const Folder folder;
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "t"},
                                                              {"name": "default", "template": "d"}]})");
  CHECK(template_of(folder.path()) == "d");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"}]})");
  CHECK(contains(error_of(folder), "chat_template has no template named \"default\", only: \"rag\""));
}

TEST_CASE("chat template: none is none, and what is no template is refused by name") {
  const Folder folder;
  folder.write("tokenizer_config.json", R"({"chat_template": null})");
  CHECK_FALSE(template_of(folder.path()).has_value());
  for (const char* text : {R"({"chat_template": 1})", R"({"chat_template": {}})", R"({"chat_template": [1]})",
                           R"({"chat_template": [{"name": 1}]})", R"({"chat_template": []})"}) {
    CAPTURE(text);
    folder.write("tokenizer_config.json", text);
    CHECK(contains(error_of(folder), "tokenizer_config.json: chat_template"));
  }
  folder.write("tokenizer_config.json", "{}");
  folder.write("chat_template.json", "\"text\"");
  CHECK(contains(error_of(folder), "chat_template.json: it holds a string"));
}

TEST_CASE("chat template: those of the golden models are known ones") {
  for (const char* model : {"llama_a", "vl_a", "vl_b"}) {
    const auto text = template_of(golden_path(model));
    REQUIRE(text.has_value());
    const auto chat = tokenizer::recognise_chat_template(*text);
    REQUIRE_MESSAGE(chat.ok(), model);
    CHECK(chat->default_system.has_value() == (std::string_view(model) == "llama_a"));
  }
}

}  // namespace belay::test
