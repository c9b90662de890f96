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
[[nodiscard]] Result<models::ModelFile> open_model(const Workbench& bench);

// What a run needs room for.
struct Needs {
  std::uint64_t context = 0;        // positions; 0: as the settings or the model say
  std::uint64_t image_patches = 0;  // of the largest image; 0: none
  bool shares_process = false;      // with another model: then the program itself is not counted
  std::uint64_t head_rows = 1;      // of logits at once
};

[[nodiscard]] runtime::PlanOptions plan_options(const Workbench& bench, const Needs& needs);

// Opens the plugins and asks them; binds nothing.
[[nodiscard]] Result<std::unique_ptr<runtime::Assembly>> assemble(Workbench& bench, models::ModelFile file,
                                                                  const Needs& needs,
                                                                  const dispatch::DispatchOptions& dispatch);

// Ctrl-C and --deadline, which counts from now.
[[nodiscard]] runtime::Stop make_stop(const CommonSettings& settings);

}  // namespace belay::host
