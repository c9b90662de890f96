// A conversation on the terminal: what `belay run` is without a prompt.
#pragma once

#include "host/options.hpp"
#include "host/run_settings.hpp"
#include "host/workbench.hpp"

namespace belay::host {

[[nodiscard]] Result<int> chat(const Options& options, Workbench bench, const RunSettings& settings);

}  // namespace belay::host
