// What this machine is. Pure over a Source; blocks as long as the source does.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/hardware/source.hpp"

#include <string>
#include <vector>

namespace belay::hardware {

enum class AskGpus {
  kNever,
  kWithDriver,  // only when a file says that a driver is installed
  kAlways,      // for drivers that leave no such file: emulators
};

struct ProbeOptions {
  std::vector<std::string> storage_folders;
  AskGpus gpus = AskGpus::kWithDriver;
};

// Never fails: what cannot be found out is absent.
[[nodiscard]] Profile probe(const Source& source, const ProbeOptions& options = {});

}  // namespace belay::hardware
