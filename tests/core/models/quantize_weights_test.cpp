#include "core/models/quantize_weights.hpp"

#include "core/formats/quantize.hpp"
#include "tests/support/doctest.hpp"

#include <cmath>
#include <limits>

using namespace belay;          // NOLINT(google-build-using-namespace)
using namespace belay::models;  // NOLINT(google-build-using-namespace)

namespace {

DType type_of(std::string_view name, const graph::Shape& shape, DType wanted) {
  return quantized_type(name, shape, DType::kBF16, wanted);
}

std::vector<float> wave(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(static_cast<float>(i) * 0.37F);
  return values;
}

formats::TensorView view(std::string_view name, std::span<const float> values, std::uint64_t columns) {
  return {name, DType::kF32, {values.size() / columns, columns}, std::as_bytes(values)};
}

}  // namespace

TEST_CASE("matrices of the decoder get the type that is asked for, where their rows are whole blocks") {
  CHECK(type_of("blk.0.attn_q.weight", {8, 512}, DType::kQ4_K) == DType::kQ4_K);
  CHECK(type_of("blk.0.attn_q.weight", {8, 96}, DType::kQ4_K) == DType::kQ8_0);
  CHECK(type_of("blk.0.attn_q.weight", {8, 72}, DType::kQ4_0) == DType::kBF16);
  CHECK(type_of("token_embd.weight", {8, 512}, DType::kQ4_0) == DType::kQ6_K);
  CHECK(type_of("output.weight", {8, 96}, DType::kQ4_0) == DType::kQ8_0);
  CHECK(type_of("token_embd.weight", {8, 512}, DType::kQ8_0) == DType::kQ8_0);
}

TEST_CASE("vectors, the vision encoder and blocks stay as they are") {
  CHECK(type_of("blk.0.attn_norm.weight", {512}, DType::kQ8_0) == DType::kBF16);
  CHECK(type_of("v.blk.0.attn_qkv.weight", {8, 512}, DType::kQ8_0) == DType::kBF16);
  CHECK(quantized_type("blk.0.attn_q.weight", {8, 512}, DType::kQ4_0, DType::kQ8_0) == DType::kQ4_0);
}

TEST_CASE("rows are the same on any number of threads, and what is not finite is named") {
  std::vector<float> values = wave(std::size_t{64} * 96);
  const graph::Weight weight = {"w", DType::kF32, {64, 96}, std::as_bytes(std::span<const float>(values))};
  std::vector<std::byte> one(std::size_t{64} * 3 * 34);
  std::vector<std::byte> two(one.size());
  threading::Pool single({.threads = 1});
  threading::Pool both({.threads = 2});
  REQUIRE(quantize(weight, DType::kQ8_0, one, single).ok());
  REQUIRE(quantize(weight, DType::kQ8_0, two, both).ok());
  CHECK(one == two);
  values[std::size_t{70} * 5] = std::numeric_limits<float>::infinity();
  const Status refused = quantize(weight, DType::kQ8_0, two, both);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kBadInput);
  CHECK(refused.error().message.find("\"w\"") != std::string::npos);
}

TEST_CASE("blocks of a vision encoder are declared at once and made once") {
  const std::vector<float> values = wave(std::size_t{4} * 64);
  Tensors tensors;
  for (const char* name :
       {"v.blk.0.ffn_up.weight", "mm.0.weight", "blk.0.ffn_up.weight", "v.patch_embd.weight"})
    REQUIRE(tensors.add(name, view(name, values, 64)).ok());
  REQUIRE(tensors.add("v.blk.0.ffn_down.weight", view("x", values, 16)).ok());
  auto blocks = VisionBlocks::declare(tensors);
  REQUIRE(blocks.ok());
  CHECK(tensors.find("v.blk.0.ffn_up.weight")->dtype == DType::kQ8_0);
  CHECK(tensors.find("mm.0.weight")->dtype == DType::kQ8_0);
  CHECK(tensors.find("blk.0.ffn_up.weight")->dtype == DType::kF32);
  CHECK(tensors.find("v.patch_embd.weight")->dtype == DType::kF32);
  CHECK(tensors.find("v.blk.0.ffn_down.weight")->dtype == DType::kF32);
  threading::Pool pool({.threads = 2});
  REQUIRE(blocks->make(pool).ok());
  std::vector<std::byte> expected(std::size_t{2} * 34);
  REQUIRE(formats::quantize_row(DType::kQ8_0, std::span(values).first(64), expected, 0).ok());
  const auto made = tensors.find("mm.0.weight")->data.first(expected.size());
  CHECK(std::equal(expected.begin(), expected.end(), made.begin()));
  REQUIRE(blocks->make(pool).ok());  // nothing is left to do
}
