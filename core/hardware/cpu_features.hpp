// The x86 features that Belay knows, by GCC's names, and the psABI levels that they add up to. One table says
// where CPUID shows each, which state the operating system must save for it, and what it builds on. Pure; any
// thread.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::hardware {

enum class CpuidRegister { kEax, kEbx, kEcx, kEdx };

// The register state without which an instruction faults, whatever CPUID says.
enum class OsState { kNone, kAvx, kAvx512, kAmx };

struct CpuFeature {
  std::string_view name;
  std::uint32_t leaf;
  std::uint32_t subleaf;
  CpuidRegister where;
  std::uint32_t bit;
  OsState state;
  std::array<std::string_view, 2> builds_on;  // features without which this one is not reported
};

[[nodiscard]] std::span<const CpuFeature> cpu_feature_table();

// Every name that `isa` may hold: the features and the levels, sorted.
[[nodiscard]] const std::vector<std::string>& known_cpu_features();

// The known name that was probably meant, or an empty text when none is near.
[[nodiscard]] std::string nearest_cpu_feature(std::string_view name);

// `features` without those whose foundations are missing, with the levels that the rest add up to, sorted.
[[nodiscard]] std::vector<std::string> complete_isa(const std::vector<std::string>& features);

// What a person's list of known names stands for: levels and features bring what they build on. A list that
// complete_isa() made stays as it is.
[[nodiscard]] std::vector<std::string> expand_isa(const std::vector<std::string>& names);

// Names from an option such as "-avx2,-fma" (commas or spaces between them), checked.
[[nodiscard]] Result<std::vector<std::string>> parse_feature_mask(std::string_view text);

// Takes features away, and all that builds on them; a level takes all that it adds to the level below. An
// unknown name is an error of the usage and changes nothing. A profile whose features are unknown stays
// unknown.
[[nodiscard]] Status mask_features(Profile& profile, const std::vector<std::string>& names);

// Whether the profile is known to have the feature or level.
[[nodiscard]] bool has_cpu_feature(const Profile& profile, std::string_view name);

}  // namespace belay::hardware
