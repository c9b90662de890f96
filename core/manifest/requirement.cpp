#include "core/manifest/requirement.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/hardware/cpu_features.hpp"

#include <belay/abi.h>

#include <algorithm>

namespace belay::manifest {
namespace {

using hardware::Profile;
using Verdict = std::optional<Shortfall>;  // nothing: met

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string list(const std::vector<std::string>& names) {
  return printable(format("{}", join(names, ", ")), 200);
}

Verdict missing_abi(const Manifest& manifest) {
  const bool fits = manifest.abi_major == BELAY_ABI_MAJOR &&
                    std::uint32_t{manifest.abi_min_minor} <= std::uint32_t{BELAY_ABI_MINOR};
  if (fits) return std::nullopt;
  return Shortfall{reason::kAbi,
                   format("it needs plugin ABI {}.{} (built for {}.{}); this Belay offers {}.0 to {}.{}",
                          manifest.abi_major, manifest.abi_min_minor, manifest.abi_major,
                          manifest.abi_built_minor, BELAY_ABI_MAJOR, BELAY_ABI_MAJOR, BELAY_ABI_MINOR)};
}

Verdict missing_os(const Requires& needed, const Profile& profile) {
  if (needed.os.empty() || contains(needed.os, profile.os)) return std::nullopt;
  return Shortfall{reason::kOs,
                   format("it runs on {}; this system is {}", list(needed.os), printable(profile.os))};
}

Verdict missing_arch(const Requires& needed, const Profile& profile) {
  if (needed.cpu_arch.empty() || contains(needed.cpu_arch, profile.cpu.arch)) return std::nullopt;
  if (profile.cpu.arch.empty()) return Shortfall{reason::kUnknownFact, "the CPU's architecture is unknown"};
  return Shortfall{reason::kArch, format("it runs on {}; this CPU is {}", list(needed.cpu_arch),
                                         printable(profile.cpu.arch))};
}

Verdict unknown_features(const Requires& needed) {
  std::vector<std::string> unknown;
  std::string hint;
  for (const std::string& name : needed.cpu_features) {
    if (contains(hardware::known_cpu_features(), name)) continue;
    unknown.push_back(name);
    const std::string near = hardware::nearest_cpu_feature(name);
    if (hint.empty() && !near.empty()) hint = format("; did you mean \"{}\"?", near);
  }
  if (unknown.empty()) return std::nullopt;
  return Shortfall{
      reason::kUnknownFeature,
      format("no CPU feature is called {}, so nothing tells whether this CPU has it{}", list(unknown), hint)};
}

Verdict missing_features(const Requires& needed, const Profile& profile) {
  if (needed.cpu_features.empty()) return std::nullopt;
  if (!profile.cpu.isa)
    return Shortfall{reason::kUnknownFact,
                     format("whether this CPU has {} is unknown", list(needed.cpu_features))};
  std::vector<std::string> missing;
  for (const std::string& name : needed.cpu_features) {
    if (!contains(*profile.cpu.isa, name)) missing.push_back(name);
  }
  if (missing.empty()) return std::nullopt;
  return Shortfall{reason::kCpuFeature, format("this CPU lacks {}", list(missing))};
}

Verdict missing_memory(std::uint64_t needed_mib, const Profile& profile) {
  if (needed_mib == 0) return std::nullopt;
  if (!profile.memory.total_bytes)
    return Shortfall{reason::kUnknownFact, "the size of the memory is unknown"};
  const std::uint64_t total = *profile.memory.total_bytes;
  const std::uint64_t usable = std::min(total, profile.memory.limit_bytes.value_or(total));
  if (usable / kMib >= needed_mib) return std::nullopt;
  const std::string_view which = usable < total ? "this process may use" : "this machine has";
  return Shortfall{reason::kHostMemory,
                   format("it needs {} MiB of memory; {} {} MiB", needed_mib, which, usable / kMib)};
}

// Yes, no, or nothing when the profile does not say.
std::optional<bool> suits(const hardware::Storage& storage, const StorageRequirement& needed) {
  const std::optional<bool> kind = !needed.nvme   ? std::optional(true)
                                   : storage.kind ? std::optional(*storage.kind == "nvme")
                                                  : std::nullopt;
  if (needed.min_read_mib_s == 0 || kind == false) return kind;
  if (!storage.read_bytes_per_s) return std::nullopt;
  return *storage.read_bytes_per_s / kMib >= needed.min_read_mib_s ? kind : std::optional(false);
}

Verdict missing_storage(const Requires& needed, const Profile& profile) {
  if (!needed.storage || (!needed.storage->nvme && needed.storage->min_read_mib_s == 0)) return std::nullopt;
  bool unknown = profile.storage.empty();
  for (const hardware::Storage& storage : profile.storage) {
    const auto answer = suits(storage, *needed.storage);
    if (answer == true) return std::nullopt;
    unknown = unknown || !answer;
  }
  const std::string what =
      format("{} that reads at least {} MiB/s", needed.storage->nvme ? "an NVMe drive" : "a drive",
             needed.storage->min_read_mib_s);
  if (unknown)
    return Shortfall{reason::kUnknownFact, format("it needs {}; whether there is one is unknown", what)};
  return Shortfall{reason::kStorage, format("it needs {}; there is none", what)};
}

}  // namespace

std::vector<Refusal> unmet(const Manifest& manifest, const Profile& profile) {
  std::vector<Refusal> out;
  const auto add = [&](const Verdict& verdict) {
    if (verdict) out.push_back({manifest.id, Stage::kFit, std::string(verdict->reason), verdict->detail});
    return verdict.has_value();
  };
  const Requires& needed = manifest.requires_;
  add(missing_abi(manifest));
  add(missing_os(needed, profile));
  // A feature's name means something on its own architecture only.
  if (!add(missing_arch(needed, profile)) && !add(unknown_features(needed)))
    add(missing_features(needed, profile));
  if (needed.gpu) add(missing_gpu(*needed.gpu, profile));
  add(missing_memory(needed.host_mib, profile));
  add(missing_storage(needed, profile));
  return out;
}

std::vector<Refusal> unmet(const Manifest& plugin, const Optimization& optimization, const Profile& profile) {
  const Verdict memory = missing_memory(optimization.requires_host_mib, profile);
  if (!memory) return {};
  return {{plugin.id + "/" + optimization.id, Stage::kFit, std::string(memory->reason), memory->detail}};
}

}  // namespace belay::manifest
