#include "core/tokenizer/generation_config.hpp"

#include "tests/core/tokenizer/folder.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

namespace belay::test {
namespace {

using tokenizer::GenerationDefaults;

Result<GenerationDefaults> read(std::string_view text) {
  const Folder folder;
  folder.write("generation_config.json", text);
  return tokenizer::read_generation_defaults(folder.path());
}

GenerationDefaults defaults_of(std::string_view text) {
  auto defaults = read(text);
  REQUIRE_MESSAGE(defaults.ok(), (defaults.ok() ? "" : defaults.error().message));
  return *std::move(defaults);
}

std::string error_of(std::string_view text) {
  const auto defaults = read(text);
  if (defaults.ok()) return "(accepted)";
  CHECK(defaults.error().code == ErrorCode::kBadInput);
  CHECK(defaults.error().message.find("generation_config.json: ") != std::string::npos);
  return defaults.error().message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("generation config: the one of Qwen3-VL") {
  const GenerationDefaults defaults = defaults_of(
      R"({"bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
          "top_p": 0.8, "top_k": 20, "temperature": 0.7, "repetition_penalty": 1.0, "transformers_version": "4.56.0"})");
  CHECK(defaults.ends == Ids{151'645, 151'643});
  CHECK(defaults.do_sample);
  CHECK(defaults.temperature == 0.7F);
  CHECK(defaults.top_k == 20);
  CHECK(defaults.top_p == 0.8F);
  CHECK_FALSE(defaults.min_p.has_value());
  CHECK(defaults.repetition_penalty == 1.0F);
}

TEST_CASE("generation config: what is absent or null is not there, and an end may be a number") {
  for (const char* text :
       {"{}", R"({"do_sample": null, "temperature": null, "top_k": null, "eos_token_id": null})"}) {
    const GenerationDefaults defaults = defaults_of(text);
    CHECK(defaults.ends.empty());
    CHECK_FALSE(defaults.do_sample);
    CHECK_FALSE(defaults.temperature.has_value());
    CHECK_FALSE(defaults.top_k.has_value());
    CHECK_FALSE(defaults.top_p.has_value());
    CHECK_FALSE(defaults.repetition_penalty.has_value());
  }
  CHECK(defaults_of(R"({"eos_token_id": 2})").ends == Ids{2});
  CHECK(defaults_of(R"({"min_p": 0.05})").min_p == 0.05F);
  CHECK(defaults_of(R"({"temperature": 1, "top_p": 1})").temperature == 1.0F);  // whole numbers are numbers
}

TEST_CASE("generation config: a folder without one wants greedy") {
  const Folder folder;
  const auto defaults = tokenizer::read_generation_defaults(folder.path());
  REQUIRE(defaults.ok());
  CHECK_FALSE(defaults->do_sample);
  CHECK(defaults->ends.empty());
  const auto golden = tokenizer::read_generation_defaults(golden_path("vl_a"));
  REQUIRE(golden.ok());
  CHECK_FALSE(golden->do_sample);
  CHECK(golden->ends == Ids{602, 600});
}

TEST_CASE("generation config: numbers at the ends of their ranges pass, those beyond are refused by name") {
  for (const char* text :
       {R"({"temperature": 0})", R"({"temperature": 100})", R"({"top_k": 0})", R"({"top_k": 2147483647})",
        R"({"top_p": 1})", R"({"top_p": 0.001})", R"({"min_p": 0})", R"({"min_p": 1})",
        R"({"repetition_penalty": 10})", R"({"repetition_penalty": 0.1})"}) {
    CAPTURE(text);
    CHECK(error_of(text) == "(accepted)");
  }
  for (const char* value : {"-0.1", "100.1", "1e300"}) {
    CHECK(contains(error_of(format(R"({{"temperature": {}}})", value)), "temperature is"));
  }
  for (const char* value : {"-1", "2147483648", "18446744073709551615", "1.5", "\"1\"", "[1]"}) {
    CHECK(contains(error_of(format(R"({{"top_k": {}}})", value)), "top_k is"));
  }
  for (const char* value : {"0", "1e-60", "1.01", "-1"}) {
    CHECK(contains(error_of(format(R"({{"top_p": {}}})", value)), "top_p is"));
  }
  for (const char* value : {"-0.01", "1.01"}) {
    CHECK(contains(error_of(format(R"({{"min_p": {}}})", value)), "min_p is"));
  }
  for (const char* value : {"0", "1e-60", "10.5", "-1"}) {
    CHECK(contains(error_of(format(R"({{"repetition_penalty": {}}})", value)), "repetition_penalty is"));
  }
}

TEST_CASE("generation config: wrong types are refused by name") {
  CHECK(contains(error_of(R"({"temperature": "hot"})"),
                 "temperature is a string, where a finite number belongs"));
  CHECK(contains(error_of(R"({"do_sample": 1})"), "do_sample is a number, where true or false belongs"));
  for (const char* value :
       {"\"2\"", "[2, \"3\"]", "-1", "2.5", "4294967296", "{}", "[[2]]", "true", "[null]"}) {
    CHECK(contains(error_of(format(R"({{"eos_token_id": {}}})", value)), "eos_token_id is"));
  }
  std::string many = "0";
  for (int i = 1; i < 65; ++i) many += "," + std::to_string(i);
  CHECK(contains(error_of("{\"eos_token_id\": [" + many + "]}"), "has 65 ids; the limit is 64"));
  CHECK(contains(error_of("[1]"), "it holds an array, where an object belongs"));
  CHECK(contains(error_of("{"), "not valid JSON"));
  CHECK(contains(error_of(R"({"top_k": 1, "top_k": 2})"), "stands twice"));
  CHECK(contains(error_of(std::string((1U << 20U) + 1, ' ')), "larger than"));
}

}  // namespace belay::test
