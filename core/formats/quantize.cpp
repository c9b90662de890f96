#include "core/formats/quantize.hpp"

#include "core/base/format.hpp"
#include "core/base/half.hpp"
#include "core/formats/quantize_k.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

namespace belay::formats {
namespace {

using Values = std::span<const float>;
using Bytes = std::span<std::byte>;

template <class T, float (*Widen)(T)>
void widen(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T bits{};
    std::memcpy(&bits, bytes.data() + i * sizeof bits, sizeof bits);
    out[i] = Widen(bits);
  }
}

template <std::uint16_t (*Narrow)(float)>
void narrow_all(Values x, Bytes out) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::uint16_t bits = Narrow(x[i]);
    std::memcpy(out.data() + i * sizeof bits, &bits, sizeof bits);
  }
}

void put_half(std::byte* at, float value) {
  const std::uint16_t bits = float_to_half(value);
  std::memcpy(at, &bits, sizeof bits);
}

// 1 / scale; 0 for a scale so small that its half is 0 and the codes mean nothing.
float inverse(float scale) {
  const float inverse = 1.0F / scale;
  return std::isfinite(inverse) ? inverse : 0.0F;
}

// Nearest, ties away from zero.
int round_away(float value) {
  const float size = std::abs(value);
  const int below = static_cast<int>(size);
  const int rounded = below + (size - static_cast<float>(below) >= 0.5F ? 1 : 0);
  return value < 0 ? -rounded : rounded;
}

void encode_q8_0(std::span<const float, 32> x, std::span<std::byte, 34> out) {
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::abs(value));
  const float scale = largest / 127.0F;
  const float steps = inverse(scale);
  put_half(out.data(), scale);
  for (std::size_t i = 0; i < 32; ++i) out[2 + i] = static_cast<std::byte>(round_away(x[i] * steps));
}

// The value of largest size, with its sign, becomes code 0, which lies further out than 15.
void encode_q4_0(std::span<const float, 32> x, std::span<std::byte, 18> out) {
  float extreme = 0;
  for (const float value : x) extreme = std::abs(value) > std::abs(extreme) ? value : extreme;
  const float scale = extreme / -8.0F;
  const double steps = static_cast<double>(inverse(scale));
  put_half(out.data(), scale);
  // Product and sum are rounded once, as by the fused multiply-add that the reference is compiled to.
  const auto code = [&](std::size_t i) {
    const auto shifted = static_cast<float>(static_cast<double>(x[i]) * steps + 8.5);
    return std::min(15U, static_cast<unsigned>(static_cast<int>(shifted)));
  };
  for (std::size_t i = 0; i < 16; ++i) out[2 + i] = static_cast<std::byte>(code(i) | code(i + 16) << 4U);
}

template <std::size_t Elems, std::size_t Size>
void each_block(Values x, Bytes out,
                void (*encode)(std::span<const float, Elems>, std::span<std::byte, Size>)) {
  for (std::size_t i = 0; i < x.size() / Elems; ++i) {
    encode(x.subspan(i * Elems).template first<Elems>(), out.subspan(i * Size).template first<Size>());
  }
}

void encode(DType to, Values x, Bytes out) {
  switch (to) {
    case DType::kF16:
      return narrow_all<float_to_half>(x, out);
    case DType::kBF16:
      return narrow_all<float_to_bfloat16>(x, out);
    case DType::kQ8_0:
      return each_block(x, out, encode_q8_0);
    case DType::kQ4_0:
      return each_block(x, out, encode_q4_0);
    case DType::kQ4_K:
      return each_block(x, out, encode_q4_k);
    case DType::kQ6_K:
      return each_block(x, out, encode_q6_k);
    default:
      std::memcpy(out.data(), x.data(), x.size_bytes());
  }
}

constexpr std::array kTargets = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                 DType::kQ4_0, DType::kQ4_K, DType::kQ6_K};

// Scales are halves and at most a value's size, so a value that is no half needs no search to be refused.
float largest_value(DType to) {
  return to == DType::kF32 || to == DType::kBF16 ? std::numeric_limits<float>::max() : kMaxHalf;
}

Status check_values(DType to, Values x, std::uint64_t row) {
  const float most = largest_value(to);
  const auto bad = std::find_if(x.begin(), x.end(), [&](float value) { return !(std::abs(value) <= most); });
  if (bad == x.end()) return {};
  return fail(ErrorCode::kBadInput,
              "row {}, column {}: the value {} does not fit {}; the weights may be damaged: fetch them again",
              row, bad - x.begin(), *bad, to_string(to));
}

}  // namespace

Status to_f32(DType from, std::span<const std::byte> bytes, std::span<float> out) {
  if (from != DType::kF32 && from != DType::kF16 && from != DType::kBF16) {
    return fail(ErrorCode::kBadInput, "weights of type {} cannot be converted, only f32, f16 and bf16",
                to_string(from));
  }
  assert(row_bytes(from, out.size()) == bytes.size());
  if (from == DType::kF16) {
    widen<std::uint16_t, half_to_float>(bytes, out);
  } else if (from == DType::kBF16) {
    widen<std::uint16_t, bfloat16_to_float>(bytes, out);
  } else if (!out.empty()) {
    std::memcpy(out.data(), bytes.data(), bytes.size());
  }
  return {};
}

Status quantize_row(DType to, std::span<const float> x, std::span<std::byte> out, std::uint64_t row) {
  if (std::find(kTargets.begin(), kTargets.end(), to) == kTargets.end()) {
    return fail(ErrorCode::kBadInput,
                "weights cannot be converted to {}, only to f32, f16, bf16, q8_0, q4_0, q4_k and q6_k",
                to_string(to));
  }
  const auto bytes = row_bytes(to, x.size());
  if (!bytes) {
    return fail(ErrorCode::kBadInput, "rows of {} values are not whole blocks of {} ({} values each)",
                x.size(), to_string(to), info(to).block_elems);
  }
  assert(*bytes == out.size());
  BELAY_TRY(check_values(to, x, row));
  if (!x.empty()) encode(to, x, out);
  return {};
}

}  // namespace belay::formats
