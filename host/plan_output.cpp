#include "host/plan_output.hpp"

#include "core/base/format.hpp"
#include "host/json_output.hpp"

#include <algorithm>

namespace belay::host {
namespace {

Json worth_json(const resolver::Worth& worth) {
  Json out;
  out["priorities"] = worth.priorities;
  out["synergy_permille"] = worth.synergy_permille;
  return out;
}

Json explanation_json(const Explanations& why) {
  Json out = Json::array();
  for (const resolver::Explanation& entry : why) {
    Json row;
    row["id"] = entry.id;
    row["verdict"] = resolver::to_string(entry.verdict);
    row["text"] = resolver::to_text(entry);
    if (entry.verdict == resolver::Verdict::kLost) {
      row["lost_to"] = entry.lost_to;
      row["level"] = resolver::to_string(entry.level);
      row["chosen"] = worth_json(entry.chosen);
      row["alternative"] = worth_json(entry.alternative);
      row["alternative_selection"] = entry.alternative_selection;
    }
    out.push_back(std::move(row));
  }
  return out;
}

Json known(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json prediction_json(const runtime::Prediction& prediction) {
  Json out;
  out["decode_tok_per_s"] = known(prediction.tokens_per_s);
  out["bytes_per_token"]["host"] = prediction.bytes.host;
  out["bytes_per_token"]["disk"] = prediction.bytes.disk;
  out["bytes_per_s"]["host"] = known(prediction.speeds.host);
  out["bytes_per_s"]["disk"] = known(prediction.speeds.disk);
  return out;
}

Json compression_json(const runtime::Compression& compression) {
  Json out;
  out["used"] = compression.used;
  out["reason"] = compression.why;
  out["ratio"] = known(compression.ratio);
  out["gain"] = known(compression.gain);
  return out;
}

Json host_tier(const hardware::Memory& machine, const runtime::MemoryUse& use) {
  Json host;
  host["tier"] = "host";
  host["bytes_planned"] = use.total();
  host["bytes_free"] = machine.available_bytes ? Json(*machine.available_bytes) : Json(nullptr);
  host["weights_bytes"] = use.weights_bytes;
  host["kv_bytes"] = use.kv_bytes;
  host["scratch_bytes"] = use.scratch_bytes;
  host["packed_bytes"] = use.packed_bytes;
  host["ring_bytes"] = use.ring_bytes;
  host["program_bytes"] = use.program_bytes;
  return host;
}

Json device_tier(const runtime::DeviceUse& use) {
  Json device;
  device["tier"] = "device";
  device["plugin"] = use.plugin;
  device["bytes_planned"] = use.total();
  device["bytes_free"] = use.free_bytes;
  device["layers"] = use.layers;
  device["head"] = use.head;
  device["vision"] = use.vision;
  device["weights_bytes"] = use.weights_bytes;
  device["kv_bytes"] = use.kv_bytes;
  device["scratch_bytes"] = use.scratch_bytes;
  return device;
}

Json disk_tier(const runtime::Plan& whole, const DiskUse& use) {
  const runtime::MemoryPlan& plan = whole.memory;
  Json disk;
  disk["tier"] = "disk";
  disk["bytes_planned"] = plan.layers.streamed_bytes + plan.kv_spilled_bytes;
  disk["bytes_free"] = nullptr;
  disk["first_layer"] = plan.layers.pinned;
  disk["kv_bytes"] = plan.kv_spilled_bytes;
  if (whole.compression) disk["compression"] = compression_json(*whole.compression);
  if (const runtime::StreamUse* layers = use.layers) {
    disk["method"] = layers->method.empty() ? Json(nullptr) : Json(layers->method);
    disk["bytes_per_pass"] = layers->pass_bytes;
    disk["stored_bytes_per_pass"] = layers->stored_bytes;
    disk["bytes_read"] = layers->read_bytes;
    disk["bytes_made"] = layers->made_bytes;
    disk["wait_s"] = layers->wait_s;
    disk["repaired_tiles"] = layers->repaired_tiles;
  }
  if (const runtime::KvUse* cache = use.cache) {
    disk["kv_method"] = cache->method.empty() ? Json(nullptr) : Json(cache->method);
    disk["kv_bytes_written"] = cache->written_bytes;
    disk["kv_bytes_read"] = cache->read_bytes;
    disk["kv_wait_s"] = cache->wait_s;
    disk["kv_repaired_blocks"] = cache->repaired_blocks;
  }
  return disk;
}

}  // namespace

Json tiers_json(const hardware::Memory& machine, const runtime::Plan& plan, const DiskUse& use) {
  Json tiers = Json::array();
  tiers.push_back(host_tier(machine, plan.memory.use));
  if (plan.device) tiers.push_back(device_tier(*plan.device));
  if (plan.memory.layers.streamed_bytes + plan.memory.kv_spilled_bytes > 0)
    tiers.push_back(disk_tier(plan, use));
  return tiers;
}

Json devices_json(const runtime::Engine& engine) {
  Json devices = Json::object();
  for (const auto& [plugin, readings] : engine.readings()) {
    for (const dispatch::Reading& reading : readings)
      devices[plugin][reading.name] = reading.value ? Json(*reading.value) : Json(nullptr);
  }
  return devices;
}

std::string devices_text(const runtime::Engine& engine) {
  std::string text;
  for (const auto& [plugin, readings] : engine.readings()) {
    const auto value_of = [&, &said = readings](std::string_view name) {
      const auto found =
          std::find_if(said.begin(), said.end(), [&](const auto& reading) { return reading.name == name; });
      return found == said.end() ? std::nullopt : found->value;
    };
    const auto used = value_of("memory_used_bytes");
    const auto free = value_of("memory_free_bytes");
    if (!used || !free) continue;
    text += format("{}[{}: {:.0f} MiB of its memory used, {:.0f} MiB free]", text.empty() ? "" : "\n", plugin,
                   *used / (1 << 20), *free / (1 << 20));
  }
  return text;
}

Json plan_json(const Workbench& bench, const PlanParts& parts) {
  const runtime::Plan* plan = parts.plan;
  const resolver::Resolution& resolution = bench.resolution;
  Json out;
  out["schema"] = "belay.plan/1";
  out["selected"] = resolver::ids_of(bench.resolution.selected);
  out["optimizations"] = resolver::ids_of(resolution.optimizations);
  out["refused"] = to_json(resolution.refused);
  out["placement"] = plan == nullptr ? Json::array() : to_json(plan->placement);
  out["objective"]["priorities"] = resolution.objective.priorities;
  out["objective"]["synergy_permille"] = resolution.objective.synergy_permille;
  out["optimal"] = resolution.optimal;
  out["chains"] = Json::object();
  if (plan != nullptr) {
    for (const auto& [group, ids] : plan->chains) out["chains"][group] = ids;
  }
  out["memory"]["tiers"] = plan == nullptr ? Json::array() : tiers_json(bench.profile.memory, *plan, {});
  out["level"] = manifest::to_string(bench.settings.level);
  if (parts.prediction) out["predicted"] = prediction_json(*parts.prediction);
  if (!parts.why.empty()) out["explanation"] = explanation_json(parts.why);
  return out;
}

std::string plan_text(const Workbench& bench, const PlanParts& parts) {
  const runtime::Plan* plan = parts.plan;
  std::string out = format("level          {}\n", manifest::to_string(bench.settings.level));
  out += format("plugins        {}\n", fmt::join(resolver::ids_of(bench.resolution.selected), " > "));
  out += format("optimizations  {}\n", fmt::join(resolver::ids_of(bench.resolution.optimizations), ", "));
  for (const Refusal& refusal : bench.resolution.refused) {
    out += format("refused        {} at {}: {} ({})\n", refusal.id, to_string(refusal.stage), refusal.reason,
                  refusal.detail);
  }
  if (plan != nullptr) {
    for (const auto& [group, ids] : plan->chains)
      out += format("chain          {:<16} {}\n", group, fmt::join(ids, " > "));
    for (const runtime::Placement& part : plan->placement) {
      out += format("layers         {}..{} on {}\n", part.first_layer, part.last_layer, part.plugin);
    }
    out += format("memory         {}\n", runtime::memory_text(plan->memory));
    if (plan->device) out += format("device         {}\n", runtime::device_text(*plan->device));
    if (const auto& compression = plan->compression)
      out += format("compression    {}: {}\n", compression->used ? "on" : "off", compression->why);
  }
  if (parts.prediction) out += format("decode         {}\n", runtime::prediction_text(*parts.prediction));
  for (const resolver::Explanation& entry : parts.why)
    out += format("why            {}\n", resolver::to_text(entry));
  return out;
}

std::string streamed_text(const runtime::StreamUse& use) {
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  const std::string stored = use.stored_bytes < use.pass_bytes
                                 ? format(", compressed to {:.0f} MiB,", mib(use.stored_bytes))
                                 : std::string();
  return format(
      "[streamed: {:.0f} MiB a pass{} through a ring of {:.0f} MiB, {:.0f} MiB in all by {}; waited {:.2f} "
      "s]",
      mib(use.pass_bytes), stored, mib(use.ring_bytes), mib(use.read_bytes),
      use.method.empty() ? "plain reads when needed" : use.method, use.wait_s);
}

std::string spilled_text(const runtime::KvUse& use) {
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  return format("[KV cache on the disk: {:.0f} MiB written, {:.0f} MiB read by {}; waited {:.2f} s]",
                mib(use.written_bytes), mib(use.read_bytes),
                use.method.empty() ? "plain reads when needed" : use.method, use.wait_s);
}

}  // namespace belay::host
