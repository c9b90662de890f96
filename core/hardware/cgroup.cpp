#include "core/hardware/cgroup.hpp"

#include "core/hardware/mounts.hpp"
#include "core/hardware/words.hpp"

#include <algorithm>
#include <limits>

namespace belay::hardware {
namespace {

// Version 1 says "no limit" as a number near 2^63; no machine has half of that.
constexpr std::uint64_t kNoMemoryLimit = std::uint64_t{1} << 60U;

template <class T>
std::optional<T> tighter(std::optional<T> a, std::optional<T> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

CgroupLimits tighter(const CgroupLimits& a, const CgroupLimits& b) {
  return {tighter(a.cpus, b.cpus), tighter(a.memory_bytes, b.memory_bytes)};
}

std::optional<std::uint32_t> cpus_of(std::optional<std::uint64_t> quota,
                                     std::optional<std::uint64_t> period) {
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  const std::uint64_t cpus = *quota / *period + (*quota % *period != 0 ? 1 : 0);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(cpus, std::numeric_limits<std::uint32_t>::max()));
}

std::optional<std::uint64_t> read_number(const Source& source, const std::string& path) {
  const auto text = source.read_file(path);
  return text ? first_number(*text) : std::nullopt;
}

std::optional<std::uint64_t> read_memory(const Source& source, const std::string& path) {
  const auto bytes = read_number(source, path);
  return bytes && *bytes < kNoMemoryLimit ? bytes : std::nullopt;
}

// cpu.max is "quota period" or "max period", in microseconds.
std::optional<std::uint32_t> read_cpu_max(const Source& source, const std::string& path) {
  const auto text = source.read_file(path);
  if (!text) return std::nullopt;
  const auto pair = words(*text);
  return pair.size() == 2 ? cpus_of(number(pair[0]), number(pair[1])) : std::nullopt;
}

CgroupLimits read_v2(const Source& source, const std::string& folder) {
  return {read_cpu_max(source, folder + "/cpu.max"),
          tighter(read_memory(source, folder + "/memory.max"), read_memory(source, folder + "/memory.high"))};
}

// A quota of -1, no limit, is no number here.
CgroupLimits read_v1_cpu(const Source& source, const std::string& folder) {
  return {cpus_of(read_number(source, folder + "/cpu.cfs_quota_us"),
                  read_number(source, folder + "/cpu.cfs_period_us")),
          std::nullopt};
}

CgroupLimits read_v1_memory(const Source& source, const std::string& folder) {
  return {std::nullopt, read_memory(source, folder + "/memory.limit_in_bytes")};
}

// The group of a process below its mount point. A container often sees its own group mounted as the root,
// under the path that it has outside; then nothing of the path is left.
std::string below_mount(const Mount& mount, std::string_view group) {
  std::string_view root = mount.root == "/" ? std::string_view() : std::string_view(mount.root);
  if (!group.starts_with(root)) return {};
  group.remove_prefix(root.size());
  if (!group.empty() && group.front() != '/') return {};
  if (group.find("/..") != std::string_view::npos) return {};
  return group == "/" ? std::string() : std::string(group);
}

using ReadGroup = CgroupLimits (*)(const Source&, const std::string& folder);

// The tightest limits of `group` and all above it.
CgroupLimits read_up(const Source& source, const Mount& mount, std::string_view group, ReadGroup read) {
  std::string path = below_mount(mount, group);
  CgroupLimits limits = read(source, mount.point + path);
  while (!path.empty()) {
    path.resize(path.rfind('/'));
    limits = tighter(limits, read(source, mount.point + path));
  }
  return limits;
}

bool lists(std::string_view comma_list, std::string_view name) {
  const auto all = split(comma_list, ",");
  return std::find(all.begin(), all.end(), name) != all.end();
}

CgroupLimits read_controller(const Source& source, const std::vector<Mount>& mounts,
                             std::string_view controller, std::string_view group, ReadGroup read) {
  for (const Mount& mount : mounts) {
    if (mount.type == "cgroup" && lists(mount.options, controller))
      return read_up(source, mount, group, read);
  }
  return {};
}

CgroupLimits read_unified(const Source& source, const std::vector<Mount>& mounts, std::string_view group) {
  for (const Mount& mount : mounts) {
    if (mount.type == "cgroup2") return read_up(source, mount, group, read_v2);
  }
  return {};
}

}  // namespace

CgroupLimits read_cgroup_limits(const Source& source) {
  const std::string groups = source.read_file("/proc/self/cgroup").value_or("");
  const std::vector<Mount> mounts = read_mounts(source);
  CgroupLimits limits;
  for (const std::string_view line : lines(groups)) {
    // "4:cpu,cpuacct:/path" of version 1, "0::/path" of version 2; a machine may have both (cgroups(7)).
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || line.substr(second + 1, 1) != "/") continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view group = line.substr(second + 1);
    if (controllers.empty()) limits = tighter(limits, read_unified(source, mounts, group));
    if (lists(controllers, "cpu"))
      limits = tighter(limits, read_controller(source, mounts, "cpu", group, read_v1_cpu));
    if (lists(controllers, "memory")) {
      limits = tighter(limits, read_controller(source, mounts, "memory", group, read_v1_memory));
    }
  }
  return limits;
}

}  // namespace belay::hardware
