#include "core/formats/gguf.hpp"

#include "core/formats/gguf_writer.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/core/formats/raw_gguf.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

namespace belay::formats {
using test::RawGguf;

namespace {

std::filesystem::path golden(std::string_view name) { return std::filesystem::path(BELAY_GOLDENS) / name; }

GgufFile open_golden(const char* name) {
  auto file = GgufFile::open(golden(name));
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  return std::move(file).value();
}

}  // namespace

TEST_CASE("a golden model opens with its hyperparameters, tokenizer and tensors") {
  const GgufFile file = open_golden("llama_a/model-mixed.gguf");
  CHECK(file.version() == 3);
  CHECK(file.file_bytes() == 454272);
  CHECK(*file.get_string("general.architecture") == "llama");
  CHECK(*file.get_u32("llama.block_count") == 3);
  CHECK(*file.get_f32("llama.rope.freq_base") == 10000.0F);
  CHECK(*file.get_bool("tokenizer.ggml.add_bos_token") == false);
  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  REQUIRE(tokens.ok());
  CHECK(tokens->size() == 512);
  CHECK(tokens->at(480) == "<|endoftext|>");
  CHECK(file.get_strings("tokenizer.ggml.merges")->at(0) == "Ġ t");
  CHECK(file.get_i32s("tokenizer.ggml.token_type")->at(481) == 3);

  CHECK(file.tensors().size() == 30);
  const TensorView* key = file.find("blk.0.attn_k.weight");
  REQUIRE(key != nullptr);
  CHECK(key->dtype == DType::kQ4_0);
  CHECK(key->shape == std::vector<std::uint64_t>{64, 96});  // slowest first: [outputs, inputs]
  CHECK(key->data.size() == 64 * 96 / 32 * 18);
  CHECK(file.find("blk.0.attn_k") == nullptr);
}

TEST_CASE("every block type of the goldens is known") {
  const GgufFile mixed = open_golden("llama_a/model-mixed.gguf");
  const GgufFile k_quants = open_golden("llama_k/model-k.gguf");
  const auto has = [](const GgufFile& file, DType dtype) {
    for (const TensorView& tensor : file.tensors()) {
      if (tensor.dtype == dtype) return true;
    }
    return false;
  };
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
                            DType::kQ5_0, DType::kQ5_1}) {
    CHECK_MESSAGE(has(mixed, dtype), to_string(dtype));
  }
  for (const DType dtype : {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K})
    CHECK_MESSAGE(has(k_quants, dtype), to_string(dtype));
}

TEST_CASE("a file of metadata alone opens") {
  const GgufFile file = open_golden("qwen_tokenizer.gguf");
  CHECK(file.tensors().empty());
  CHECK(*file.get_i32s("qwen3vl.rope.dimension_sections") == std::vector<std::int32_t>{6, 5, 5, 0});
}

TEST_CASE("views stay valid when the file object moves") {
  GgufFile first = open_golden("llama_k/model-k.gguf");
  const GgufFile second = std::move(first);
  CHECK(second.find("token_embd.weight")->data.size() > 0);
  CHECK(second.find("token_embd.weight")->name == "token_embd.weight");
}

TEST_CASE("opening costs at most four times the metadata") {
  for (const char* name : {"llama_a/model-mixed.gguf", "llama_k/model-k.gguf", "qwen_tokenizer.gguf"}) {
    test::reset_allocated_bytes();
    const auto file = GgufFile::open(golden(name));
    const std::uint64_t spent = test::allocated_bytes();
    REQUIRE(file.ok());
    std::uint64_t metadata = file->file_bytes();
    for (const TensorView& tensor : file->tensors()) {
      CHECK(tensor.in_file);
      metadata -= tensor.data.size();
    }
    CHECK_MESSAGE(spent <= 4 * metadata, name);
  }
}

TEST_CASE("the densest legal metadata costs at most four times its bytes") {
  RawGguf raw;
  raw.head(200, 200);
  const auto short_name = [](int i) {
    return std::string{static_cast<char>('!' + i / 90), static_cast<char>('!' + i % 90)};
  };
  for (int i = 0; i < 200; ++i) raw.key(short_name(i), 0).u8(1, "");
  for (int i = 0; i < 200; ++i) raw.tensor(short_name(i), {1}, 0, 32U * static_cast<std::uint64_t>(i));
  const std::size_t metadata = raw.bytes().size();
  raw.pad(32, 6400);
  test::reset_allocated_bytes();
  const auto file = GgufFile::parse(raw.bytes(), "dense.gguf");
  const std::uint64_t spent = test::allocated_bytes();
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(spent <= 4 * metadata);
}

TEST_CASE("integers are taken from any width that fits, nothing else is converted") {
  RawGguf raw;
  raw.head(0, 7);
  raw.key("u8", 0).u8(200, "").key("i8", 1).u8(0xFF, "").key("u16", 2).u16(65535, "");
  raw.key("u64", 10).u64(std::uint64_t{1} << 40U, "").key("i64", 11).u64(~std::uint64_t{0}, "");
  raw.key("f64", 12).u64(0, "").key("bool", 7).u8(1, "");
  const auto file = GgufFile::parse(raw.bytes(), "numbers.gguf");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(*file->get_u32("u8") == 200);
  CHECK(*file->get_i64("i8") == -1);
  CHECK(*file->get_u64("u16") == 65535);
  CHECK(*file->get_u64("u64") == std::uint64_t{1} << 40U);
  CHECK(*file->get_i64("i64") == -1);
  CHECK_FALSE(file->get_u32("i8").ok());
  CHECK_FALSE(file->get_u32("u64").ok());
  CHECK_FALSE(file->get_u32("bool").ok());
  CHECK_FALSE(file->get_f32("f64").ok());
  CHECK_FALSE(file->get_bool("u8").ok());
  CHECK_FALSE(file->get_string("u8").ok());
}

TEST_CASE("an accessor says which file, which key, what it wants and what is there") {
  RawGguf raw;
  raw.head(0, 1).key("llama.block_count", 5).u32(static_cast<std::uint32_t>(-5), "");
  const auto file = GgufFile::parse(raw.bytes(), "bad\n.gguf");
  REQUIRE(file.ok());
  const auto wrong = file->get_u32("llama.block_count");
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().code == ErrorCode::kBadInput);
  CHECK(wrong.error().message ==
        "bad\\x0a.gguf: the metadata key 'llama.block_count' must be an integer from 0 to 2^32 - 1, it is "
        "i32 -5");
  const auto missing = file->get_string("tokenizer.ggml.model");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message ==
        "bad\\x0a.gguf: the metadata key 'tokenizer.ggml.model' (string) is missing; use a complete model "
        "file");
}

TEST_CASE("a missing key takes the fallback, a wrong type does not") {
  RawGguf raw;
  raw.head(0, 1).key("k", 6).u32(0x3F800000, "");
  const auto file = GgufFile::parse(raw.bytes(), "x");
  REQUIRE(file.ok());
  CHECK(*file->get_u32_or("none", 7) == 7);
  CHECK(*file->get_f32_or("k", 7) == 1.0F);
  CHECK(*file->get_string_or("none", "d") == "d");
  CHECK(*file->get_bool_or("none", true) == true);
  CHECK_FALSE(file->get_u32_or("k", 7).ok());
}

TEST_CASE("arrays are read by their own type only") {
  RawGguf raw;
  raw.head(0, 5);
  raw.array("bytes", 0, 3).u8(1, "").u8(2, "").u8(255, "");
  raw.array("words", 4, 1).u32(0xFFFFFFFF, "");
  raw.array("flags", 7, 2).u8(1, "").u8(0, "");
  raw.array("none", 8, 0).array("no_numbers", 6, 0);
  const auto file = GgufFile::parse(raw.bytes(), "arrays.gguf");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(*file->get_i32s("bytes") == std::vector<std::int32_t>{1, 2, 255});
  CHECK(*file->get_bools("flags") == std::vector<bool>{true, false});
  CHECK(file->get_strings("none")->empty());
  CHECK(file->get_f32s("no_numbers")->empty());
  CHECK_FALSE(file->get_f32s("bytes").ok());
  CHECK_FALSE(file->get_strings("bytes").ok());
  CHECK_FALSE(file->get_i32s("words").ok());
  CHECK_FALSE(file->get_i32s("no_numbers").ok());
  CHECK_FALSE(file->get_i32s("none").ok());
}

TEST_CASE("version 2 is read") {
  RawGguf raw;
  raw.head(1, 0, 2).tensor("t", {4}, 0, 0).pad(32, 16);
  const auto file = GgufFile::parse(raw.bytes(), "v2.gguf");
  REQUIRE(file.ok());
  CHECK(file->version() == 2);
  CHECK(file->find("t")->data.size() == 16);
}

TEST_CASE("what the writer writes, the reader reads") {
  GgufWriter writer(64);
  writer.add_u32("a.u32", 7);
  writer.add_u64("a.u64", std::uint64_t{1} << 50U);
  writer.add_f32("a.f32", 0.5F);
  writer.add_bool("a.bool", true);
  writer.add_string("a.string", "text");
  const std::array<std::string, 3> strings = {"x", "", "yz"};
  writer.add_strings("a.strings", strings);
  const std::array<std::int32_t, 2> ints = {-1, 5};
  writer.add_i32s("a.i32s", ints);
  const std::array<float, 2> floats = {1.5F, -2.0F};
  writer.add_f32s("a.f32s", floats);
  const std::array<std::byte, 24> values = {std::byte{9}};
  const std::array<std::uint64_t, 2> shape = {2, 3};
  const std::array<std::uint64_t, 1> one = {1};
  REQUIRE(writer.add_tensor("t", DType::kF32, shape, values).ok());
  REQUIRE(writer.add_tensor("u", DType::kF16, one, std::span(values).first(2)).ok());
  CHECK_FALSE(writer.add_tensor("short", DType::kF32, shape, std::span(values).first(20)).ok());
  CHECK_FALSE(writer.add_tensor("blocks", DType::kQ4_0, shape, values).ok());
  CHECK_FALSE(writer.add_tensor("integers", DType::kI32, shape, values).ok());

  const std::vector<std::byte> bytes = writer.to_bytes();
  const auto file = GgufFile::parse(bytes, "written.gguf");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(*file->get_u32("a.u32") == 7);
  CHECK(*file->get_u64("a.u64") == std::uint64_t{1} << 50U);
  CHECK(*file->get_f32("a.f32") == 0.5F);
  CHECK(*file->get_bool("a.bool"));
  CHECK(*file->get_string("a.string") == "text");
  CHECK(*file->get_strings("a.strings") == std::vector<std::string_view>{"x", "", "yz"});
  CHECK(*file->get_i32s("a.i32s") == std::vector<std::int32_t>{-1, 5});
  CHECK(*file->get_f32s("a.f32s") == std::vector<float>{1.5F, -2.0F});
  CHECK(*file->get_u32("general.alignment") == 64);
  REQUIRE(file->tensors().size() == 2);
  CHECK(file->tensors()[0].shape == std::vector<std::uint64_t>{2, 3});
  CHECK(file->tensors()[0].data[0] == std::byte{9});
  CHECK(writer.header().size() % 64 == 0);
  CHECK(file->tensors()[1].data.data() - bytes.data() ==
        static_cast<std::ptrdiff_t>(writer.header().size() + 64));
}

TEST_CASE("a path that is no file is an error of its own") {
  CHECK(GgufFile::open(golden("none.gguf")).error().code == ErrorCode::kBadInput);
  CHECK(GgufFile::open(golden("")).error().code == ErrorCode::kBadInput);
}

}  // namespace belay::formats
