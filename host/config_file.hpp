// belay.toml: options under [policy], and what only a file can say: pins, bans and overrides of single
// plugins.
#pragma once

#include "core/base/status.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace belay::host {

struct PluginOverride {
  std::optional<std::int32_t> priority;
  std::optional<bool> enabled;
};

struct ConfigFile {
  std::vector<std::string> pins;  // must be selected
  std::vector<std::string> bans;  // globs; never selected
  std::map<std::string, PluginOverride> overrides;
  std::optional<std::int64_t> weighted_lambda;  // mode = "weighted"
};

// Reads the file given with --config, else the user's if there is one, and offers its [policy] values to
// `options`. kUsage for anything that is not understood, with file, line and column.
[[nodiscard]] Result<ConfigFile> read_config_file(Options& options);

// The same for a text, for tests.
[[nodiscard]] Result<ConfigFile> parse_config(std::string_view text, const std::string& name,
                                              Options& options);

}  // namespace belay::host
