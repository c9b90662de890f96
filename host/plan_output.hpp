// A plan for people and for programs.
#pragma once

#include "core/base/json.hpp"
#include "core/runtime/plan.hpp"
#include "core/runtime/weight_stream.hpp"
#include "host/workbench.hpp"

#include <string>

namespace belay::host {

using Explanations = std::vector<resolver::Explanation>;

// belay.plan/1. Without a model, chains and memory are empty. `why` is added when it is not empty.
[[nodiscard]] Json plan_json(const Workbench& bench, const runtime::Plan* plan, const Explanations& why);

// The same in lines: what was chosen, the chains, the layers, the memory.
[[nodiscard]] std::string plan_text(const Workbench& bench, const runtime::Plan* plan,
                                    const Explanations& why);

// Tiers of memory: "host" always, "disk" when layers are streamed, with what a run measured if there was one.
[[nodiscard]] Json tiers_json(const hardware::Memory& machine, const runtime::MemoryPlan& plan,
                              const runtime::StreamUse* use);

// "[streamed: 980 MiB a pass through ...]"
[[nodiscard]] std::string streamed_text(const runtime::StreamUse& use);

}  // namespace belay::host
