/* belay.telemetry/1: what a device says of itself while it works. */
#ifndef BELAY_EXT_TELEMETRY_H
#define BELAY_EXT_TELEMETRY_H

#include <belay/plugin.h>

#define BELAY_TELEMETRY_1 "belay.telemetry/1"

typedef struct belay_reading_t {
  uint32_t struct_size;
  uint32_t known;      /* boolean; an unknown value is not 0 */
  belay_str_t name;    /* "memory_used_bytes", "power_watts", "temperature_celsius", "sm_clock_mhz" */
  double value;
} belay_reading_t;

typedef struct belay_telemetry_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  /* [any] Count, then fill. Never blocks longer than 1 ms. */
  belay_status_t (*read)(belay_instance_t* instance, belay_reading_t* readings, uint64_t capacity, uint64_t* count, belay_error_t* error);
} belay_telemetry_t;

#endif
