// belay.memory/1 and belay.telemetry/1: the functions of the ABI over a device.
#pragma once

#include <belay/ext/memory.h>
#include <belay/ext/telemetry.h>

namespace belay::cuda {

[[nodiscard]] const belay_memory_t* memory_table() noexcept;
[[nodiscard]] const belay_telemetry_t* telemetry_table() noexcept;

}  // namespace belay::cuda
