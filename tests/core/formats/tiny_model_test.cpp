#include "tests/support/tiny_model.hpp"

#include "core/formats/gguf.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_tokenizer.hpp"

#include <set>
#include <string>

namespace belay::formats {
using test::make_tiny_model;

namespace {

std::set<DType> types_in(const GgufFile& file) {
  std::set<DType> types;
  for (const TensorView& tensor : file.tensors()) types.insert(tensor.dtype);
  return types;
}

}  // namespace

TEST_CASE("a tiny model of every architecture is a complete GGUF file") {
  for (const std::string arch : {"llama", "qwen2", "qwen3"}) {
    const auto bytes = make_tiny_model({.arch = arch, .head_dim = 32, .seed = 5});
    const auto file = GgufFile::parse(bytes, arch);
    REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
    CHECK(*file->get_string("general.architecture") == arch);
    CHECK(*file->get_u32(arch + ".attention.key_length") == 32);
    CHECK(file->get_strings("tokenizer.ggml.tokens")->size() == *file->get_u32(arch + ".vocab_size"));
    CHECK(file->find("blk.1.attn_q.weight")->shape == std::vector<std::uint64_t>{128, 64});
    CHECK(file->find("blk.1.attn_output.weight")->shape == std::vector<std::uint64_t>{64, 128});
    CHECK(file->find("blk.1.ffn_down.weight")->shape == std::vector<std::uint64_t>{64, 96});
    CHECK((file->find("blk.0.attn_q.bias") != nullptr) == (arch == "qwen2"));
    CHECK((file->find("blk.0.attn_q_norm.weight") != nullptr) == (arch == "qwen3"));
    CHECK(file->find("output.weight") != nullptr);
  }
}

TEST_CASE("the same spec gives the same bytes, another seed others") {
  const auto first = make_tiny_model({.types = {DType::kQ8_0, DType::kQ4_1}, .seed = 7});
  CHECK(first == make_tiny_model({.types = {DType::kQ8_0, DType::kQ4_1}, .seed = 7}));
  CHECK(first != make_tiny_model({.types = {DType::kQ8_0, DType::kQ4_1}, .seed = 8}));
}

TEST_CASE("matrices take types whose blocks fit their rows") {
  const auto mixed = make_tiny_model({.layers = 8,
                                      .types = {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                                                DType::kQ4_1, DType::kQ5_0, DType::kQ5_1}});
  const auto mixed_file = GgufFile::parse(mixed, "mixed");
  REQUIRE(mixed_file.ok());
  CHECK(types_in(*mixed_file).size() == 8);

  const auto narrow_rows = make_tiny_model({.types = {DType::kQ4_K}});
  CHECK(types_in(*GgufFile::parse(narrow_rows, "narrow")) == std::set<DType>{DType::kF32});

  const auto k_quants = make_tiny_model({.layers = 4,
                                         .width = 256,
                                         .ffn = 512,
                                         .types = {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K},
                                         .tied = true});
  const auto k_file = GgufFile::parse(k_quants, "k");
  REQUIRE(k_file.ok());
  CHECK(types_in(*k_file).count(DType::kQ6_K) == 1);
  CHECK(k_file->find("output.weight") == nullptr);
}

TEST_CASE("the tiny tokenizer is a whole byte-level vocabulary") {
  const auto tokenizer = test::make_tiny_tokenizer(320);
  CHECK(tokenizer.tokens.size() == 320);
  CHECK(tokenizer.types.size() == 320);
  const std::set<std::string> unique(tokenizer.tokens.begin(), tokenizer.tokens.end());
  CHECK(unique.size() == 320);
  for (const std::string& merge : tokenizer.merges) {
    const auto space = merge.find(' ');
    CHECK(unique.count(merge.substr(0, space)) == 1);
    CHECK(unique.count(merge.substr(space + 1)) == 1);
    CHECK(unique.count(merge.substr(0, space) + merge.substr(space + 1)) == 1);
  }
  CHECK(tokenizer.tokens[tokenizer.im_end] == "<|im_end|>");
  CHECK(tokenizer.types[tokenizer.im_end] == 3);
}

}  // namespace belay::formats
