// Who may own and change what Belay loads: root and the user, nobody else. Pure of policy; the world is
// touched only by the functions below (trust_posix.cpp). Any thread.
#pragma once

#include "core/registry/objection.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace belay::registry {

struct TrustPolicy {
  std::uint32_t user = 0;   // the owner that is trusted besides root; tests give another one
  bool use_openat2 = true;  // false takes the path of kernels and emulators that lack it
};

// Trusts the effective user of this process.
[[nodiscard]] TrustPolicy trust_current_user();

// True when the process runs with more rights than the one who started it (set-user-id, capabilities):
// environment variables and the user's own folders then decide nothing.
[[nodiscard]] bool elevated();

// The objection to something with this owner and these permission bits. Pure.
[[nodiscard]] std::optional<Objection> distrust_owner(const std::filesystem::path& path, std::uint32_t owner,
                                                      std::uint32_t mode, const TrustPolicy& policy);

// The objection to a folder: it must be owned by root or the user and not be writable by group or others, and
// no folder above it may let everybody rename it (writable by others without the sticky bit). `folder` is
// canonical.
[[nodiscard]] std::optional<Objection> distrust_folder(const std::filesystem::path& folder,
                                                       const TrustPolicy& policy);

// The objection to a manifest: a regular file, owned and writable as above, not reached through a symbolic
// link.
[[nodiscard]] std::optional<Objection> distrust_manifest(const std::filesystem::path& file,
                                                         const TrustPolicy& policy);

}  // namespace belay::registry
