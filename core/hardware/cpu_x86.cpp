#include "core/hardware/cpu_x86.hpp"

#include "core/hardware/cpu_features.hpp"

#include <array>
#include <cstring>
#include <map>
#include <utility>

namespace belay::hardware {
namespace {

constexpr std::uint32_t kOsxsaveBit = 27;  // CPUID 1, ECX: the system uses XSAVE, so XGETBV may be executed
// Bits of XCR0 (Intel SDM volume 1, 13.3): XMM and YMM; the mask and ZMM registers on top; the AMX tiles.
constexpr std::uint64_t kAvxState = 0x6;
constexpr std::uint64_t kAvx512State = 0xE6;
// Linux lets a process use the tiles only after it asked by arch_prctl: a plugin's own affair.
constexpr std::uint64_t kAmxState = 0x60000;

bool enabled(OsState state, std::uint64_t xcr0) {
  const auto saves = [&](std::uint64_t bits) { return (xcr0 & bits) == bits; };
  switch (state) {
    case OsState::kNone:
      return true;
    case OsState::kAvx:
      return saves(kAvxState);
    case OsState::kAvx512:
      return saves(kAvx512State);
    case OsState::kAmx:
      return saves(kAmxState);
  }
  return false;
}

std::uint32_t select(const CpuidRegisters& registers, CpuidRegister which) {
  switch (which) {
    case CpuidRegister::kEax:
      return registers.eax;
    case CpuidRegister::kEbx:
      return registers.ebx;
    case CpuidRegister::kEcx:
      return registers.ecx;
    case CpuidRegister::kEdx:
      return registers.edx;
  }
  return 0;
}

// The registers of a leaf as text, in memory order.
template <std::size_t N>
std::string text_of(const std::array<std::uint32_t, N>& words) {
  std::array<char, N * 4> bytes{};
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return {bytes.data(), strnlen(bytes.data(), bytes.size())};
}

Known<std::string> vendor_of(const Source& source) {
  const auto leaf = source.cpuid(0, 0);
  if (!leaf) return std::nullopt;
  return text_of(std::array{leaf->ebx, leaf->edx, leaf->ecx});
}

Known<std::string> brand_of(const Source& source) {
  std::string brand;
  for (std::uint32_t leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
    const auto part = source.cpuid(leaf, 0);
    if (!part) return std::nullopt;
    brand += text_of(std::array{part->eax, part->ebx, part->ecx, part->edx});
  }
  const std::size_t first = brand.find_first_not_of(' ');
  if (first == std::string::npos) return std::nullopt;
  return brand.substr(first, brand.find_last_not_of(' ') - first + 1);
}

// Each leaf is asked once: in a virtual machine every CPUID is an exit to its host.
class Leaves {
 public:
  explicit Leaves(const Source& source) : source_(source) {}

  // Leaf 7 tells its highest subleaf in EAX; asking beyond it gives another leaf's answer on some CPUs.
  std::optional<CpuidRegisters> get(std::uint32_t leaf, std::uint32_t subleaf) {
    if (subleaf > 0) {
      const auto base = get(leaf, 0);
      if (!base || base->eax < subleaf) return std::nullopt;
    }
    const auto [place, is_new] = seen_.try_emplace({leaf, subleaf});
    if (is_new) place->second = source_.cpuid(leaf, subleaf);
    return place->second;
  }

 private:
  const Source& source_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::optional<CpuidRegisters>> seen_;
};

Known<std::vector<std::string>> isa_of(const Source& source) {
  Leaves leaves(source);
  const auto basic = leaves.get(1, 0);
  if (!basic) return std::nullopt;
  const bool osxsave = (basic->ecx >> kOsxsaveBit & 1U) != 0;
  const std::uint64_t xcr0 = osxsave ? source.xcr0().value_or(0) : 0;
  std::vector<std::string> features;
  for (const CpuFeature& feature : cpu_feature_table()) {
    const auto leaf = leaves.get(feature.leaf, feature.subleaf);
    const bool present = leaf && (select(*leaf, feature.where) >> feature.bit & 1U) != 0;
    if (present && enabled(feature.state, xcr0)) features.emplace_back(feature.name);
  }
  return complete_isa(features);
}

}  // namespace

void probe_cpu_x86(const Source& source, Cpu& cpu) {
  cpu.vendor = vendor_of(source);
  cpu.model = brand_of(source);
  cpu.isa = isa_of(source);
}

}  // namespace belay::hardware
