#include "host/json_output.hpp"

#include <algorithm>

namespace belay::host {
namespace {

template <class T>
Json known(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json cpu_json(const hardware::Cpu& cpu) {
  Json out;
  out["arch"] = cpu.arch;
  out["vendor"] = known(cpu.vendor);
  out["model"] = known(cpu.model);
  out["physical_cores"] = known(cpu.physical_cores);
  out["logical_cpus"] = known(cpu.logical_cpus);
  out["usable_cpus"] = known(cpu.usable_cpus);
  out["l1d_bytes"] = known(cpu.l1d_bytes);
  out["l2_bytes"] = known(cpu.l2_bytes);
  out["l3_bytes"] = known(cpu.l3_bytes);
  out["isa"] = known(cpu.isa);
  return out;
}

Json gpu_json(const hardware::Gpu& gpu) {
  Json out;
  out["name"] = known(gpu.name);
  out["vendor"] = known(gpu.vendor);
  out["compute_capability"] = known(gpu.compute_capability);
  out["memory_bytes"] = known(gpu.memory_bytes);
  out["memory_free_bytes"] = known(gpu.memory_free_bytes);
  out["bandwidth_bytes_per_s"] = known(gpu.bandwidth_bytes_per_s);
  out["tensor_cores"] = known(gpu.tensor_cores);
  out["sm_count"] = known(gpu.sm_count);
  out["sm_clock_max_mhz"] = known(gpu.sm_clock_max_mhz);
  out["memory_clock_max_mhz"] = known(gpu.memory_clock_max_mhz);
  out["pcie_link"] = known(gpu.pcie_link);
  out["driver"] = known(gpu.driver);
  return out;
}

Json storage_json(const hardware::Storage& storage) {
  Json out;
  out["path"] = storage.path;
  out["kind"] = known(storage.kind);
  out["block_bytes"] = known(storage.block_bytes);
  out["free_bytes"] = known(storage.free_bytes);
  return out;
}

}  // namespace

Json to_json(const Error& error) {
  Json out;
  out["schema"] = "belay.error/1";
  out["code"] = to_string(error.code);
  out["message"] = error.message;
  return out;
}

Json to_json(const hardware::Profile& profile) {
  Json out;
  out["os"] = profile.os;
  out["cpu"] = cpu_json(profile.cpu);
  out["memory"]["total_bytes"] = known(profile.memory.total_bytes);
  out["memory"]["available_bytes"] = known(profile.memory.available_bytes);
  out["memory"]["limit_bytes"] = known(profile.memory.limit_bytes);
  out["gpus"] = Json::array();
  for (const hardware::Gpu& gpu : profile.gpus) out["gpus"].push_back(gpu_json(gpu));
  out["storage"] = Json::array();
  for (const hardware::Storage& storage : profile.storage) out["storage"].push_back(storage_json(storage));
  return out;
}

Json to_json(std::span<const Refusal> refused) {
  Json out = Json::array();
  for (const Refusal& refusal : refused) {
    Json row;
    row["id"] = refusal.id;
    row["stage"] = to_string(refusal.stage);
    row["reason"] = refusal.reason;
    row["detail"] = refusal.detail;
    out.push_back(std::move(row));
  }
  return out;
}

Json to_json(std::span<const dispatch::Fallback> fallbacks) {
  Json out = Json::array();
  for (const dispatch::Fallback& fallback : fallbacks) {
    Json row;
    row["op"] = fallback.op;
    row["from"] = fallback.from;
    row["to"] = fallback.to;
    row["reason"] = fallback.reason;
    row["count"] = fallback.count;
    out.push_back(std::move(row));
  }
  return out;
}

Json to_json(std::span<const runtime::Placement> placement) {
  Json out = Json::array();
  for (const runtime::Placement& part : placement) {
    Json row;
    row["first_layer"] = part.first_layer;
    row["last_layer"] = part.last_layer;
    row["plugin"] = part.plugin;
    out.push_back(std::move(row));
  }
  return out;
}

Json to_json(const monitoring::Pressure& pressure) {
  Json out;
  out["available_bytes"] = known(pressure.available_bytes);
  out["swap_bytes"] = known(pressure.swap_bytes);
  out["major_faults"] = known(pressure.major_faults);
  out["disk_read_bytes"] = known(pressure.disk_read_bytes);
  out["stall_percent"] = known(pressure.stall_percent);
  return out;
}

Spread spread(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {values.front(), median, values.back()};
}

Json to_json(const Spread& spread) {
  Json out;
  out["min"] = spread.min;
  out["median"] = spread.median;
  out["max"] = spread.max;
  return out;
}

}  // namespace belay::host
