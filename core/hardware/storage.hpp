// What kind of device a folder lies on. Pure over a Source.
#pragma once

#include "core/hardware/source.hpp"

#include <string>

namespace belay::hardware {

[[nodiscard]] Storage probe_storage(const Source& source, const std::string& folder);

}  // namespace belay::hardware
