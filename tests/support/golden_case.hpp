// A prompt with the reference's tokens and logits behind it (tests/fixtures/goldens).
#pragma once

#include "core/formats/safetensors.hpp"
#include "tests/support/doctest.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace belay::test {

struct GoldenCase {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> generated;
  std::vector<float> logits;  // of each generated token
  std::size_t vocab = 0;
};

template <class T>
std::vector<T> values_of(const formats::TensorView& tensor) {
  std::vector<T> values(tensor.data.size() / sizeof(T));
  std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(T));
  return values;
}

inline GoldenCase load_golden_case(const std::filesystem::path& goldens, const std::string& name) {
  const auto file = formats::SafetensorsFile::open(goldens / "cases" / (name + ".safetensors"));
  REQUIRE(file.ok());
  REQUIRE(file->find("input_ids")->dtype == DType::kI32);
  REQUIRE(file->find("gen_ids")->dtype == DType::kI32);
  const formats::TensorView& logits = *file->find("gen_logits");
  return {values_of<std::int32_t>(*file->find("input_ids")), values_of<std::int32_t>(*file->find("gen_ids")),
          values_of<float>(logits), logits.shape[1]};
}

}  // namespace belay::test
