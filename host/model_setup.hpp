// From the settings to a model that is ready to run.
#pragma once

#include "core/models/model_file.hpp"
#include "core/runtime/assembly.hpp"
#include "core/runtime/stop.hpp"
#include "host/workbench.hpp"

#include <memory>

namespace belay::host {

// --model with its --mmproj, else the model that tools/demo fetched. kUsage when there is none, kBadInput
// when it is no model.
[[nodiscard]] Result<models::ModelFile> open_model(const CommonSettings& settings);

// `context`: positions that are needed; 0: as the settings or the model say.
[[nodiscard]] runtime::PlanOptions plan_options(const Workbench& bench, std::uint64_t context);

// Opens the plugins and asks them; binds nothing.
[[nodiscard]] Result<std::unique_ptr<runtime::Assembly>> assemble(Workbench& bench, models::ModelFile file,
                                                                  std::uint64_t context,
                                                                  const dispatch::DispatchOptions& dispatch);

// Ctrl-C and --deadline, which counts from now.
[[nodiscard]] runtime::Stop make_stop(const CommonSettings& settings);

}  // namespace belay::host
