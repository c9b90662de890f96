// The commands, each in a file of its own. They answer with the exit status, or with the error that main
// shows.
#pragma once

#include "core/base/status.hpp"
#include "host/options.hpp"

namespace belay::host {

[[nodiscard]] Result<int> probe_command(Options& options);
[[nodiscard]] Result<int> plan_command(Options& options);
[[nodiscard]] Result<int> run_command(Options& options);
[[nodiscard]] Result<int> bench_command(Options& options);
[[nodiscard]] Result<int> eval_command(Options& options);
[[nodiscard]] Result<int> convert_command(Options& options);

}  // namespace belay::host
