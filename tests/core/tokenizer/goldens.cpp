#include "tests/core/tokenizer/goldens.hpp"

#include "core/base/mapped_file.hpp"
#include "tests/support/doctest.hpp"

#include <cstdlib>
#include <ctime>

namespace belay::test {

std::filesystem::path golden_path(std::string_view name) {
  return std::filesystem::path(BELAY_GOLDENS) / name;
}

std::string golden_text(std::string_view name) {
  auto text = read_file(golden_path(name), std::uint64_t{16} << 20U);
  REQUIRE_MESSAGE(text.ok(), name);
  return *std::move(text);
}

Json golden_json(std::string_view name) {
  auto json = parse_json(golden_text(name), ErrorCode::kGeneral);
  REQUIRE_MESSAGE(json.ok(), name);
  return *std::move(json);
}

formats::GgufFile golden_gguf(std::string_view name) {
  auto file = formats::GgufFile::open(golden_path(name));
  REQUIRE_MESSAGE(file.ok(), name);
  return *std::move(file);
}

tokenizer::Tokenizer golden_tokenizer(std::string_view name) {
  const formats::GgufFile file = golden_gguf(name);
  const auto data = tokenizer::tokenizer_data(file);
  REQUIRE(data.ok());
  auto made = tokenizer::Tokenizer::create(*data);
  REQUIRE(made.ok());
  return *std::move(made);
}

void check_cases(const tokenizer::Tokenizer& tokenizer, std::string_view key) {
  const Json all = golden_json("cases/tokenizer_cases.json");
  const Json& cases = all.at(std::string(key));
  REQUIRE(cases.size() > 20);
  for (const Json& example : cases) {
    const auto text = example.at("text").get<std::string>();
    CAPTURE(text);
    const auto wanted = example.at("ids").get<Ids>();
    CHECK(encode(tokenizer, text) == wanted);
    CHECK(tokenizer.decode(wanted, false) == example.at("decoded").get<std::string>());
    CHECK(tokenizer.decode(wanted, true) == example.at("decoded_skip_special").get<std::string>());
  }
}

std::optional<std::filesystem::path> smollm2_path() {
  if (const char* given = std::getenv("BELAY_TEST_SMOLLM2")) {
    return *given != '\0' ? std::optional<std::filesystem::path>(given) : std::nullopt;
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr) return std::nullopt;
  const auto cached = std::filesystem::path(home) / ".cache/belay/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  return std::filesystem::exists(cached) ? std::optional(cached) : std::nullopt;
}

Ids encode(const tokenizer::Tokenizer& tokenizer, std::string_view text, tokenizer::Specials specials) {
  auto ids = tokenizer.encode(text, specials);
  REQUIRE_MESSAGE(ids.ok(), (ids.ok() ? "" : ids.error().message));
  return *std::move(ids);
}

double cpu_ms() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double allowed_ms(double limit) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return limit * 10;
#else
  return limit;
#endif
}

std::string utf8(char32_t code) {
  const auto tail = [code](unsigned shift) { return static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0U | (code >> 6U)), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0U | (code >> 12U)), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
}

}  // namespace belay::test
