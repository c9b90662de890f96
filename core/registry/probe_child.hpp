// The other side of a probe: the process that may die. Called by the host's hidden sub-command and by tests.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace belay::registry {

// Gives one line (with its end) to the parent.
using Say = std::function<void(std::string_view)>;

// Loads the plugin that the request `text` names, opens it and runs its known answers. Says every step before
// it, and the verdict last. Returns the exit status: 0 when a verdict was given. May crash, hang or exit in
// the plugin's code.
[[nodiscard]] int run_probe_child(std::string_view text, const Say& say);

// The whole life of the child: lowers its limits, keeps standard output for the protocol (a plugin that
// prints reaches standard error), reads the request from standard input. What `main` returns for
// `--internal-probe`.
[[nodiscard]] int probe_child_main();

}  // namespace belay::registry
