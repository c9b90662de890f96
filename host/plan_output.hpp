// A plan for people and for programs.
#pragma once

#include "core/base/json.hpp"
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

// Tiers of memory: "host" always, "disk" when layers are streamed, with what a run measured if there was one.
[[nodiscard]] Json tiers_json(const hardware::Memory& machine, const runtime::MemoryPlan& plan,
                              const runtime::StreamUse* use);

// "[streamed: 980 MiB a pass through ...]"
[[nodiscard]] std::string streamed_text(const runtime::StreamUse& use);

}  // namespace belay::host
