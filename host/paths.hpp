// Where things lie: the program, its plugins, the user's folders. An environment that may not be trusted is
// ignored.
#pragma once

#include "core/base/status.hpp"

#include <filesystem>
#include <optional>

namespace belay::host {

// One variable of the environment, or null; null too when the program runs with more rights than its user.
[[nodiscard]] const char* environment(const char* name);

// The absolute path of this program.
[[nodiscard]] Result<std::filesystem::path> program_path();

// The folder of plugins that was built or installed with this program: ../lib/belay/plugins beside its own.
[[nodiscard]] std::filesystem::path plugin_folder(const std::filesystem::path& program);

// $XDG_CONFIG_HOME/belay or ~/.config/belay, and $XDG_CACHE_HOME/belay or ~/.cache/belay; nothing without a
// home.
[[nodiscard]] std::optional<std::filesystem::path> config_folder();
[[nodiscard]] std::optional<std::filesystem::path> cache_folder();

// The model that tools/demo keeps in the cache folder, if it is there.
[[nodiscard]] std::optional<std::filesystem::path> default_model();

}  // namespace belay::host
