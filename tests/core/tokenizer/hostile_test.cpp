// Vocabularies that contradict themselves, from memory and from GGUF files.
#include "core/formats/gguf_writer.hpp"
#include "core/tokenizer/gguf_tokenizer.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

#include <functional>

namespace belay::test {
namespace {

using tokenizer::Tokenizer;
using tokenizer::TokenizerData;
using tokenizer::TokenType;

TokenizerData small_vocabulary() {
  TokenizerData data;
  data.tokens = {"a", "b", "ab", "abb", "<end>"};
  data.types = {TokenType::kNormal, TokenType::kNormal, TokenType::kNormal, TokenType::kNormal,
                TokenType::kControl};
  data.merges = {"a b", "ab b"};
  data.eos = 4;
  return data;
}

std::string error_of(const TokenizerData& data) {
  const auto made = Tokenizer::create(data);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code == ErrorCode::kBadInput);
  return made.error().message;
}

std::string error_after(const std::function<void(TokenizerData&)>& change) {
  TokenizerData data = small_vocabulary();
  change(data);
  return error_of(data);
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct GgufVocabulary {
  std::string model = "gpt2";
  std::string pre = "smollm";
  std::vector<std::string> tokens = {"a", "b", "ab", "<|im_end|>"};
  std::vector<std::int32_t> types = {1, 1, 1, 3};
  std::vector<std::string> merges = {"a b"};
  std::uint32_t eos = 3;

  [[nodiscard]] Result<Tokenizer> make() const {
    formats::GgufWriter writer;
    writer.add_string("general.architecture", "llama");
    writer.add_string("tokenizer.ggml.model", model);
    writer.add_string("tokenizer.ggml.pre", pre);
    writer.add_strings("tokenizer.ggml.tokens", tokens);
    writer.add_i32s("tokenizer.ggml.token_type", types);
    writer.add_strings("tokenizer.ggml.merges", merges);
    writer.add_u32("tokenizer.ggml.eos_token_id", eos);
    const std::vector<std::byte> bytes = writer.to_bytes();
    BELAY_TRY_ASSIGN(const formats::GgufFile file, formats::GgufFile::parse(bytes, "test.gguf"));
    BELAY_TRY_ASSIGN(const TokenizerData data, tokenizer::tokenizer_data(file));
    return Tokenizer::create(data);
  }
};

}  // namespace

TEST_CASE("the small vocabulary itself works") {
  const auto made = Tokenizer::create(small_vocabulary());
  REQUIRE(made.ok());
  CHECK(encode(*made, "abb ab<end>ba") == Ids{3, 2, 4, 1, 0});  // no token for the space
  CHECK(made->is_end_of_generation(4));
}

TEST_CASE("merges that contradict the vocabulary are refused by rank") {
  CHECK(contains(error_after([](auto& d) { d.merges.push_back("a c"); }), "merge 2 (\"a c\") needs \"c\""));
  CHECK(contains(error_after([](auto& d) { d.merges.push_back("c a"); }), "needs \"c\""));
  CHECK(contains(error_after([](auto& d) { d.merges.push_back("b a"); }), "needs \"ba\""));
  CHECK(contains(error_after([](auto& d) { d.merges.push_back("a b"); }), "merges 0 and 2 are the same"));
  for (const std::string_view bad : {"", "a", " ", "a ", " b", "a b ", "a  b", "a b b"}) {
    const std::string error = error_after([&](auto& d) { d.merges[0] = bad; });
    CHECK(contains(error, "merge 0"));
  }
}

TEST_CASE("tokens that contradict each other are refused") {
  CHECK(contains(error_after([](auto& d) { d.tokens[1] = "a"; }), "tokens 0 and 1 have the same text \"a\""));
  CHECK(contains(error_after([](auto& d) { d.types.pop_back(); }), "5 tokens but 4 token types"));
  CHECK(contains(error_after([](auto& d) { d.types[2] = TokenType{7}; }), "token 2 has the unknown type 7"));
  CHECK(contains(error_after([](auto& d) { d.types[2] = TokenType{0}; }), "unknown type 0"));
  CHECK(contains(error_after([](auto& d) { d = TokenizerData(); }), "no tokens"));
  CHECK(contains(error_after([](auto& d) { d.tokens[4] = "\xC3"; }), "not UTF-8"));
}

TEST_CASE("ids outside the vocabulary are refused by name") {
  CHECK(contains(error_after([](auto& d) { d.bos = 5; }), "the bos token is 5"));
  CHECK(contains(error_after([](auto& d) { d.eos = -1; }), "the eos token is -1"));
  CHECK(contains(error_after([](auto& d) { d.unknown = 1 << 30; }), "the unknown token is 1073741824"));
  CHECK(contains(error_after([](auto& d) { d.ends = {4, 5}; }), "the end token is 5"));
  CHECK(contains(error_after([](auto& d) { d.add_bos = true; }), "bos"));
}

TEST_CASE("a model that wants a begin token says so, and empty texts are never found") {
  TokenizerData data = small_vocabulary();
  data.tokens.insert(data.tokens.end(), {"", ""});
  data.types.insert(data.types.end(), {TokenType::kNormal, TokenType::kControl});
  data.add_bos = true;
  data.bos = 4;
  const auto made = Tokenizer::create(data);
  REQUIRE(made.ok());
  CHECK(made->leading_bos() == 4);
  CHECK(encode(*made, "ab") == Ids{2});
  CHECK(made->token_bytes(5).empty());
}

TEST_CASE("every id that ends an answer is an end, whatever its type") {
  TokenizerData data = small_vocabulary();
  data.eos.reset();
  data.ends = {4, 0};
  const auto made = Tokenizer::create(data);
  REQUIRE(made.ok());
  CHECK(made->is_end_of_generation(4));
  CHECK(made->is_end_of_generation(0));
  CHECK_FALSE(made->is_end_of_generation(1));
}

TEST_CASE("token texts outside the alphabet stand for themselves") {
  TokenizerData data = small_vocabulary();
  data.tokens.insert(data.tokens.end(), {"日本", "\xFFzz", "\u0120x"});
  data.types.insert(data.types.end(), 3, TokenType::kNormal);
  const auto made = Tokenizer::create(data);
  REQUIRE(made.ok());
  CHECK(made->token_bytes(5) == "日本");
  CHECK(made->token_bytes(6) == "\xFFzz");
  CHECK(made->token_bytes(7) == " x");
  CHECK(made->decode(Ids{6}, false) == "\uFFFDzz");
}

TEST_CASE("a large vocabulary of similar texts is taken quickly") {
  std::vector<std::string> texts;
  texts.reserve(300'000);
  for (int i = 0; i < 300'000; ++i) texts.push_back("token-" + std::to_string(i));
  TokenizerData data;
  data.tokens.assign(texts.begin(), texts.end());
  data.types.assign(texts.size(), TokenType::kNormal);
  const double start = cpu_ms();
  const auto made = Tokenizer::create(data);
  CHECK(made.ok());
  CHECK(cpu_ms() - start < allowed_ms(1000));
  CHECK(made->find("token-299999") == 299'999);
}

TEST_CASE("GGUF: a whole vocabulary is read") {
  const auto made = GgufVocabulary().make();
  REQUIRE(made.ok());
  CHECK(encode(*made, "ab<|im_end|>") == Ids{2, 3});
}

TEST_CASE("GGUF: kinds of vocabularies that are not known are named") {
  const auto error = [](const std::function<void(GgufVocabulary&)>& change) {
    GgufVocabulary vocabulary;
    change(vocabulary);
    const auto made = vocabulary.make();
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::kBadInput);
    return made.error().message;
  };
  const std::string model = error([](auto& v) { v.model = "llama"; });
  CHECK(contains(model, "test.gguf"));
  CHECK(contains(model, "\"llama\""));
  const std::string pre = error([](auto& v) { v.pre = "tekken"; });
  CHECK(contains(pre, "tokenizer.ggml.pre"));
  CHECK(contains(pre, "smollm, qwen2"));
  CHECK(contains(error([](auto& v) { v.eos = 4; }), "the eos token is 4"));
  CHECK(contains(error([](auto& v) { v.eos = 0xFFFFFFFFU; }), "eos_token_id is 4294967295"));
  CHECK(contains(error([](auto& v) { v.types.pop_back(); }), "3 token types"));
  CHECK(contains(error([](auto& v) { v.merges = {"a b b"}; }), "merge 0"));
}

TEST_CASE("GGUF: a file without a vocabulary names the key") {
  formats::GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  const std::vector<std::byte> bytes = writer.to_bytes();
  const auto file = formats::GgufFile::parse(bytes, "empty.gguf");
  REQUIRE(file.ok());
  const auto data = tokenizer::tokenizer_data(*file);
  REQUIRE_FALSE(data.ok());
  CHECK(contains(data.error().message, "tokenizer.ggml.model"));
}

}  // namespace belay::test
