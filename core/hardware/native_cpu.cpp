#include "core/hardware/native_cpu.hpp"

#if defined(__x86_64__)

#include <cpuid.h>

namespace belay::hardware {

std::string_view build_arch() { return "x86_64"; }

std::optional<CpuidRegisters> native_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  CpuidRegisters out;
  if (__get_cpuid_count(leaf, subleaf, &out.eax, &out.ebx, &out.ecx, &out.edx) == 0) return std::nullopt;
  return out;
}

std::optional<std::uint64_t> native_xcr0() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));  // the intrinsic would need -mxsave
  return std::uint64_t{high} << 32U | low;
}

}  // namespace belay::hardware

#else

namespace belay::hardware {

#if defined(__aarch64__)
std::string_view build_arch() { return "aarch64"; }
#else
std::string_view build_arch() { return "unknown"; }
#endif

std::optional<CpuidRegisters> native_cpuid(std::uint32_t, std::uint32_t) { return std::nullopt; }
std::optional<std::uint64_t> native_xcr0() { return std::nullopt; }

}  // namespace belay::hardware

#endif
