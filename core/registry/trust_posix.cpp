#include "core/base/format.hpp"
#include "core/registry/trust.hpp"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace belay::registry {
namespace {

Objection untrusted(std::string detail) {
  return {Stage::kTrust, std::string(reason::kUntrusted), std::move(detail)};
}

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

// Somebody who may rename a folder above ours can put another one in its place.
std::optional<Objection> distrust_parents(const std::filesystem::path& folder) {
  for (std::filesystem::path parent = folder; parent != parent.root_path();) {
    parent = parent.parent_path();
    struct stat facts = {};
    if (::stat(parent.c_str(), &facts) != 0)
      continue;  // not readable for us, and so not for a plugin's folder either
    if ((facts.st_mode & S_IWOTH) != 0 && (facts.st_mode & S_ISVTX) == 0) {
      return untrusted(format("{} above {} can be changed by everybody and is not sticky", parent.string(),
                              folder.string()));
    }
  }
  return std::nullopt;
}

}  // namespace

TrustPolicy trust_current_user() { return {.user = ::geteuid()}; }

bool elevated() { return ::getauxval(AT_SECURE) != 0; }

std::optional<Objection> distrust_owner(const std::filesystem::path& path, std::uint32_t owner,
                                        std::uint32_t mode, const TrustPolicy& policy) {
  if (owner != 0 && owner != policy.user) {
    return untrusted(format("{} belongs to user {}, it must belong to root or to you (user {})",
                            path.string(), owner, policy.user));
  }
  if ((mode & kWritableByOthers) != 0) {
    return untrusted(format("{} can be changed by its group or by others (mode {:04o}); run: chmod go-w {}",
                            path.string(), mode & 07777U, path.string()));
  }
  return std::nullopt;
}

std::optional<Objection> distrust_folder(const std::filesystem::path& folder, const TrustPolicy& policy) {
  struct stat facts = {};
  if (::stat(folder.c_str(), &facts) != 0) {
    return untrusted(format("{}: {}", folder.string(), std::strerror(errno)));
  }
  if (!S_ISDIR(facts.st_mode)) return untrusted(format("{} is not a folder", folder.string()));
  if (auto objection = distrust_owner(folder, facts.st_uid, facts.st_mode, policy)) return objection;
  return distrust_parents(folder);
}

std::optional<Objection> distrust_manifest(const std::filesystem::path& file, const TrustPolicy& policy) {
  struct stat facts = {};
  if (::lstat(file.c_str(), &facts) != 0)
    return untrusted(format("{}: {}", file.string(), std::strerror(errno)));
  if (S_ISLNK(facts.st_mode))
    return untrusted(format("{} is a symbolic link; put the file itself there", file.string()));
  if (!S_ISREG(facts.st_mode)) return untrusted(format("{} is not a regular file", file.string()));
  return distrust_owner(file, facts.st_uid, facts.st_mode, policy);
}

}  // namespace belay::registry
