// The instructions that ask the running CPU about itself, and what this build was made for.
#pragma once

#include "core/hardware/source.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::hardware {

[[nodiscard]] std::string_view build_arch();  // "x86_64", as in manifests
[[nodiscard]] std::optional<CpuidRegisters> native_cpuid(std::uint32_t leaf, std::uint32_t subleaf);
// Faults unless CPUID reports OSXSAVE.
[[nodiscard]] std::optional<std::uint64_t> native_xcr0();

}  // namespace belay::hardware
