// A plan for people and for programs.
#pragma once

#include "core/base/json.hpp"
#include "core/runtime/engine.hpp"
#include "core/runtime/kv_stream.hpp"
#include "core/runtime/plan.hpp"
#include "core/runtime/prediction.hpp"
#include "core/runtime/weight_stream.hpp"
#include "host/workbench.hpp"

#include <optional>
#include <string>

namespace belay::host {

using Explanations = std::vector<resolver::Explanation>;

// What there is to show beside the choice of plugins; parts that are not there are left out.
struct PlanParts {
  const runtime::Plan* plan = nullptr;  // of a model
  std::optional<runtime::Prediction> prediction = {};
  Explanations why = {};
};

// belay.plan/1. Without a model, chains and memory are empty.
[[nodiscard]] Json plan_json(const Workbench& bench, const PlanParts& parts);

// The same in lines: what was chosen, the chains, the layers, the memory.
[[nodiscard]] std::string plan_text(const Workbench& bench, const PlanParts& parts);

// What a run measured of the tier "disk".
struct DiskUse {
  const runtime::StreamUse* layers = nullptr;  // when some are streamed
  const runtime::KvUse* cache = nullptr;       // when the KV cache is spilled
};

// Tiers of memory: "host" always, "device" when a plugin has one, "disk" when layers are streamed or the KV
// cache is spilled.
[[nodiscard]] Json tiers_json(const hardware::Memory& machine, const runtime::Plan& plan, const DiskUse& use);

// What the devices of plugins say of themselves: {"cuda_sm61":{"memory_used_bytes":N,...}}, unknown is null;
// and the memory of each in words, or nothing.
[[nodiscard]] Json devices_json(const runtime::Engine& engine);
[[nodiscard]] std::string devices_text(const runtime::Engine& engine);

// "[streamed: 980 MiB a pass through ...]"
[[nodiscard]] std::string streamed_text(const runtime::StreamUse& use);
// "[KV cache on the disk: 94 MiB written, ...]"
[[nodiscard]] std::string spilled_text(const runtime::KvUse& use);

}  // namespace belay::host
