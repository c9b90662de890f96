// The known answer of belay.storage/1: a small file of known bytes, read through the plugin. Writes that file
// into the system's folder for temporary files and removes it again.
#pragma once

#include "core/registry/plugin.hpp"

#include <optional>
#include <string>

namespace belay::registry {

// What the plugin gets wrong; nothing when it reads every byte right. Needs plugin.storage().
[[nodiscard]] std::optional<std::string> try_storage(const Plugin& plugin);

}  // namespace belay::registry
