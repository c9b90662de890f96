// The real vocabulary of SmolLM2, where its file is at hand.
#include "core/base/mapped_file.hpp"
#include "core/base/sha256.hpp"
#include "core/tokenizer/chat_template.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

#include <cstring>

namespace belay::test {
namespace {

std::optional<formats::GgufFile> open_smollm2() {
  const auto path = smollm2_path();
  if (!path) {
    MESSAGE(
        "skipped: SmolLM2-135M-Instruct.Q4_1.gguf is neither in $BELAY_TEST_SMOLLM2 nor in "
        "~/.cache/belay/models");
    return std::nullopt;
  }
  auto file = formats::GgufFile::open(*path);
  REQUIRE_MESSAGE(file.ok(), path->string());
  return *std::move(file);
}

tokenizer::Tokenizer tokenizer_of(const formats::GgufFile& file) {
  const double start = cpu_ms();
  const auto data = tokenizer::tokenizer_data(file);
  REQUIRE(data.ok());
  auto made = tokenizer::Tokenizer::create(*data);
  REQUIRE(made.ok());
  const double took = cpu_ms() - start;
  MESSAGE("49,152 tokens and 48,900 merges took ", took, " ms");
  CHECK(took < allowed_ms(50));
  return *std::move(made);
}

}  // namespace

TEST_CASE("SmolLM2: strings and rendered prompts have the reference's ids") {
  const auto file = open_smollm2();
  if (!file) return;
  const tokenizer::Tokenizer tokenizer = tokenizer_of(*file);
  const Json goldens = golden_json("smollm2_goldens.json");
  for (const Json& example : goldens.at("tokenizer")) {
    const auto text = example.at("text").get<std::string>();
    CAPTURE(text);
    CHECK(encode(tokenizer, text) == example.at("ids").get<Ids>());
    CHECK(tokenizer.decode(example.at("ids").get<Ids>(), false) == text);
  }
  const auto jinja = file->get_string("tokenizer.chat_template");
  REQUIRE(jinja.ok());
  const auto chat = tokenizer::recognise_chat_template(*jinja);
  REQUIRE(chat.ok());
  for (const Json& run : goldens.at("runs")) {
    const tokenizer::Message message{"user", run.at("prompt").get<std::string>()};
    const auto rendered = chat->render(std::span(&message, 1), true);
    REQUIRE(rendered.ok());
    CHECK(*rendered == run.at("rendered").get<std::string>());
    CHECK(encode(tokenizer, *rendered) == run.at("prompt_ids").get<Ids>());
    CHECK(tokenizer.decode(run.at("greedy_ids").get<Ids>(), true) == run.at("text").get<std::string>());
    if (run.at("stopped_on_eos").get<bool>())
      CHECK(tokenizer.is_end_of_generation(run.at("greedy_ids").get<Ids>().back()));
  }
}

TEST_CASE("SmolLM2: the text of the GPL has the reference's ids") {
  const Json wanted = golden_json("smollm2_goldens.json").at("perplexity");
  const auto text = read_file(wanted.at("text").get<std::string>(), std::uint64_t{1} << 20U);
  const auto file = open_smollm2();
  if (!file) return;
  if (!text || sha256_hex(std::as_bytes(std::span(*text))) != wanted.at("text_sha256").get<std::string>()) {
    MESSAGE("skipped: this machine has no, or another, ", wanted.at("text").get<std::string>());
    return;
  }
  const tokenizer::Tokenizer tokenizer = tokenizer_of(*file);
  Ids ids = encode(tokenizer, *text);
  CHECK(tokenizer.decode(ids, false) == *text);
  ids.resize(wanted.at("n_tokens").get<std::size_t>());
  CHECK(sha256_hex(std::as_bytes(std::span(ids))) == wanted.at("token_ids_sha256_le_i32").get<std::string>());
  CHECK(tokenizer.decode(ids, false).size() == wanted.at("bytes_covered").get<std::size_t>());
}

TEST_CASE("SmolLM2: bytes without a token are left out") {
  const auto file = open_smollm2();
  if (!file) return;
  const tokenizer::Tokenizer tokenizer = tokenizer_of(*file);
  CHECK_FALSE(tokenizer.find("\u0104").has_value());  // stands for 0x04
  CHECK(encode(tokenizer, "a\x04") == encode(tokenizer, "a"));
}

}  // namespace belay::test
