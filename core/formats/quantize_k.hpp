// One block of 256 weights as Q4_K or Q6_K. The values are finite and at most 65504 in size. Used by
// quantize.cpp only.
#pragma once

#include <cstddef>
#include <span>

namespace belay::formats {

void encode_q4_k(std::span<const float, 256> x, std::span<std::byte, 144> out);
void encode_q6_k(std::span<const float, 256> x, std::span<std::byte, 210> out);

}  // namespace belay::formats
