// What every command begins with: the settings, the machine, the plugins that it can use, and which of them
// were chosen.
#pragma once

#include "core/base/child_process.hpp"
#include "core/hardware/profile.hpp"
#include "core/registry/registry.hpp"
#include "core/runtime/choice.hpp"
#include "host/config_file.hpp"
#include "host/options.hpp"
#include "host/settings.hpp"

namespace belay::host {

// The hidden word by which a child process is asked for GPUs.
inline constexpr const char* kGpusArgument = "--internal-gpus";

struct Workbench {
  CommonSettings settings;
  hardware::Profile profile;
  registry::Registry registry;
  resolver::Policy policy;
  resolver::Resolution resolution;
};

// Looks at the machine (or reads its description), finds the plugins and resolves. With --hardware or
// --manifests together with `plan_only`, libraries are neither opened nor required.
[[nodiscard]] Result<Workbench> prepare(Options& options, bool plan_only);

// The machine alone, for the children that ask for it.
[[nodiscard]] Result<SelfLauncher> self_launcher();

// For people, on stderr: the machine in two lines.
void say_machine(const hardware::Profile& profile);

}  // namespace belay::host
