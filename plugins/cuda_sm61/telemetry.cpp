#include "plugins/cuda_sm61/instance.hpp"
#include "plugins/cuda_sm61/memory_interface.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>

#include <iterator>

namespace belay::cuda {
namespace {

belay_status_t read(belay_instance_t* instance, belay_reading_t* readings, std::uint64_t capacity,
                    std::uint64_t* count, belay_error_t* error) noexcept {
  if (instance == nullptr || count == nullptr || (capacity > 0 && !sdk::valid(readings))) {
    return sdk::fail(error, BELAY_INVALID_ARGUMENT, "read: a missing or too small argument");
  }
  return sdk::guard(error, [&] {
    Device& device = reinterpret_cast<Instance*>(instance)->device();
    const MemoryState memory = device.memory();
    struct Reading {
      const char* name;
      bool known;
      double value;
    };
    const Reading all[] = {
        {"memory_used_bytes", true, static_cast<double>(memory.total - memory.free)},
        {"memory_free_bytes", true, static_cast<double>(memory.free)},
        {"memory_total_bytes", true, static_cast<double>(memory.total)},
        {"arena_used_bytes", true, static_cast<double>(device.arena().used())},
        {"arena_budget_bytes", true, static_cast<double>(device.arena().budget())},
        {"sm_clock_max_mhz", device.facts().clock_khz > 0, device.facts().clock_khz / 1000.0},
        {"sm_clock_mhz", false, 0},  // the driver API does not tell what changes from moment to moment
        {"power_watts", false, 0},
        {"temperature_celsius", false, 0},
    };
    *count = std::size(all);
    for (std::uint64_t i = 0; i < *count && i < capacity; ++i) {
      const belay_reading_t reading{sizeof(belay_reading_t), all[i].known ? 1U : 0U, sdk::str(all[i].name),
                                    all[i].value};
      sdk::write(&sdk::at(readings, i), reading);
    }
    return BELAY_OK;
  });
}

constexpr belay_telemetry_t kTelemetry = {sizeof(belay_telemetry_t), 0, &read};

}  // namespace

const belay_telemetry_t* telemetry_table() noexcept { return &kTelemetry; }

}  // namespace belay::cuda
