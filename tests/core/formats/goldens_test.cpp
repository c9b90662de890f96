// The goldens in tests/fixtures are whole, and both readers agree with what is known about them.
#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/sha256.hpp"
#include "core/formats/safetensors.hpp"
#include "tests/support/block_encoder.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace belay::formats {

namespace {

std::filesystem::path golden(std::string_view name) { return std::filesystem::path(BELAY_GOLDENS) / name; }

std::vector<float> floats_of(const TensorView& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

}  // namespace

TEST_CASE("every golden file has the size and SHA-256 of the manifest") {
  const auto text = read_file(golden("manifest.json"), 1U << 20U);
  REQUIRE(text.ok());
  const auto manifest = parse_json(*text, ErrorCode::kBadInput);
  REQUIRE(manifest.ok());
  const Json& files = (*manifest)["files"];
  CHECK(files.size() == 40);
  for (const auto& item : files.items()) {
    const std::string& name = item.key();
    const Json& facts = item.value();
    const auto file = MappedFile::open(golden(name));
    REQUIRE_MESSAGE(file.ok(), name);
    CHECK_MESSAGE(file->bytes().size() == facts["bytes"].get<std::size_t>(), name);
    CHECK_MESSAGE(sha256_hex(file->bytes()) == facts["sha256"].get<std::string>(), name);
  }
}

TEST_CASE("the quantisation blocks pair bytes with values") {
  const auto file = SafetensorsFile::open(golden("cases/quant_blocks.safetensors"));
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  constexpr std::array<const char*, 10> kTypes = {"F16",  "BF16", "Q8_0", "Q4_0", "Q4_1",
                                                  "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"};
  for (const std::string type : kTypes) {
    std::string lower = type;
    for (char& letter : lower) letter = static_cast<char>(std::tolower(letter));
    const auto dtype = parse_dtype(lower);
    REQUIRE(dtype.has_value());
    const TensorView* raw = file->find(type + ".raw");
    const TensorView* values = file->find(type + ".f32");
    REQUIRE(raw != nullptr);
    REQUIRE(values != nullptr);
    CHECK(raw->shape[0] == values->shape[0]);
    CHECK_MESSAGE(row_bytes(*dtype, values->shape[1]) == raw->shape[1], type);
  }
}

TEST_CASE("the tests' own encoder makes the goldens' bytes from their source values") {
  const auto file = SafetensorsFile::open(golden("cases/quant_blocks.safetensors"));
  REQUIRE(file.ok());
  struct Row {
    const char* name;
    DType dtype;
  };
  constexpr std::array<Row, 7> kRows = {{{"F16", DType::kF16},
                                         {"BF16", DType::kBF16},
                                         {"Q8_0", DType::kQ8_0},
                                         {"Q4_0", DType::kQ4_0},
                                         {"Q4_1", DType::kQ4_1},
                                         {"Q5_0", DType::kQ5_0},
                                         {"Q5_1", DType::kQ5_1}}};
  for (const Row& row : kRows) {
    const TensorView* raw = file->find(std::string(row.name) + ".raw");
    const auto encoded = test::encode(row.dtype, floats_of(*file->find(std::string(row.name) + ".src")));
    REQUIRE(encoded.size() == raw->data.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < encoded.size(); ++i) different += encoded[i] != raw->data[i] ? 1 : 0;
    // The goldens' encoder divides by the scale before it is rounded to half precision: near ties may fall
    // elsewhere.
    CHECK_MESSAGE(different * 50 <= encoded.size(), std::string(row.name), " differs in ", different);
  }
}

}  // namespace belay::formats
