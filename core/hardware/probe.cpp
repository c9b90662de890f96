#include "core/hardware/probe.hpp"

#include "core/hardware/cgroup.hpp"
#include "core/hardware/cpu_x86.hpp"
#include "core/hardware/gpu.hpp"
#include "core/hardware/native_cpu.hpp"
#include "core/hardware/storage.hpp"
#include "core/hardware/words.hpp"

#include <algorithm>
#include <tuple>

namespace belay::hardware {
namespace {

const LogicalCpu* find_cpu(const Topology& topology, std::uint32_t os_index) {
  const auto found = std::find_if(topology.cpus.begin(), topology.cpus.end(),
                                  [&](const LogicalCpu& cpu) { return cpu.os_index == os_index; });
  return found == topology.cpus.end() ? nullptr : &*found;
}

// A topology that lacks a CPU on which we may run is not this machine's: some containers invent one.
bool trustworthy(const Topology& topology, const std::vector<std::uint32_t>& affinity) {
  return std::all_of(affinity.begin(), affinity.end(),
                     [&](std::uint32_t cpu) { return find_cpu(topology, cpu) != nullptr; });
}

// Every core's first CPU before any core's second, fast cores before slow ones. Hyper-threads are counted
// among the CPUs that are allowed: when only a core's second one is, it is the core's first for us.
std::vector<LogicalCpu> place(const Topology& topology, const std::vector<std::uint32_t>& affinity) {
  std::vector<LogicalCpu> cpus;
  std::vector<std::uint32_t> seen(topology.cores.size(), 0);
  for (const LogicalCpu& cpu : topology.cpus) {
    if (!std::binary_search(affinity.begin(), affinity.end(), cpu.os_index)) continue;
    cpus.push_back(cpu);
    cpus.back().thread = seen[cpu.core]++;
  }
  std::stable_sort(cpus.begin(), cpus.end(), [](const LogicalCpu& a, const LogicalCpu& b) {
    return std::tuple(a.thread, a.efficiency_core, a.core) < std::tuple(b.thread, b.efficiency_core, b.core);
  });
  return cpus;
}

// Without a topology each CPU counts as a core of its own.
std::vector<LogicalCpu> place_unknown(const std::vector<std::uint32_t>& affinity) {
  std::vector<LogicalCpu> cpus;
  cpus.reserve(affinity.size());
  for (const std::uint32_t os_index : affinity) {
    cpus.push_back({os_index, static_cast<std::uint32_t>(cpus.size()), 0, false});
  }
  return cpus;
}

void describe_topology(const Topology& topology, Cpu& cpu) {
  if (topology.cores_known) cpu.physical_cores = static_cast<std::uint32_t>(topology.cores.size());
  cpu.logical_cpus = static_cast<std::uint32_t>(topology.cpus.size());
  // Of the core that gets the first thread: on a hybrid CPU a fast one.
  const Core& core = topology.cores[cpu.allowed.empty() ? 0 : cpu.allowed.front().core];
  cpu.l1d_bytes = core.l1d_bytes;
  cpu.l2_bytes = core.l2_bytes;
  cpu.l3_bytes = core.l3_bytes;
}

void probe_cpus(const Source& source, std::optional<std::uint32_t> quota, Cpu& cpu) {
  const auto affinity = source.affinity();
  auto topology = source.topology();
  if (topology && affinity && !trustworthy(*topology, *affinity)) topology.reset();
  if (affinity) {
    cpu.allowed = topology ? place(*topology, *affinity) : place_unknown(*affinity);
    const auto allowed = static_cast<std::uint32_t>(affinity->size());
    cpu.usable_cpus = quota ? std::max<std::uint32_t>(1, std::min(allowed, *quota)) : allowed;
  }
  if (topology) describe_topology(*topology, cpu);
}

// "MemTotal:        8033904 kB"
Known<std::uint64_t> meminfo_bytes(std::string_view meminfo, std::string_view key) {
  for (const std::string_view line : lines(meminfo)) {
    const auto all = words(line);
    if (all.size() != 3 || all[0] != key || all[2] != "kB") continue;
    const auto kib = number(all[1]);
    std::uint64_t bytes = 0;
    if (!kib || __builtin_mul_overflow(*kib, std::uint64_t{1024}, &bytes)) return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

}  // namespace

Profile probe(const Source& source, const ProbeOptions& options) {
  Profile profile;
  profile.cpu.arch = std::string(build_arch());
  probe_cpu_x86(source, profile.cpu);
  const CgroupLimits limits = read_cgroup_limits(source);
  probe_cpus(source, limits.cpus, profile.cpu);
  const std::string meminfo = source.read_file("/proc/meminfo").value_or("");
  profile.memory.total_bytes = meminfo_bytes(meminfo, "MemTotal:");
  profile.memory.available_bytes = meminfo_bytes(meminfo, "MemAvailable:");
  profile.memory.limit_bytes = limits.memory_bytes;
  if (options.gpus != AskGpus::kNever) probe_gpus(source, options.gpus == AskGpus::kAlways, profile);
  for (const std::string& folder : options.storage_folders)
    profile.storage.push_back(probe_storage(source, folder));
  return profile;
}

}  // namespace belay::hardware
