#include "host/plan_output.hpp"

#include "core/base/format.hpp"
#include "host/json_output.hpp"

namespace belay::host {
namespace {

Json memory_json(const Workbench& bench, const runtime::Plan* plan) {
  Json out;
  out["tiers"] = Json::array();
  if (plan == nullptr) return out;
  const auto& memory = bench.profile.memory;
  Json host;
  host["tier"] = "host";
  host["bytes_planned"] = plan->memory.total();
  host["bytes_free"] = memory.available_bytes ? Json(*memory.available_bytes) : Json(nullptr);
  host["weights_bytes"] = plan->memory.weights_bytes;
  host["kv_bytes"] = plan->memory.kv_bytes;
  host["scratch_bytes"] = plan->memory.scratch_bytes;
  host["packed_bytes"] = plan->memory.packed_bytes;
  out["tiers"].push_back(std::move(host));
  return out;
}

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

}  // namespace

Json plan_json(const Workbench& bench, const runtime::Plan* plan, const Explanations& why) {
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
  out["memory"] = memory_json(bench, plan);
  out["level"] = manifest::to_string(bench.settings.level);
  if (!why.empty()) out["explanation"] = explanation_json(why);
  return out;
}

std::string plan_text(const Workbench& bench, const runtime::Plan* plan, const Explanations& why) {
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
    out += format("memory         {}\n", runtime::memory_text(*plan));
  }
  for (const resolver::Explanation& entry : why)
    out += format("why            {}\n", resolver::to_text(entry));
  return out;
}

}  // namespace belay::host
