// Files that are broken by accident or made to hurt. Every known way in which GGUF readers were broken has
// its row.
#include "core/formats/gguf.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/core/formats/raw_gguf.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/gguf_walk.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace belay::formats {
using test::RawGguf;

namespace {

constexpr std::uint64_t kMax64 = ~std::uint64_t{0};
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63U;
constexpr std::uint64_t kSlack = 16'384;  // for messages

// A valid file with every kind of field: numbers, strings, arrays, tensors of one and two dimensions.
RawGguf valid_file() {
  RawGguf raw;
  raw.head(3, 8);
  raw.key("general.architecture", 8).text("llama");
  raw.key("llama.block_count", 4).u32(2, "u32 value");
  raw.key("llama.rope.freq_base", 6).u32(0x461C4000, "f32 value");
  raw.key("flag", 7).u8(1, "bool value");
  raw.key("big", 10).u64(5, "u64 value");
  raw.array("tokens", 8, 3).text("a").text("bc").text("");
  raw.array("types", 5, 2).u32(1, "element").u32(3, "element");
  raw.key("general.alignment", 4).u32(32, "alignment");
  raw.tensor("token_embd.weight", {32, 4}, 8, 0);
  raw.tensor("norm.weight", {8}, 0, 160);
  raw.tensor("output.weight", {4, 3, 2}, 1, 192);
  return raw.pad(32, 192 + 48);
}

// The error of parsing, after checking its class and that little was allocated on the way. Fails when the
// file is taken.
std::string refusal(std::span<const std::byte> bytes) {
  test::reset_allocated_bytes();
  const auto file = GgufFile::parse(bytes, "hostile.gguf");
  CHECK(test::allocated_bytes() <= 4 * bytes.size() + kSlack);
  if (file.ok()) return "(accepted)";
  CHECK(file.error().code == ErrorCode::kBadInput);
  CHECK(file.error().message.starts_with("hostile.gguf: "));
  return file.error().message;
}

bool refused(std::span<const std::byte> bytes) { return refusal(bytes) != "(accepted)"; }

// True when the file is taken; then everything in it can be read.
bool survives(const std::string& bytes) {
  if (refusal(std::as_bytes(std::span(bytes))) != "(accepted)") return false;
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "mutant");
  return file.ok() && test::walk(*file) > 0;
}

struct Row {
  const char* what;
  std::function<void(RawGguf&)> write;
  const char* reason;
};

void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    RawGguf raw;
    row.write(raw);
    const std::string message = refusal(raw.bytes());
    CHECK_MESSAGE(message.find(row.reason) != std::string::npos, std::string(row.what), ": ", message);
  }
}

// A file of one tensor with everything about it open to abuse.
RawGguf& one_tensor(RawGguf& raw, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                    std::uint64_t offset) {
  return raw.head(1, 0).tensor("t", dims, type, offset).pad(32, 256);
}

}  // namespace

TEST_CASE("the file that the cases below are made from is valid") {
  const RawGguf raw = valid_file();
  CHECK(refusal(raw.bytes()) == "(accepted)");
}

TEST_CASE("what is no GGUF file of a known version is refused") {
  check_rows({
      {"empty", [](RawGguf&) {}, "the magic number needs 4 bytes, 0 are left"},
      {"another format", [](RawGguf& raw) { raw.raw("PK\3\4 and more"); },
       "not a GGUF file: it starts with 'PK\\x03\\x04'"},
      {"version 0", [](RawGguf& raw) { raw.head(0, 0, 0); }, "GGUF version 0"},
      {"version 1", [](RawGguf& raw) { raw.head(0, 0, 1); }, "GGUF version 1"},
      {"version 4", [](RawGguf& raw) { raw.head(0, 0, 4); }, "GGUF version 4"},
      {"big endian", [](RawGguf& raw) { raw.head(0, 0, 0x03000000); }, "big-endian"},
  });
}

TEST_CASE("CVE-2024-23605, CVE-2024-21836: counts that size an allocation") {
  const auto entries = [](std::uint64_t count) {
    return [count](RawGguf& raw) { raw.head(0, count).raw(std::string(512, '\0')); };
  };
  const auto tensors = [](std::uint64_t count) {
    return [count](RawGguf& raw) { raw.head(count, 0).raw(std::string(512, '\0')); };
  };
  check_rows({
      {"n_kv is the largest number", entries(kMax64), "18446744073709551615 metadata entries"},
      {"n_kv times the record wraps to 0", entries(kTwo63), "metadata entries"},
      {"n_kv beyond the limit", entries(65'537), "at most 65536 entries"},
      {"n_kv beyond the bytes left", entries(40), "40 metadata entries, 512 bytes are left"},
      {"n_tensors is the largest number", tensors(kMax64), "18446744073709551615 tensors"},
      {"n_tensors times the record wraps to 0", tensors(kTwo63), "tensors"},
      {"n_tensors beyond the limit", tensors(65'537), "at most 65536 tensors"},
      {"n_tensors beyond the bytes left", tensors(16), "16 tensors, 512 bytes are left"},
  });
}

TEST_CASE("a count beyond the limit is refused even when the file is large enough for it") {
  RawGguf raw;
  raw.head(0, 65'537).raw(std::string(2'000'000, '\0'));
  CHECK(refusal(raw.bytes()).find("65537 metadata entries") != std::string::npos);
}

TEST_CASE("CVE-2024-21802, CVE-2026-33298: products of dimensions") {
  const auto dims = [](std::vector<std::uint64_t> list, std::uint32_t type = 0) {
    return [list = std::move(list), type](RawGguf& raw) { one_tensor(raw, list, type, 0); };
  };
  check_rows({
      {"2^32 * 2^32 wraps to 0", dims({std::uint64_t{1} << 32U, std::uint64_t{1} << 32U}),
       "larger than any file"},
      {"2^16 four times", dims({65536, 65536, 65536, 65536}), "larger than any file"},
      {"a product that wraps to something small", dims({kTwo63 + 1, 2}), "larger than any file"},
      {"elements fit, bytes wrap", dims({std::uint64_t{1} << 62U}), "larger than any file"},
      {"one dimension with the sign bit", dims({kTwo63}), "larger than any file"},
      {"wraps and then times zero", dims({0, kMax64, kMax64}), "larger than any file"},
      {"no elements", dims({4, 0}), "has no elements"},
      {"no dimensions", dims({}), "0 dimensions, a tensor has 1 to 4"},
      {"five dimensions", dims({1, 1, 1, 1, 1}), "5 dimensions"},
      {"rows are not whole blocks", dims({33, 1}, 8), "not whole blocks of q8_0"},
      {"whole blocks only over the whole tensor", dims({16, 2}, 2), "not whole blocks of q4_0"},
      {"K-quant rows are not whole blocks", dims({128, 2}, 12), "not whole blocks of q4_k"},
      {"larger than the file", dims({1000}), "ends behind the file's"},
  });
}

TEST_CASE("CVE-2024-21825, PR 26690: arrays that lie about length or type") {
  check_rows({
      {"count is the largest number",
       [](RawGguf& raw) { raw.head(0, 1).array("a", 4, kMax64).raw(std::string(64, '\0')); },
       "18446744073709551615 elements of type u32"},
      {"count times size wraps to 0",
       [](RawGguf& raw) {
         raw.head(0, 1).array("a", 10, std::uint64_t{1} << 61U).raw(std::string(64, '\0'));
       },
       "elements of type u64"},
      {"strings: count times size wraps",
       [](RawGguf& raw) { raw.head(0, 1).array("a", 8, std::uint64_t{1} << 61U).raw(std::string(64, '\0')); },
       "elements of type string"},
      {"count beyond the bytes left",
       [](RawGguf& raw) { raw.head(0, 1).array("a", 4, 17).raw(std::string(64, '\0')); },
       "64 bytes are left"},
      {"count beyond the limit, in a file that has them",
       // NOLINTNEXTLINE(bugprone-string-constructor): one element more than is allowed
       [](RawGguf& raw) { raw.head(0, 1).array("a", 0, 16'777'217).raw(std::string(16'777'217, '\0')); },
       "at most 16777216 elements"},
      {"array of arrays", [](RawGguf& raw) { raw.head(0, 1).array("a", 9, 1).u32(4, "").u64(0, ""); },
       "an array of arrays"},
      {"unknown element type", [](RawGguf& raw) { raw.head(0, 1).array("a", 13, 0); },
       "the element type of an array is 13"},
      {"unknown value type", [](RawGguf& raw) { raw.head(0, 1).key("a", 4096).u32(0, ""); },
       "the type of a value is 4096"},
      {"a bool of 2", [](RawGguf& raw) { raw.head(0, 1).key("a", 7).u8(2, ""); }, "a bool is 2"},
      {"a bool of 255 in an array",
       [](RawGguf& raw) { raw.head(0, 1).array("a", 7, 2).u8(1, "").u8(255, ""); }, "a bool is 255"},
  });
}

TEST_CASE("CVE-2024-23496: lengths of strings") {
  const auto value = [](std::uint64_t length) {
    return [length](RawGguf& raw) { raw.head(0, 1).key("k", 8).text_of_length("abc", length); };
  };
  check_rows({
      {"length plus one wraps to 0", value(kMax64), "claims 18446744073709551615 bytes"},
      {"the sign bit", value(kTwo63), "claims 9223372036854775808 bytes"},
      {"a gigabyte in a file of 100 bytes", value(std::uint64_t{1} << 30U), "at most 16777216 are read"},
      {"one more than is left", value(4), "a string needs 4 bytes, 3 are left"},
      {"a key of the largest length",
       [](RawGguf& raw) { raw.head(0, 1).text_of_length("k", kMax64).raw("12345"); },
       "a metadata key claims"},
      {"a string in an array",
       [](RawGguf& raw) { raw.head(0, 1).array("a", 8, 2).text("x").text_of_length("y", kMax64); },
       "a string of an array claims"},
      {"a tensor name",
       [](RawGguf& raw) { raw.head(1, 0).text_of_length("t", kMax64).raw(std::string(64, '\0')); },
       "a tensor name claims"},
  });
}

TEST_CASE("CVE-2025-53630, CVE-2026-27940, CVE-2026-7482: offsets and sums of sizes") {
  const auto offset = [](std::uint64_t value) {
    return [value](RawGguf& raw) { one_tensor(raw, {8}, 0, value); };
  };
  check_rows({
      {"the largest aligned offset wraps", offset(kMax64 - 31), "ends behind the file's"},
      {"start of data plus offset wraps", offset(kMax64 - 95), "ends behind the file's"},
      {"offset with the sign bit", offset(kTwo63), "ends behind the file's"},
      {"just behind the end", offset(256), "ends behind the file's"},
      {"not aligned", offset(4), "no multiple of the alignment 32"},
      {"two tensors at one place",
       [](RawGguf& raw) { raw.head(2, 0).tensor("a", {8}, 0, 0).tensor("b", {8}, 0, 0).pad(32, 64); },
       "overlap"},
      {"one tensor inside another",
       [](RawGguf& raw) { raw.head(2, 0).tensor("a", {8}, 0, 32).tensor("b", {32}, 0, 0).pad(32, 128); },
       "'b' and 'a' overlap"},
  });
}

TEST_CASE("PR 26318, PR 24997: alignment") {
  const auto alignment = [](std::uint32_t value) {
    return [value](RawGguf& raw) {
      raw.head(1, 1).key("general.alignment", 4).u32(value, "").tensor("t", {1}, 0, 0).pad(32, 1024);
    };
  };
  check_rows({
      {"0", alignment(0), "general.alignment is 0"},
      {"1", alignment(1), "a power of two from 8 to 65536"},
      {"4", alignment(4), "general.alignment is 4"},
      {"33", alignment(33), "general.alignment is 33"},
      {"2 GiB", alignment(1U << 31U), "general.alignment is 2147483648"},
      {"the largest number", alignment(~0U), "general.alignment is 4294967295"},
      {"128 KiB", alignment(131'072), "general.alignment is 131072"},
      {"a string", [](RawGguf& raw) { raw.head(0, 1).key("general.alignment", 8).text("32"); },
       "must be an integer from 0 to 2^32 - 1, it is string"},
      {"64 KiB, which this file is too short for", alignment(65'536), "ends behind the file's"},
  });
}

TEST_CASE("names: duplicate, empty, too long, not UTF-8") {
  const std::string long_name(1025, 'n');
  check_rows({
      {"a key twice", [](RawGguf& raw) { raw.head(0, 2).key("k", 0).u8(1, "").key("k", 0).u8(2, ""); },
       "the metadata key 'k' occurs twice"},
      {"a tensor name twice",
       [](RawGguf& raw) { raw.head(2, 0).tensor("t", {8}, 0, 0).tensor("t", {8}, 0, 32).pad(32, 64); },
       "the tensor name 't' occurs twice"},
      {"an empty key", [](RawGguf& raw) { raw.head(0, 1).key("", 8).text("value"); },
       "a metadata key is empty"},
      {"an empty tensor name", [](RawGguf& raw) { raw.head(1, 0).tensor("", {8}, 0, 0).pad(32, 64); },
       "a tensor name is empty"},
      {"a key of 1025 bytes", [&](RawGguf& raw) { raw.head(0, 1).key(long_name, 0).u8(1, ""); },
       "a metadata key claims 1025 bytes, at most 1024"},
      {"a tensor name of 1025 bytes",
       [&](RawGguf& raw) { raw.head(1, 0).tensor(long_name, {8}, 0, 0).pad(32, 64); },
       "a tensor name claims 1025 bytes"},
      {"a key that is not UTF-8", [](RawGguf& raw) { raw.head(0, 1).key("a\xFF\n", 0).u8(1, ""); },
       "a metadata key is not valid UTF-8: 'a\\xff\\x0a'"},
      {"an overlong key", [](RawGguf& raw) { raw.head(0, 1).key("\xC0\x80", 0).u8(1, ""); },
       "not valid UTF-8"},
      {"a surrogate in a tensor name",
       [](RawGguf& raw) { raw.head(1, 0).tensor("\xED\xA0\x80", {8}, 0, 0).pad(32, 64); }, "not valid UTF-8"},
  });
}

TEST_CASE("types of tensors that Belay does not compute with are refused by name") {
  const auto type = [](std::uint32_t number) {
    return [number](RawGguf& raw) { one_tensor(raw, {256}, number, 0); };
  };
  check_rows({
      {"Q2_K", type(10),
       "the type Q2_K (10) is not supported; Belay reads F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K"},
      {"IQ4_XS", type(23), "the type IQ4_XS (23) is not supported"},
      {"I32", type(26), "the type I32 (26) is not supported"},
      {"removed", type(4), "the type type 4 is not supported"},
      {"unknown", type(0xFFFFFFFF), "the type type 4294967295 is not supported"},
  });
}

TEST_CASE("messages name the file, the offset and the key, without control characters") {
  RawGguf raw;
  raw.head(0, 1).key("tokens\x1b[2J", 8).text_of_length("abc", 9);
  const auto file = GgufFile::parse(raw.bytes(), "evil\x1b.gguf");
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().message ==
        "evil\\x1b.gguf: at byte 54: a string needs 9 bytes, 3 are left; the download may be incomplete: "
        "fetch the file "
        "again (key 'tokens\\x1b[2J')");
}

TEST_CASE("a file cut anywhere is refused") {
  const RawGguf raw = valid_file();
  const auto bytes = raw.bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_MESSAGE(refused(bytes.first(length)), "cut to ", length, " of ", bytes.size(), " bytes");
  }
}

TEST_CASE("a golden model cut anywhere in its metadata, or every 4 KiB behind, is refused") {
  const auto whole = MappedFile::open(std::string(BELAY_GOLDENS) + "/llama_a/model-mixed.gguf");
  REQUIRE(whole.ok());
  const auto bytes = whole->bytes();
  const auto file = GgufFile::parse(bytes, "whole");
  REQUIRE(file.ok());
  const std::byte* data = bytes.data() + bytes.size();
  for (const TensorView& tensor : file->tensors()) data = std::min(data, tensor.data.data());
  const auto metadata_bytes = static_cast<std::size_t>(data - bytes.data());
  std::size_t taken = 0;
  // Only the bytes that are left may be read: each cut is parsed from a copy of its own, which a sanitizer
  // watches.
  for (std::size_t length = 0; length < bytes.size(); length += length < metadata_bytes ? 1 : 4096) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    taken += GgufFile::parse(cut, "cut").ok() ? 1 : 0;
  }
  CHECK(taken == 0);
}

TEST_CASE("a thousand files with one number changed are refused or harmless") {
  const RawGguf raw = valid_file();
  constexpr std::array<std::uint64_t, 22> kValues = {
      0,      1,      2,      7,          9,          255,        256,
      0x7FFF, 65'536, 65'537, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, std::uint64_t{1} << 32U,
      3,      13,     33,     4096,       kTwo63 - 1, kTwo63,     kMax64 - 31,
      kMax64};
  std::size_t mutants = 0;
  std::size_t accepted = 0;
  for (const RawGguf::Field& field : raw.fields()) {
    for (const std::uint64_t value : kValues) {
      std::string bytes = raw.text();
      if (std::memcmp(bytes.data() + field.offset, &value, field.width) == 0) continue;
      std::memcpy(bytes.data() + field.offset, &value, field.width);
      ++mutants;
      accepted += survives(bytes) ? 1 : 0;
    }
  }
  CHECK(mutants >= 1000);
  CHECK(accepted < mutants / 2);  // values of metadata may change freely, the structure may not
}

}  // namespace belay::formats
