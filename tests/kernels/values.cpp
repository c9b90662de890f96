#include "tests/kernels/values.hpp"

#include "tests/reference/quant.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace belay::kernel_tests {

std::string_view to_string(Fill fill) {
  constexpr std::string_view kNames[] = {"normal", "tiny", "huge",     "denormal", "mixed",
                                         "zero",   "nan",  "infinity", "equal"};
  return kNames[static_cast<std::size_t>(fill)];
}

std::string_view to_string(WeightFill fill) {
  constexpr std::string_view kNames[] = {"normal", "extreme", "minus128", "nan_scale", "infinite_scale"};
  return kNames[static_cast<std::size_t>(fill)];
}

namespace {

float make_float(Random& random, Fill fill) {
  const double normal = random.normal();
  switch (fill) {
    case Fill::kTiny:
      return static_cast<float>(normal * 1e-30);
    case Fill::kHuge:
      return static_cast<float>(normal * 1e18);
    case Fill::kDenormal:
      return static_cast<float>(std::clamp(normal, -3.0, 3.0) * 0x1p-130);
    case Fill::kMixed:
      if (random.below(16) == 0) return 0.0F;
      return static_cast<float>(std::ldexp(normal, static_cast<int>(random.below(41)) - 20));
    case Fill::kZero:
      return random.coin() ? 0.0F : -0.0F;
    default:
      return static_cast<float>(normal);
  }
}

}  // namespace

std::vector<float> make_floats(Random& random, Fill fill, std::size_t count, std::size_t row) {
  std::vector<float> values(count);
  for (float& value : values) value = make_float(random, fill);
  if (fill == Fill::kEqual) {
    for (std::size_t i = 0; i < count; ++i) values[i] = i / row % 2 == 0 ? 1.25F : -1.25F;
  }
  if (count != 0 && (fill == Fill::kNan || fill == Fill::kInfinity)) {
    const float infinity =
        random.coin() ? std::numeric_limits<float>::infinity() : -std::numeric_limits<float>::infinity();
    values[random.below(std::min(row, count))] =
        fill == Fill::kNan ? std::numeric_limits<float>::quiet_NaN() : infinity;
  }
  return values;
}

namespace {

void put_u16(std::uint8_t* at, std::uint16_t value) { std::memcpy(at, &value, sizeof value); }

// Where a block keeps its half floats.
struct Halves {
  int first;
  int second;  // -1: none
};

Halves halves_of(DType dtype) {
  switch (dtype) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ6_K:
      return {208, -1};
    default:
      return {0, -1};
  }
}

// Half floats whose products with the quants stay near 1 for a normal weight.
std::uint16_t normal_scale(Random& random, DType dtype) {
  const bool two_levels = info(dtype).block_elems == 256;
  const double size = two_levels ? 0.0005 : 0.02;
  return reference::double_to_half(size * (0.2 + random.unit()) * (random.below(8) == 0 ? -1.0 : 1.0));
}

std::uint16_t extreme_scale(Random& random) {
  constexpr std::array<std::uint16_t, 8> kScales = {0x0000, 0x8000, 0x0001, 0x83FF,
                                                    0x0400, 0x7BFF, 0xFBFF, 0x3C00};
  return kScales[random.below(kScales.size())];
}

std::uint8_t quant_byte(Random& random, WeightFill fill, std::uint8_t pattern) {
  if (fill == WeightFill::kMinus128) return 0x80;
  if (fill == WeightFill::kExtreme && pattern != 1) return pattern;
  return static_cast<std::uint8_t>(random.bits());
}

void make_block(Random& random, DType dtype, WeightFill fill, std::uint8_t* block) {
  constexpr std::array<std::uint8_t, 6> kPatterns = {0x00, 0xFF, 0x80, 0x7F, 0x55, 1};  // 1: random bytes
  const std::uint8_t pattern = kPatterns[random.below(kPatterns.size())];
  for (std::uint32_t i = 0; i < info(dtype).block_bytes; ++i) block[i] = quant_byte(random, fill, pattern);
  const Halves halves = halves_of(dtype);
  for (const int at : {halves.first, halves.second}) {
    if (at < 0) continue;
    put_u16(block + at, fill == WeightFill::kExtreme ? extreme_scale(random) : normal_scale(random, dtype));
  }
}

void make_plain(Random& random, DType dtype, WeightFill fill, std::uint8_t* element) {
  double value = random.normal();
  if (fill == WeightFill::kExtreme) value = std::ldexp(value, static_cast<int>(random.below(28)) - 16);
  const auto rounded = static_cast<float>(value);
  if (dtype == DType::kF32) std::memcpy(element, &rounded, sizeof rounded);
  if (dtype == DType::kF16) put_u16(element, reference::double_to_half(value));
  if (dtype == DType::kBF16) put_u16(element, reference::float_to_bfloat16(rounded));
}

void poison(DType dtype, bool nan, std::uint8_t* block) {
  const float wide = nan ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  const std::uint16_t half = nan ? 0x7E00 : 0x7C00;
  if (dtype == DType::kF32) {
    std::memcpy(block, &wide, sizeof wide);
  } else if (dtype == DType::kBF16) {
    put_u16(block, reference::float_to_bfloat16(wide));
  } else {
    put_u16(block + halves_of(dtype).first, half);
  }
}

}  // namespace

std::vector<std::uint8_t> make_weights(Random& random, DType dtype, WeightFill fill, std::size_t rows,
                                       std::size_t k) {
  const DTypeInfo& row = info(dtype);
  const std::size_t blocks_per_row = k / row.block_elems;
  std::vector<std::uint8_t> bytes(rows * blocks_per_row * row.block_bytes);
  for (std::size_t b = 0; b < rows * blocks_per_row; ++b) {
    std::uint8_t* block = bytes.data() + b * row.block_bytes;
    if (row.block_elems == 1) {
      make_plain(random, dtype, fill, block);
    } else {
      make_block(random, dtype, fill, block);
    }
  }
  const bool nan = fill == WeightFill::kNanScale;
  if ((nan || fill == WeightFill::kInfiniteScale) && !bytes.empty()) {
    poison(dtype, nan, bytes.data() + random.below(blocks_per_row) * row.block_bytes);
  }
  return bytes;
}

std::vector<std::uint8_t> to_bytes(std::span<const float> values) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(values.data());
  return {begin, begin + values.size_bytes()};
}

std::vector<std::uint8_t> to_bytes(std::span<const std::int32_t> values) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(values.data());
  return {begin, begin + values.size_bytes()};
}

std::vector<double> to_doubles(std::span<const float> values) { return {values.begin(), values.end()}; }

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

Operand float_operand(std::span<const float> values, std::vector<std::int64_t> shape, int token_axis) {
  return {
      .dtype = DType::kF32, .shape = std::move(shape), .token_axis = token_axis, .bytes = to_bytes(values)};
}

Operand float_output(std::vector<std::int64_t> shape, int token_axis) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  // A kernel that leaves an element unwritten leaves this pattern, a large negative float.
  std::vector<std::uint8_t> bytes(count * sizeof(float), 0xEB);
  return {
      .dtype = DType::kF32, .shape = std::move(shape), .token_axis = token_axis, .bytes = std::move(bytes)};
}

}  // namespace belay::kernel_tests
