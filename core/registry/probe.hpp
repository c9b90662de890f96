// Asks a plugin, in a child process, whether it works here: the child loads it, opens its device and runs
// known answers, and may die or hang in the plugin's place. The child is this program again
// (`--internal-probe`), through the one seam.
#pragma once

#include "core/base/child_process.hpp"
#include "core/manifest/manifest.hpp"
#include "core/registry/library_file.hpp"
#include "core/registry/plugin.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::registry {

// The hidden word by which the host's main calls probe_child_main().
inline constexpr const char* kProbeArgument = "--internal-probe";

struct ProbeSettings {
  SelfLauncher launcher;
  std::string profile_toml;  // of hardware::write_profile: the child does not look at the machine again
  bool elevated = false;     // no variable of the environment reaches the child then
};

struct ProbeSubject {
  const manifest::Manifest* manifest = nullptr;
  const LibraryFile* library = nullptr;
};

struct Verdict {
  std::optional<Objection> objection;  // absent: usable
  std::string sha256;                  // of the library's bytes; empty when they were refused before
  Device device;                       // what it would open
  std::uint64_t known_answers = 0;     // how many were right
};

// Checks the file, then asks the child. Objections: those of verify(), and at stage probe PROBE_FAILED,
// PROBE_CRASH, PROBE_SIGILL, PROBE_TIMEOUT, KNOWN_ANSWER, ABI_MISMATCH, NO_DRIVER, DRIVER_TOO_OLD, NO_DEVICE.
// Any thread.
[[nodiscard]] Verdict probe(const ProbeSubject& subject, const ProbeSettings& settings);

// The same for several, side by side; the verdicts are in the order of the subjects.
[[nodiscard]] std::vector<Verdict> probe_all(std::span<const ProbeSubject> subjects,
                                             const ProbeSettings& settings);

}  // namespace belay::registry
