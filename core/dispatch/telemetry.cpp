#include "core/dispatch/telemetry.hpp"

#include "core/base/text.hpp"
#include "core/dispatch/failure.hpp"

#include <algorithm>
#include <cmath>

namespace belay::dispatch {

std::vector<Reading> read_telemetry(const belay_telemetry_t& table, belay_instance_t* instance) {
  constexpr std::uint64_t kMost = 64;
  constexpr std::size_t kMostOfName = 64;
  std::vector<Reading> readings;
  if (table.struct_size < sizeof table || table.read == nullptr) return readings;
  std::vector<belay_reading_t> said(kMost);
  for (belay_reading_t& reading : said) reading.struct_size = sizeof reading;
  std::uint64_t count = 0;
  belay_error_t error = empty_error();
  if (table.read(instance, said.data(), kMost, &count, &error) != BELAY_OK) return readings;
  said.resize(std::min(count, kMost));
  for (const belay_reading_t& reading : said) {
    if (reading.name.data == nullptr) continue;
    const std::string_view name(reading.name.data, reading.name.size);
    const bool known = reading.known != 0 && std::isfinite(reading.value);
    readings.push_back(
        {std::string(printable(name, kMostOfName)), known ? std::optional(reading.value) : std::nullopt});
  }
  return readings;
}

}  // namespace belay::dispatch
