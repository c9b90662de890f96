#include "core/tokenizer/hf_tokenizer.hpp"

#include "core/tokenizer/byte_map.hpp"
#include "tests/core/tokenizer/folder.hpp"
#include "tests/core/tokenizer/goldens.hpp"
#include "tests/support/doctest.hpp"

#include <functional>
#include <random>

namespace belay::test {
namespace {

using tokenizer::HfTokenizer;
using tokenizer::PreTokenizerKind;
using tokenizer::Tokenizer;
using tokenizer::TokenType;

HfTokenizer read(const std::filesystem::path& folder) {
  auto read = tokenizer::read_hf_tokenizer(folder);
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
  return *std::move(read);
}

Tokenizer make(const HfTokenizer& hf) {
  auto made = Tokenizer::create(hf.data);
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return *std::move(made);
}

constexpr std::string_view kQwenRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json added(std::int64_t id, std::string_view content, bool special = true) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

// The smallest file that has everything.
Json small_file() {
  Json file;
  file["version"] = "1.0";
  file["added_tokens"] = Json::array({added(4, "<|im_end|>"), added(5, "<think>", false)});
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = byte_level(true);
  file["post_processor"] = byte_level(true);
  file["decoder"] = byte_level(true);
  file["model"]["type"] = "BPE";
  file["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"ab", 2}, {"abb", 3}};
  file["model"]["merges"] = Json::array({Json::array({"a", "b"}), Json::array({"ab", "b"})});
  return file;
}

using Change = std::function<void(Json& file, Json& model)>;

std::string changed(const Change& change) {
  Json file = small_file();
  change(file, file["model"]);
  return file.dump();
}

Result<Tokenizer> tokenizer_of(std::string_view text) {
  BELAY_TRY_ASSIGN(const HfTokenizer hf, tokenizer::parse_hf_tokenizer(text, "tokenizer.json"));
  return Tokenizer::create(hf.data);
}

Tokenizer after(const Change& change) {
  auto made = tokenizer_of(changed(change));
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return *std::move(made);
}

// Of the file itself; what only Tokenizer::create can see has messages of its own.
std::string error_of(std::string_view text) {
  const auto hf = tokenizer::parse_hf_tokenizer(text, "tokenizer.json");
  if (hf.ok()) return "(accepted)";
  CHECK(hf.error().code == ErrorCode::kBadInput);
  CHECK(hf.error().message.starts_with("tokenizer.json: "));
  return hf.error().message;
}

std::string error_after(const Change& change) { return error_of(changed(change)); }

std::string create_error_after(const Change& change) {
  const auto made = tokenizer_of(changed(change));
  if (made.ok()) return "(accepted)";
  CHECK(made.error().code == ErrorCode::kBadInput);
  return made.error().message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("tokenizer.json of the goldens gives the reference's ids and texts") {
  check_cases(make(read(golden_path("llama_a"))), "llama");
  check_cases(make(read(golden_path("vl_a"))), "qwen");
  check_cases(make(read(golden_path("vl_b"))), "qwen");
}

TEST_CASE("tokenizer.json is the tokenizer of the same model's GGUF file") {
  for (const std::string_view file : {kSmollmFile, kQwenFile}) {
    const std::string_view folder = file == kQwenFile ? "vl_a" : "llama_a";
    CAPTURE(folder);
    const HfTokenizer hf = read(golden_path(folder));
    const formats::GgufFile gguf = golden_gguf(file);
    const auto wanted = tokenizer::tokenizer_data(gguf);
    REQUIRE(wanted.ok());
    CHECK(hf.data.merges == wanted->merges);
    CHECK(hf.data.pre == wanted->pre);
    CHECK(hf.data.normalize_nfc == wanted->normalize_nfc);
    CHECK(hf.data.eos == wanted->eos);
    CHECK(hf.data.add_bos == wanted->add_bos);
    REQUIRE(hf.data.tokens.size() <= wanted->tokens.size());
    for (std::size_t id = 0; id < wanted->tokens.size(); ++id) {
      const bool is_padding = id >= hf.data.tokens.size();
      CHECK(wanted->types[id] == (is_padding ? TokenType::kUnused : hf.data.types[id]));
      if (!is_padding) CHECK(hf.data.tokens[id] == wanted->tokens[id]);
    }
  }
}

TEST_CASE("the names and end tokens of the other files are taken") {
  const HfTokenizer hf = read(golden_path("vl_a"));
  CHECK_FALSE(hf.data.bos.has_value());
  CHECK(hf.data.eos == 602);
  CHECK(hf.data.pad == 600);
  CHECK_FALSE(hf.data.unknown.has_value());
  CHECK(hf.data.ends == Ids{602, 600});
}

TEST_CASE("a copy and a moved vocabulary stay valid") {
  HfTokenizer first = read(golden_path("llama_a"));
  const HfTokenizer copy = first;
  const HfTokenizer moved = std::move(first);
  first = HfTokenizer();
  check_cases(make(copy), "llama");
  check_cases(make(moved), "llama");
}

TEST_CASE("a folder's optional files: names as texts or objects, and what they name must be there") {
  const Folder folder;
  folder.write("tokenizer.json", small_file().dump());
  CHECK_FALSE(read(folder.path()).data.eos.has_value());
  folder.write("tokenizer_config.json",
               R"({"bos_token": {"content": "ab", "lstrip": false}, "eos_token": "<|im_end|>",
                                            "unk_token": null, "pad_token": "a", "add_bos_token": true})");
  folder.write("generation_config.json", R"({"eos_token_id": [4, 1]})");
  const HfTokenizer hf = read(folder.path());
  CHECK(hf.data.bos == 2);
  CHECK(hf.data.eos == 4);
  CHECK(hf.data.pad == 0);
  CHECK_FALSE(hf.data.unknown.has_value());
  CHECK(make(hf).leading_bos() == 2);
  CHECK(make(hf).is_end_of_generation(1));

  const auto error = [&](std::string_view name, std::string_view text) {
    folder.write(name, text);
    const auto refused = tokenizer::read_hf_tokenizer(folder.path());
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kBadInput);
    return refused.error().message;
  };
  CHECK(contains(error("generation_config.json", R"({"eos_token_id": "x"})"),
                 "generation_config.json: eos_token_id"));
  CHECK(contains(error("tokenizer_config.json", R"({"eos_token": "<end>"})"),
                 "tokenizer_config.json: eos_token is \"<end>\", which is no token of the vocabulary"));
  CHECK(contains(error("tokenizer_config.json", R"({"pad_token": ""})"), "pad_token is \"\""));
  CHECK(contains(error("tokenizer_config.json", R"({"bos_token": 1})"), "bos_token is a number"));
  CHECK(contains(error("tokenizer_config.json", R"({"bos_token": {"content": 1}})"),
                 "bos_token.content is a number"));
  CHECK(contains(error("tokenizer_config.json", R"({"add_bos_token": 1})"), "add_bos_token is a number"));
}

TEST_CASE("a folder without tokenizer.json says which file is missing") {
  const Folder folder;
  const auto refused = tokenizer::read_hf_tokenizer(folder.path());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kBadInput);
  CHECK(contains(refused.error().message, "tokenizer.json: cannot open"));
}

TEST_CASE("the small file itself works, with merges as pairs and as texts") {
  const auto check = [](const Tokenizer& tokenizer) {
    CHECK(encode(tokenizer, "abb ab<think>ba<|im_end|>") == Ids{3, 2, 5, 1, 0, 4});  // no token for the space
    CHECK(tokenizer.is_special(4));
    CHECK_FALSE(tokenizer.is_special(5));
    CHECK(tokenizer.is_end_of_generation(4));
    CHECK(tokenizer.vocab_size() == 6);
  };
  check(after([](Json&, Json&) {}));
  check(after([](Json&, Json& model) { model["merges"] = {"a b", "ab b"}; }));
  check(after([](Json&, Json& model) { model.erase("type"); }));
  check(after([](Json& file, Json&) {
    file.erase("decoder"), file.erase("post_processor"), file.erase("normalizer");
  }));
  check(after([](Json& file, Json& model) {  // added tokens that stand in the vocabulary too
    model["vocab"]["<|im_end|>"] = 4;
    file["added_tokens"].push_back(added(4, "<|im_end|>"));
  }));
}

TEST_CASE("the pre-tokenizers of the known kinds are recognised") {
  const auto kind = [](const Json& pre) {
    const auto hf =
        tokenizer::parse_hf_tokenizer(changed([&](Json& file, Json&) { file["pre_tokenizer"] = pre; }), "t");
    REQUIRE_MESSAGE(hf.ok(), (hf.ok() ? "" : hf.error().message));
    return hf->data.pre;
  };
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kQwenRegex}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  CHECK(kind(byte_level(true)) == PreTokenizerKind::kGpt2);
  CHECK(kind({{"type", "Sequence"}, {"pretokenizers", Json::array({byte_level(true)})}}) ==
        PreTokenizerKind::kGpt2);
  CHECK(kind({{"type", "Sequence"}, {"pretokenizers", Json::array({digits, byte_level(true)})}}) ==
        PreTokenizerKind::kSmollm);
  CHECK(kind({{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}}) ==
        PreTokenizerKind::kQwen2);
}

TEST_CASE("other pre-tokenizers are refused with what was found and what is known") {
  const auto error = [](const Json& pre) {
    return error_after([&](Json& file, Json&) { file["pre_tokenizer"] = pre; });
  };
  const auto sequence = [&](const Json& steps) {
    return error({{"type", "Sequence"}, {"pretokenizers", steps}});
  };
  const std::string found = sequence(Json::array({{{"type", "Metaspace"}}, byte_level(true)}));
  CHECK(contains(found, "pre_tokenizer is Metaspace + ByteLevel(GPT-2 pieces), which Belay does not know"));
  CHECK(contains(found, "qwen2, smollm, gpt-2"));
  CHECK(contains(error(nullptr), "pre_tokenizer is none"));
  CHECK(contains(error(byte_level(false)), "pre_tokenizer is ByteLevel(whole pieces)"));
  CHECK(contains(error({{"type", "ByteLevel"}}), "pre_tokenizer is ByteLevel(space in front, GPT-2 pieces)"));
  CHECK(contains(sequence(Json::array({{{"type", "Digits"}}, byte_level(true)})), "Digits(runs)"));
  const auto split = [&](const Json& pattern, std::string_view behavior, bool invert) {
    return sequence(
        Json::array({{{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}},
                     byte_level(false)}));
  };
  CHECK(contains(split({{"Regex", "\\p{N}{1,3}"}}, "Isolated", false), "Split(\"\\p{N}{1,3}\", Isolated)"));
  CHECK(contains(split({{"String", kQwenRegex}}, "Isolated", false), "Split(\"?\", Isolated)"));
  CHECK(contains(split({{"Regex", kQwenRegex}}, "Removed", false), "which Belay does not know"));
  CHECK(contains(split({{"Regex", kQwenRegex}}, "Isolated", true), "which Belay does not know"));
  CHECK(contains(error({{"type", "Sequence"}}), "a Sequence without pretokenizers"));
  CHECK(contains(sequence(Json::array({1})), "pre_tokenizer.pretokenizers[] is a number"));
  CHECK(contains(error(1), "pre_tokenizer is a number, where an object belongs"));
  CHECK(contains(error({{"type", 1}}), "pre_tokenizer.type is a number"));
}

TEST_CASE("steps and models that Belay does not know are refused by name") {
  const auto step = [](std::string_view key, std::string_view type) {
    return error_after([&](Json& file, Json&) { file[std::string(key)] = {{"type", type}}; });
  };
  CHECK(contains(step("normalizer", "NFKC"), "normalizer.type is \"NFKC\"; Belay knows only \"NFC\""));
  CHECK(step("normalizer", "NFC") == "(accepted)");
  CHECK(contains(step("post_processor", "TemplateProcessing"),
                 "post_processor.type is \"TemplateProcessing\""));
  CHECK(contains(step("decoder", "Metaspace"), "decoder.type is \"Metaspace\""));
  const auto option = [](std::string_view key, const Json& value) {
    return error_after([&](Json&, Json& model) { model[std::string(key)] = value; });
  };
  CHECK(contains(option("type", "Unigram"), "model.type is \"Unigram\"; Belay knows only \"BPE\""));
  CHECK(contains(option("unk_token", "<unk>"), "model.unk_token is \"<unk>\""));
  CHECK(contains(option("continuing_subword_prefix", "##"), "model.continuing_subword_prefix is \"##\""));
  CHECK(contains(option("end_of_word_suffix", "</w>"), "model.end_of_word_suffix is \"</w>\""));
  CHECK(contains(option("byte_fallback", true), "model.byte_fallback is true"));
  CHECK(contains(option("ignore_merges", true), "model.ignore_merges is true"));
  CHECK(contains(option("dropout", 0.1), "model.dropout is 0.1"));
  for (const auto& [key, value] : {std::pair<const char*, Json>("unk_token", ""),
                                   {"continuing_subword_prefix", ""},
                                   {"end_of_word_suffix", nullptr},
                                   {"dropout", 0},
                                   {"byte_fallback", false}}) {
    CHECK(option(key, value) == "(accepted)");
  }
}

TEST_CASE("with a normalizer, added tokens are found in the text as it is") {
  const auto error = [](std::string_view key, const Json& normalizer) {
    return error_after([&](Json& file, Json&) {
      file["normalizer"] = normalizer;
      file["added_tokens"][1][std::string(key)] = true;
    });
  };
  CHECK(contains(error("normalized", {{"type", "NFC"}}), "added_tokens[].normalized of \"<think>\" is true"));
  CHECK(error("normalized", nullptr) == "(accepted)");  // nothing to normalise
  for (const char* key : {"lstrip", "rstrip", "single_word"}) CHECK(contains(error(key, nullptr), key));
}

TEST_CASE("vocabularies that are missing, of wrong types or contradict themselves are refused") {
  using Vocab = Json;
  const auto vocab = [](const Vocab& value) {
    return error_after([&](Json&, Json& model) { model["vocab"] = value; });
  };
  CHECK(contains(error_after([](Json& file, Json&) { file.erase("model"); }), "model is missing"));
  CHECK(contains(error_after([](Json& file, Json&) { file["model"] = 1; }), "model is a number"));
  CHECK(contains(error_after([](Json&, Json& model) { model.erase("vocab"); }), "model.vocab is missing"));
  CHECK(contains(vocab(Json::array({"a"})), "model.vocab is an array, where an object belongs"));
  for (const Json& bad :
       {Json(-1), Json(1.5), Json("1"), Json(nullptr), Json(4294967296), Json::array({1})}) {
    const std::string message = vocab({{"a", 0}, {"b", bad}});
    CHECK(contains(message, "model.vocab: token \"b\" has the id " + bad.dump()));
  }
  CHECK(contains(vocab({{"a", 1}, {"b", 1}}), "the tokens \"a\" and \"b\" have the same id 1"));
  CHECK(contains(error_of(R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})"), "\"a\" stands twice"));
  CHECK(contains(create_error_after([](Json& file, Json& model) {
                   model["vocab"] = Json::object(), model["merges"] = Json::array(),
                   file["added_tokens"] = Json::array();
                 }),
                 "no tokens"));
}

TEST_CASE("ids without a token are unused, but only so many") {
  const auto with_last = [](std::int64_t id) {
    return changed([&](Json&, Json& model) { model["vocab"]["z"] = id; });
  };
  const auto made = tokenizer_of(with_last(1000));
  REQUIRE(made.ok());
  CHECK(made->vocab_size() == 1001);
  CHECK(made->decode(Ids{6, 999, 1000}, false) == "z");
  CHECK(error_of(with_last(6 + 65'536)) == "(accepted)");
  CHECK(contains(error_of(with_last(7 + 65'536)),
                 "7 tokens have ids up to 65543; at most 65536 ids may be without"));
  CHECK(contains(error_of(with_last(2'147'483'647)), "ids up to 2147483647"));
}

TEST_CASE("added tokens that are incomplete or contradict the vocabulary are refused") {
  const auto with = [](const Json& token) {
    return changed([&](Json& file, Json&) { file["added_tokens"].push_back(token); });
  };
  CHECK(contains(error_of(with(added(0, "<x>"))), "the tokens \"a\" and \"<x>\" have the same id 0"));
  CHECK(
      contains(error_of(with(added(4, "<x>"))), "the tokens \"<|im_end|>\" and \"<x>\" have the same id 4"));
  CHECK(contains(error_of(with(added(-7, "<x>"))), "token \"<x>\" has the id -7"));
  CHECK(contains(error_of(with({{"content", "<x>"}})), "added_tokens[].id: token \"<x>\" has the id null"));
  CHECK(contains(error_of(with({{"id", 6}})), "added_tokens[].content is missing"));
  CHECK(contains(error_of(with({{"id", 6}, {"content", "<x>"}, {"special", 1}})), "special is a number"));
  CHECK(contains(error_of(with(7)), "added_tokens[] is a number"));
  CHECK(contains(error_after([](Json& file, Json&) { file["added_tokens"] = "x"; }),
                 "added_tokens is a string"));
  const auto twice = tokenizer_of(with(added(6, "ab")));  // another id than in the vocabulary
  REQUIRE_FALSE(twice.ok());
  CHECK(contains(twice.error().message, "tokens 2 and 6 have the same text \"ab\""));
  const auto huge = tokenizer_of(with(added(6, std::string(257, 'x'))));
  REQUIRE_FALSE(huge.ok());
  CHECK(contains(huge.error().message, "added token 6"));
}

TEST_CASE("merges of wrong types or of unknown tokens are refused by rank") {
  const auto merges = [](const Json& value) {
    return create_error_after([&](Json&, Json& model) { model["merges"] = value; });
  };
  CHECK(contains(create_error_after([](Json&, Json& model) { model.erase("merges"); }),
                 "model.merges is missing"));
  CHECK(contains(merges("a b"), "model.merges is a string, where an array belongs"));
  for (const Json& bad : {Json(1), Json::array(), Json::array({"a"}), Json::array({"a", 1}),
                          Json::array({"a", "b", "b"}), Json({{"a", "b"}})}) {
    CHECK(contains(merges(Json::array({"a b", bad})), "model.merges[1] is neither"));
  }
  CHECK(contains(merges({"a b", "b c"}), "merge 1 (\"b c\") needs \"c\""));
  CHECK(contains(merges(Json::array({Json::array({"b", "a"})})), "merge 0 (\"b a\") needs \"ba\""));
  CHECK(contains(merges({"a a"}), "merge 0 (\"a a\") needs \"aa\""));  // with itself
  CHECK(contains(merges(Json::array({Json::array({"", "a"})})), "merge 0"));
  CHECK(contains(merges(Json::array({Json::array({"a b", "b"})})), "merge 0"));
  CHECK(contains(merges({"a b", Json::array({"a", "b"})}), "merges 0 and 1 are the same"));
}

TEST_CASE("text that is no JSON is refused") {
  CHECK(contains(error_of(""), "not valid JSON"));
  CHECK(contains(error_of("[]"), "it holds an array, where an object belongs"));
  CHECK(contains(error_of("{\"a\":\"\xFF\"}"), "byte 7 is not valid UTF-8"));
  CHECK(contains(error_of(std::string(1'000'000, '[')), "64 levels"));
  CHECK(
      contains(error_of("{\"version\":" + std::string(100, '[') + std::string(100, ']') + "}"), "64 levels"));
}

TEST_CASE("a file cut anywhere is refused") {
  const std::string small = small_file().dump();
  for (std::size_t size = 0; size < small.size(); ++size)
    CHECK(error_of(small.substr(0, size)) != "(accepted)");
  const std::string golden = golden_text("vl_a/tokenizer.json");
  const std::size_t end = golden.find_last_of('}');
  for (std::size_t size = 0; size <= end; size += 101)
    CHECK(error_of(golden.substr(0, size)) != "(accepted)");
}

TEST_CASE("a file with any one byte changed is refused or works") {
  const std::string small = small_file().dump();
  std::mt19937_64 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = small;
    text[random() % text.size()] = static_cast<char>(random());
    if (const auto made = tokenizer_of(text)) {
      const auto ids = made->encode("abb ab<think>ba<|im_end|>", tokenizer::Specials::kParse);
      REQUIRE(ids.ok());
      CHECK(made->decode(*ids, false).size() <= 25);
    }
  }
}

}  // namespace belay::test
