// Packing: every value that a kernel would make of the arrays is the value that the file's block stands for,
// bit by bit; and decode reads hardly a byte more than the file has.
#include "plugins/cuda_sm61/kernels/linear_blocks.h"
#include "plugins/cuda_sm61/weights/layout.hpp"
#include "plugins/cuda_sm61/weights/pack.hpp"
#include "tests/kernels/values.hpp"
#include "tests/plugins/cuda_sm61/linear/weight_types.hpp"
#include "tests/reference/quant.hpp"
#include "tests/support/doctest.hpp"

#include <cstring>
#include <string>
#include <vector>

namespace belay::cuda_tests {
namespace {

using kernel_tests::Random;
using kernel_tests::WeightFill;

std::vector<std::uint8_t> packed(DType dtype, std::int64_t rows, std::int64_t k,
                                 std::span<const std::uint8_t> file) {
  const auto layout = cuda::packed_layout(static_cast<std::int32_t>(dtype), rows, k);
  REQUIRE(layout.has_value());
  std::vector<std::uint8_t> bytes(layout->bytes);
  cuda::pack({static_cast<std::int32_t>(dtype), rows, k, file.data(), bytes.data()});
  return bytes;
}

// All values of a weight by the kernels' own readers, a part at a time or a block at a time.
template <class Format>
std::vector<float> by_parts(const WeightPlanes& planes, std::int64_t rows, std::int64_t k) {
  const int parts = Format::parts_of(static_cast<int>(k));
  std::vector<float> values(static_cast<std::size_t>(rows * parts * 8));
  for (int row = 0; row < rows; ++row) {
    for (int p = 0; p < parts; ++p) {
      const Part part = Format::part(planes, row * parts + p);
      float* to = values.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(parts) * 8;
      std::memcpy(to + Format::first_of(p), &part.first, sizeof part.first);
      std::memcpy(to + Format::second_of(p), &part.second, sizeof part.second);
    }
  }
  return values;
}

template <class Format>
std::vector<float> by_blocks(const WeightPlanes& planes, std::int64_t rows, std::int64_t k) {
  const int parts = Format::parts_of(static_cast<int>(k));
  std::vector<float> values;
  for (int row = 0; row < rows; ++row) {
    for (int b = 0; 4 * b < parts; ++b) {
      Part quads[4];
      Format::block(planes, row * parts, b, parts, quads);
      float block[32];
      for (int j = 0; j < 4; ++j) {
        std::memcpy(block + Format::first_of(j), &quads[j].first, sizeof quads[j].first);
        std::memcpy(block + Format::second_of(j), &quads[j].second, sizeof quads[j].second);
      }
      const int count = std::min(32, 8 * (parts - 4 * b));
      values.insert(values.end(), block, block + count);
    }
  }
  return values;
}

// The reference in the one rounding that a float leaves.
bool same(double reference, float value) {
  return std::isnan(reference) ? std::isnan(value) : static_cast<float>(reference) == value;
}

// `values` has rows of k filled up with zeros to a multiple of 8.
void check_values(const std::vector<double>& reference, const std::vector<float>& values, std::size_t rows,
                  std::size_t k) {
  const std::size_t pitch = (k + 7) / 8 * 8;
  REQUIRE(values.size() == rows * pitch);
  std::size_t wrong = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < pitch; ++i) {
      const double expected = i < k ? reference[row * k + i] : 0.0;
      if (!same(expected, values[row * pitch + i])) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

constexpr WeightFill kFills[] = {WeightFill::kNormal, WeightFill::kExtreme, WeightFill::kMinus128,
                                 WeightFill::kNanScale, WeightFill::kInfiniteScale};

TEST_CASE("packed weights hold the file's values") {
  std::uint64_t seed = 1;
  for_each_format([&]<class Format>(DType dtype) {
    for (const WeightFill fill : kFills) {
      for (const std::size_t blocks : {1, 2, 3, 35}) {
        Random random(++seed);
        const std::size_t k = blocks * info(dtype).block_elems;
        const std::size_t rows = 1 + random.below(7);
        INFO(belay::to_string(dtype), " ", kernel_tests::to_string(fill), " rows ", rows, " k ", k);
        const auto file = kernel_tests::make_weights(random, dtype, fill, rows, k);
        const auto n = static_cast<std::int64_t>(rows);
        const auto bytes = packed(dtype, n, static_cast<std::int64_t>(k), file);
        const auto layout =
            cuda::packed_layout(static_cast<std::int32_t>(dtype), n, static_cast<std::int64_t>(k));
        const WeightPlanes planes = cuda::planes_at(*layout, bytes.data());
        const auto reference = reference::dequantise(dtype, file).values;
        check_values(reference, by_parts<Format>(planes, n, static_cast<std::int64_t>(k)), rows, k);
        check_values(reference, by_blocks<Format>(planes, n, static_cast<std::int64_t>(k)), rows, k);
      }
    }
  });
}

// Blocks of nothing but random bits: every quant with every scale, whatever the float it makes.
TEST_CASE("packed weights hold the file's values: any bits") {
  for_each_format([]<class Format>(DType dtype) {
    Random random(static_cast<std::uint64_t>(dtype) + 77);
    const std::size_t k = 8 * std::size_t{info(dtype).block_elems};
    std::vector<std::uint8_t> file(std::size_t{64} * 8 * std::size_t{info(dtype).block_bytes});
    for (std::uint8_t& byte : file) byte = static_cast<std::uint8_t>(random.bits());
    const auto layout =
        cuda::packed_layout(static_cast<std::int32_t>(dtype), 64, static_cast<std::int64_t>(k));
    const auto bytes = packed(dtype, 64, static_cast<std::int64_t>(k), file);
    INFO(belay::to_string(dtype));
    check_values(reference::dequantise(dtype, file).values,
                 by_parts<Format>(cuda::planes_at(*layout, bytes.data()), 64, static_cast<std::int64_t>(k)),
                 64, k);
  });
}

TEST_CASE("packing by ranges of rows, the last first, gives the same bytes") {
  for_each_format([]<class Format>(DType dtype) {
    Random random(5);
    const std::size_t k = 2 * std::size_t{info(dtype).block_elems};
    const auto id = static_cast<std::int32_t>(dtype);
    const auto cols = static_cast<std::int64_t>(k);
    const auto file = kernel_tests::make_weights(random, dtype, WeightFill::kNormal, 9, k);
    const auto whole = packed(dtype, 9, cols, file);
    std::vector<std::uint8_t> ranges(whole.size());
    const cuda::PackJob job = {id, 9, cols, file.data(), ranges.data()};
    cuda::pack_rows(job, 5, 9);
    cuda::pack_rows(job, 4, 5);
    cuda::pack_rows(job, 0, 4);
    CHECK(ranges == whole);
  });
}

TEST_CASE("the packed form's arrays are aligned and none is much larger than the file") {
  for_each_format([]<class Format>(DType dtype) {
    const auto layout = cuda::packed_layout(static_cast<std::int32_t>(dtype), 2048, 2048);
    REQUIRE(layout.has_value());
    for (const std::uint64_t offset : {layout->quants, layout->extra, layout->scales, layout->supers})
      CHECK(offset % cuda::kPackedAlignment == 0);
    const auto file = *row_bytes(dtype, 2048) * 2048;
    INFO(belay::to_string(dtype), ": ", layout->bytes, " bytes of ", file);
    CHECK(layout->bytes >= file);
    CHECK(layout->bytes * 95 <= file * 100);
  });
}

TEST_CASE("there is no packed form of what is no weight") {
  CHECK(!cuda::packed_layout(BELAY_DTYPE_I32, 4, 32));
  CHECK(!cuda::packed_layout(999, 4, 32));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_Q4_0, 4, 33));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_Q6_K, 4, 32));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_Q4_0, -1, 32));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_Q4_0, 4, -32));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_F32, std::int64_t{1} << 62, 8));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_F32, 1, std::int64_t{1} << 62));
  CHECK(!cuda::packed_layout(BELAY_DTYPE_F32, (std::int64_t{1} << 30) + 1, 8));
  CHECK(cuda::packed_layout(BELAY_DTYPE_F32, std::int64_t{1} << 30, 8));
  CHECK(cuda::packed_layout(BELAY_DTYPE_Q4_0, 0, 32)->bytes == 0);
  CHECK(cuda::packed_layout(BELAY_DTYPE_F16, 4, 0)->bytes == 0);
}

}  // namespace
}  // namespace belay::cuda_tests
