#include "core/registry/known_weights.hpp"

#include "core/base/half.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <span>

namespace belay::registry {
namespace {

// Elements are 0.5 * (step - 3), with step in 0..7.
std::uint32_t step_at(std::uint64_t row, std::uint64_t column) {
  return static_cast<std::uint32_t>((row * 3 + column * 5 + column / 16) % 8);
}

using Steps = std::span<const std::uint32_t>;

// Appends little-endian values and codes of one block.
class BlockWriter {
 public:
  explicit BlockWriter(std::vector<std::byte>& out) : out_(out) {}

  template <class T>
  void put(T value) {
    std::array<std::byte, sizeof(T)> raw{};
    std::memcpy(raw.data(), &value, sizeof value);
    out_.insert(out_.end(), raw.begin(), raw.end());
  }
  void half(float value) { put(float_to_half(value)); }
  void byte(std::uint32_t value) { put(static_cast<std::uint8_t>(value)); }

 private:
  std::vector<std::byte>& out_;
};

// 16 bytes: the low four bits of code j and of code j + 16. `code` maps a step to the stored number.
template <class Code>
void put_nibbles(BlockWriter& out, Steps steps, Code code) {
  for (std::size_t j = 0; j < 16; ++j) out.byte((code(steps[j]) & 15U) | (code(steps[j + 16]) & 15U) << 4U);
}

template <class Code>
void put_fifth_bits(BlockWriter& out, Steps steps, Code code) {
  std::uint32_t bits = 0;
  for (std::uint32_t j = 0; j < 32; ++j) bits |= (code(steps[j]) >> 4U) << j;
  out.put(bits);
}

void put_q8_0(BlockWriter& out, Steps steps) {
  out.half(0.5F);
  for (const std::uint32_t step : steps) out.byte(step - 3);
}

void put_q4_0(BlockWriter& out, Steps steps) {
  out.half(0.5F);
  put_nibbles(out, steps, [](std::uint32_t step) { return step + 5; });  // stored with 8 added
}

void put_q4_1(BlockWriter& out, Steps steps) {
  out.half(0.5F);
  out.half(-1.5F);
  put_nibbles(out, steps, [](std::uint32_t step) { return step; });
}

void put_q5_0(BlockWriter& out, Steps steps) {
  const auto code = [](std::uint32_t step) { return step + 13; };  // stored with 16 added
  out.half(0.5F);
  put_fifth_bits(out, steps, code);
  put_nibbles(out, steps, code);
}

void put_q5_1(BlockWriter& out, Steps steps) {
  const auto code = [](std::uint32_t step) {
    return step * 4;
  };  // uses the fifth bit, with a quarter of the scale
  out.half(0.125F);
  out.half(-1.5F);
  put_fifth_bits(out, steps, code);
  put_nibbles(out, steps, code);
}

// Scale 1 and minimum 3 for each of the eight groups of 32, in the 6-bit packing of Q4_K and Q5_K.
void put_scales_and_minima(BlockWriter& out) {
  for (int i = 0; i < 4; ++i) out.byte(1);
  for (int i = 0; i < 4; ++i) out.byte(3);
  for (int i = 0; i < 4; ++i) out.byte(1U | 3U << 4U);
}

// 128 bytes: in each run of 64 codes, the low four bits of code l and of code l + 32.
template <class Code>
void put_k_nibbles(BlockWriter& out, Steps steps, Code code) {
  for (std::size_t base = 0; base < 256; base += 64) {
    for (std::size_t l = 0; l < 32; ++l) {
      out.byte((code(steps[base + l]) & 15U) | (code(steps[base + 32 + l]) & 15U) << 4U);
    }
  }
}

void put_q4_k(BlockWriter& out, Steps steps) {
  out.half(0.5F);
  out.half(0.5F);
  put_scales_and_minima(out);
  put_k_nibbles(out, steps, [](std::uint32_t step) { return step; });
}

void put_q5_k(BlockWriter& out, Steps steps) {
  const auto code = [](std::uint32_t step) { return step * 4; };
  out.half(0.125F);
  out.half(0.5F);
  put_scales_and_minima(out);
  for (std::size_t l = 0; l < 32; ++l) {
    std::uint32_t bits = 0;
    for (std::size_t group = 0; group < 8; ++group) bits |= (code(steps[32 * group + l]) >> 4U) << group;
    out.byte(bits);
  }
  put_k_nibbles(out, steps, code);
}

void put_q6_k(BlockWriter& out, Steps steps) {
  const auto code = [&](std::size_t index) { return steps[index] + 29; };  // stored with 32 added
  for (std::size_t base = 0; base < 256; base += 128) {
    for (std::size_t l = 0; l < 64; ++l) out.byte((code(base + l) & 15U) | (code(base + 64 + l) & 15U) << 4U);
  }
  for (std::size_t base = 0; base < 256; base += 128) {
    for (std::size_t l = 0; l < 32; ++l) {
      std::uint32_t bits = 0;
      for (std::size_t part = 0; part < 4; ++part) bits |= (code(base + 32 * part + l) >> 4U) << (2 * part);
      out.byte(bits);
    }
  }
  for (int group = 0; group < 16; ++group) out.byte(1);
  out.half(0.5F);
}

float value_of(std::uint32_t step) { return 0.5F * (static_cast<float>(step) - 3.0F); }

void put_bf16(BlockWriter& out, Steps steps) {
  out.put(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value_of(steps[0])) >> 16U));
}

using PutBlock = void (*)(BlockWriter&, Steps);

PutBlock writer_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return [](BlockWriter& out, Steps steps) { out.put(value_of(steps[0])); };
    case DType::kF16:
      return [](BlockWriter& out, Steps steps) { out.half(value_of(steps[0])); };
    case DType::kBF16:
      return put_bf16;
    case DType::kQ8_0:
      return put_q8_0;
    case DType::kQ4_0:
      return put_q4_0;
    case DType::kQ4_1:
      return put_q4_1;
    case DType::kQ5_0:
      return put_q5_0;
    case DType::kQ5_1:
      return put_q5_1;
    case DType::kQ4_K:
      return put_q4_k;
    case DType::kQ5_K:
      return put_q5_k;
    case DType::kQ6_K:
      return put_q6_k;
    default:
      return nullptr;
  }
}

}  // namespace

float known_value(std::uint64_t row, std::uint64_t column) { return value_of(step_at(row, column)); }

std::optional<KnownWeights> known_weights(DType dtype, std::uint64_t rows, std::uint64_t columns) {
  const PutBlock put_block = writer_of(dtype);
  const std::uint64_t block = info(dtype).block_elems;
  if (put_block == nullptr || columns % block != 0) return std::nullopt;
  KnownWeights weights;
  BlockWriter out(weights.bytes);
  std::vector<std::uint32_t> steps(block);
  for (std::uint64_t row = 0; row < rows; ++row) {
    for (std::uint64_t first = 0; first < columns; first += block) {
      for (std::uint64_t i = 0; i < block; ++i) {
        steps[i] = step_at(row, first + i);
        weights.values.push_back(value_of(steps[i]));
      }
      put_block(out, steps);
    }
  }
  return weights;
}

}  // namespace belay::registry
