#include "core/formats/safetensors.hpp"

#include "core/formats/safetensors_writer.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace belay::formats {
using test::TemporaryFolder;

namespace {

std::string file_of(std::string_view header, std::size_t data_bytes, std::uint64_t claimed) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &claimed, 8);
  return out + std::string(header) + std::string(data_bytes, '\1');
}

std::string file_of(std::string_view header, std::size_t data_bytes) {
  return file_of(header, data_bytes, header.size());
}

std::string refusal(const std::string& text) {
  test::reset_allocated_bytes();
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(text)), "hostile.safetensors");
  CHECK(test::allocated_bytes() <= 8 * text.size() + 65'536);
  if (file.ok()) return "(accepted)";
  CHECK(file.error().code == ErrorCode::kBadInput);
  CHECK(file.error().message.starts_with("hostile.safetensors: "));
  return file.error().message;
}

constexpr std::string_view kValid =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

struct Row {
  std::string header;
  std::size_t data_bytes;
  std::string reason;
};

}  // namespace

TEST_CASE("a golden case opens with its tensors and types") {
  const auto file =
      SafetensorsFile::open(std::string(BELAY_GOLDENS) + "/cases/llama_a_mixed__text.safetensors");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  const TensorView* logits = file->find("gen_logits");
  REQUIRE(logits != nullptr);
  CHECK(logits->dtype == DType::kF32);
  CHECK(logits->shape == std::vector<std::uint64_t>{32, 512});
  CHECK(logits->data.size() == 32 * 512 * 4);
  CHECK(logits->in_file);
  CHECK(file->find("gen_ids")->dtype == DType::kI32);
  CHECK(file->find("missing") == nullptr);
}

TEST_CASE("a small file gives its values and attributes") {
  const std::string text = file_of(kValid, 11);
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(text)), "x");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(file->tensors().size() == 2);
  CHECK(file->attribute("format") == "pt");
  CHECK_FALSE(file->attribute("other").has_value());
  CHECK(file->find("b")->data.size() == 3);
  CHECK_FALSE(file->find("b")->in_file);  // the text is no file: its pages must not be given back
  CHECK(file->find("b")->data.data() == std::as_bytes(std::span(text)).data() + text.size() - 3);
}

TEST_CASE("scalars, empty tensors, escapes and an empty file are legal") {
  CHECK(refusal(file_of("{}", 0)) == "(accepted)");
  CHECK(refusal(file_of("{}   ", 0)) == "(accepted)");
  CHECK(refusal(file_of(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4)) == "(accepted)");
  CHECK(refusal(file_of(R"({"z":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}})", 0)) == "(accepted)");
  const std::string text = file_of(R"({"\u00e9\n":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}})", 1);
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(text)), "x");
  REQUIRE(file.ok());
  CHECK(file->find("é\n") != nullptr);
}

TEST_CASE("headers that break the format's rules are refused with the reason") {
  const auto tensor = [](std::string_view fields) { return "{\"t\":{" + std::string(fields) + "}}"; };
  const std::string rest = R"("dtype":"U8","shape":[4])";
  const std::vector<Row> rows = {
      {"[]", 0, "does not start with '{'"},
      {" {}", 0, "does not start with '{'"},
      {"{", 0, "no valid JSON"},
      {"{}x", 0, "no valid JSON"},
      {"{\"t\xFF\":1}", 0, "no valid JSON"},
      {R"({"t":1})", 0, "a number where none belongs"},
      {R"({"t":null})", 0, "null"},
      {R"({"t":[]})", 0, "an array where none belongs"},
      {R"({"t":{"dtype":{}}})", 0, "an object where none belongs"},
      {tensor(R"("dtype":"U8")"), 0, "needs dtype, shape and two data_offsets"},
      {tensor(rest + R"(,"data_offsets":[0])"), 4, "needs dtype, shape and two data_offsets"},
      {tensor(rest + R"(,"data_offsets":[0,4,5])"), 4, "too long"},
      {tensor(rest + R"(,"data_offsets":[0,4],"more":1)"), 4, "the unknown field 'more'"},
      {tensor(rest + R"(,"data_offsets":[0,4],"dtype":"U8")"), 4, "dtype occurs twice"},
      {tensor(rest + R"(,"data_offsets":[0,4],"shape":[4])"), 4, "shape occurs twice"},
      {tensor(rest + R"(,"data_offsets":[0,4],"data_offsets":[0,4])"), 4, "data_offsets occurs twice"},
      {tensor(R"("dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4])"), 4, "dtype 'F8_E4M3' is not one of"},
      {tensor(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])"), 4, "a negative number"},
      {tensor(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])"), 4, "not a whole number"},
      {tensor(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4])"), 4,
       "not a whole number"},
      {tensor(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])"), 4, "an array where none belongs"},
      {tensor(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4])"), 4, "too long"},
      {tensor(rest + R"(,"data_offsets":[4,0])"), 4, "end before they begin"},
      {tensor(rest + R"(,"data_offsets":[0,5])"), 5, "5 bytes do not hold u8 of shape [4]"},
      {tensor(rest + R"(,"data_offsets":[0,4])"), 3, "the download may be incomplete"},
      {tensor(rest + R"(,"data_offsets":[18446744073709551612,18446744073709551615])"), 4, "do not hold"},
      {tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0, "do not hold"},
      {tensor(R"("dtype":"I64","shape":[2305843009213693952],"data_offsets":[0,0])"), 0, "do not hold"},
      {tensor(rest + R"(,"data_offsets":[1,5])"), 5, "has a hole at byte 0"},
      {tensor(rest + R"(,"data_offsets":[0,4])"), 5, "1 bytes behind the last tensor belong to none"},
      {R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "a tensor name of 0 bytes"},
      {"{\"" + std::string(1025, 'n') + "\":{}}", 0, "a tensor name of 1025 bytes"},
      {R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "the name occurs twice"},
      {R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"u":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "overlaps at byte 1"},
      {R"({"__metadata__":{"a":1}})", 0, "a number where none belongs"},
      {R"({"__metadata__":{"a":{}}})", 0, "an object where none belongs"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "the key 'a' of __metadata__ occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__ occurs twice"},
      {"{\"t\":" + std::string(100'000, '['), 0, "an array where none belongs"},
  };
  for (const Row& row : rows) {
    const std::string message = refusal(file_of(row.header, row.data_bytes));
    CHECK_MESSAGE(message.find(row.reason) != std::string::npos, row.header.substr(0, 200), ": ", message);
  }
}

TEST_CASE("lengths of the header that lie are refused") {
  CHECK(refusal("1234567").find("the length of the header needs 8 bytes, 7 are left") != std::string::npos);
  CHECK(refusal(file_of("{}", 0, 3)).find("the header needs 3 bytes, 2 are left") != std::string::npos);
  CHECK(refusal(file_of("{}", 0, ~std::uint64_t{0})).find("at most 100000000") != std::string::npos);
  CHECK(refusal(file_of("", 0)).find("does not start") != std::string::npos);
}

TEST_CASE("a file cut or lengthened anywhere is refused") {
  const std::string whole = file_of(kValid, 11);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CHECK_MESSAGE(refusal(whole.substr(0, length)) != "(accepted)", "cut to ", length);
  }
  CHECK(refusal(whole + "x") != "(accepted)");
}

TEST_CASE("files with one byte changed are refused or harmless") {
  const std::string whole = file_of(kValid, 11);
  std::size_t mutants = 0;
  for (std::size_t at = 0; at < whole.size() - 11; ++at) {
    for (const char byte : {'\0', '0', '9', '"', '{', '}', '[', ']', ',', '\x7F', '\xFF'}) {
      std::string mutant = whole;
      mutant[at] = byte;
      const auto file = SafetensorsFile::parse(std::as_bytes(std::span(mutant)), "mutant");
      ++mutants;
      if (!file.ok()) {
        CHECK(file.error().code == ErrorCode::kBadInput);
        continue;
      }
      std::size_t bytes = 0;
      for (const TensorView& tensor : file->tensors()) bytes += tensor.data.size();
      CHECK(bytes == 11);
    }
  }
  CHECK(mutants >= 1000);
}

TEST_CASE("what the writer writes, the reader reads") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "dump.safetensors";
  const std::array<float, 6> floats = {1, 2, 3, 4, 5, -0.5F};
  const std::array<std::int64_t, 2> ids = {-7, 9};
  const std::array<std::int32_t, 1> number = {42};
  const std::array<std::uint8_t, 3> bytes = {1, 2, 255};
  const std::array<std::uint64_t, 2> two_by_three = {2, 3};
  const std::array<std::uint64_t, 1> two = {2};
  const std::array<std::uint64_t, 1> three = {3};

  SafetensorsWriter writer;
  CHECK(writer.empty());
  REQUIRE(writer.add("pixels", three, bytes).ok());
  REQUIRE(writer.add("layer_in_0", two_by_three, floats).ok());
  REQUIRE(writer.add("count", {}, number).ok());
  REQUIRE(writer.add("input \"ids\"", two, ids).ok());
  writer.set_attribute("model", "old");
  writer.set_attribute("model", "tiny");
  CHECK_FALSE(writer.add("layer_in_0", two_by_three, floats).ok());
  CHECK_FALSE(writer.add("short", three, floats).ok());
  CHECK_FALSE(writer.add("", two_by_three, floats).ok());
  CHECK_FALSE(writer.add("__metadata__", two_by_three, floats).ok());
  CHECK_FALSE(writer.add("bad\xFF", two_by_three, floats).ok());
  CHECK_FALSE(writer.add_bytes("blocks", DType::kQ4_0, two, {}).ok());
  REQUIRE(writer.write(path).ok());
  REQUIRE(writer.write(path).ok());  // over the first one

  const auto file = SafetensorsFile::open(path);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(file->tensors().size() == 4);
  CHECK(file->attribute("model") == "tiny");
  const TensorView* layer = file->find("layer_in_0");
  REQUIRE(layer != nullptr);
  CHECK(layer->shape == std::vector<std::uint64_t>{2, 3});
  CHECK(std::ranges::equal(layer->data, std::as_bytes(std::span(floats))));
  CHECK(reinterpret_cast<std::uintptr_t>(layer->data.data()) % alignof(float) == 0);
  CHECK(std::memcmp(file->find("input \"ids\"")->data.data(), ids.data(), sizeof ids) == 0);
  CHECK(file->find("count")->shape.empty());
  CHECK(file->find("pixels")->dtype == DType::kU8);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) ==
        1);  // no temporary file stays behind
}

TEST_CASE("a file that cannot be written leaves nothing behind") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "taken");
  const SafetensorsWriter writer;
  CHECK(writer.write(folder.path() / "none" / "dump.safetensors").error().code == ErrorCode::kUsage);
  CHECK(writer.write(folder.path() / "taken").error().code == ErrorCode::kUsage);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

}  // namespace belay::formats
