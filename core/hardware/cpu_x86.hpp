// What CPUID and XGETBV tell about an x86. Pure over a Source; never /proc/cpuinfo, which under a user-mode
// emulator is the host's.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/hardware/source.hpp"

namespace belay::hardware {

// Fills vendor, model and isa; all stay unknown when CPUID does not answer.
void probe_cpu_x86(const Source& source, Cpu& cpu);

}  // namespace belay::hardware
