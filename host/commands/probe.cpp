// belay probe: the machine, and every plugin with its verdict and reason.
#include "core/base/format.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/json_output.hpp"
#include "host/workbench.hpp"

namespace belay::host {
namespace {

Json plugin_json(std::string_view id, const std::string& version, const std::filesystem::path& path,
                 const Refusal* refusal) {
  Json out;
  out["id"] = id;
  out["version"] = version.empty() ? Json(nullptr) : Json(version);
  out["path"] = path.string();
  out["verdict"] = refusal == nullptr ? "usable" : "refused";
  out["reason"] = refusal == nullptr ? Json(nullptr) : Json(refusal->reason);
  out["detail"] = refusal == nullptr ? Json(nullptr) : Json(refusal->detail);
  if (refusal != nullptr) out["stage"] = to_string(refusal->stage);
  return out;
}

Json as_json(const Workbench& bench) {
  Json out;
  out["schema"] = "belay.probe/1";
  out["hardware"] = to_json(bench.profile);
  out["plugins"] = Json::array();
  for (const auto& candidate : bench.registry.usable()) {
    const auto& manifest = candidate.manifest;
    out["plugins"].push_back(
        plugin_json(manifest.id, manifest.version.text(), candidate.library_path, nullptr));
  }
  for (const auto& refused : bench.registry.refused()) {
    out["plugins"].push_back(
        plugin_json(refused.refusal.id, refused.version, refused.path, &refused.refusal));
  }
  return out;
}

template <class T>
std::string shown(const std::optional<T>& value) {
  return value ? format("{}", *value) : "unknown";
}

std::string bytes(const std::optional<std::uint64_t>& value) {
  if (!value) return "unknown";
  if (*value < (std::uint64_t{1} << 20U)) return format("{} KiB", *value >> 10U);
  if (*value < (std::uint64_t{1} << 30U))
    return format("{:.0f} MiB", static_cast<double>(*value) / (1U << 20U));
  return format("{:.1f} GiB", static_cast<double>(*value) / (1U << 30U));
}

std::string machine_text(const hardware::Profile& profile) {
  const hardware::Cpu& cpu = profile.cpu;
  std::string out = format("CPU      {} ({}), {}\n", shown(cpu.model), shown(cpu.vendor), cpu.arch);
  out += format("         {} cores, {} CPUs, {} usable; L1d {}, L2 {}, L3 {}\n", shown(cpu.physical_cores),
                shown(cpu.logical_cpus), shown(cpu.usable_cpus), bytes(cpu.l1d_bytes), bytes(cpu.l2_bytes),
                bytes(cpu.l3_bytes));
  out += format("         {}\n", cpu.isa ? format("{}", fmt::join(*cpu.isa, " ")) : "features unknown");
  out += format("memory   {}, {} available, limit {}\n", bytes(profile.memory.total_bytes),
                bytes(profile.memory.available_bytes),
                profile.memory.limit_bytes ? bytes(profile.memory.limit_bytes) : "none");
  for (const hardware::Gpu& gpu : profile.gpus) {
    out += format("GPU      {}, compute capability {}, {} of {} free, driver {}\n", shown(gpu.name),
                  shown(gpu.compute_capability), bytes(gpu.memory_free_bytes), bytes(gpu.memory_bytes),
                  shown(gpu.driver));
    out += format("         {} multiprocessors at up to {} MHz, memory at {} MHz: {} a second, PCIe {}\n",
                  shown(gpu.sm_count), shown(gpu.sm_clock_max_mhz), shown(gpu.memory_clock_max_mhz),
                  bytes(gpu.bandwidth_bytes_per_s), shown(gpu.pcie_link));
  }
  if (profile.gpus.empty()) {
    out += format("GPU      none{}{}\n", profile.gpu_reason.empty() ? "" : ": ", profile.gpu_reason);
  }
  for (const hardware::Storage& storage : profile.storage) {
    out += format("storage  {}: {}, {} free\n", storage.path, shown(storage.kind), bytes(storage.free_bytes));
  }
  return out;
}

std::string plugins_text(const Workbench& bench) {
  std::string out = "plugins\n";
  for (const auto& candidate : bench.registry.usable()) {
    out += format("  {:<14} {:<8} usable\n", candidate.manifest.id, candidate.manifest.version.text());
  }
  for (const auto& refused : bench.registry.refused()) {
    out += format("  {:<14} {:<8} refused: {} ({})\n", refused.refusal.id, refused.version,
                  refused.refusal.reason, refused.refusal.detail);
  }
  if (bench.registry.usable().empty() && bench.registry.refused().empty()) out += "  none found\n";
  return out;
}

}  // namespace

Result<int> probe_command(Options& options) {
  BELAY_TRY_ASSIGN(const Workbench bench, prepare(options, true));
  write_out(bench.settings.json ? to_line(as_json(bench)) + "\n"
                                : machine_text(bench.profile) + plugins_text(bench));
  return 0;
}

}  // namespace belay::host
