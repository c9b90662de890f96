// What a result of the driver means: which status of the ABI it is, how far the damage reaches, and its name.
// Pure.
#pragma once

#include "plugins/cuda_sm61/driver/api.hpp"

#include <belay/status.h>

namespace belay::cuda {

inline constexpr Result kSuccess = 0;
inline constexpr Result kInvalidValue = 1;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNoDevice = 100;
inline constexpr Result kNotReady = 600;

// The context is broken for the rest of the process: every later call gives the same result, and what lies on
// the device is lost. NVIDIA: "the process must be terminated and relaunched".
[[nodiscard]] bool is_sticky(Result result);

// kSuccess is BELAY_OK; what nobody foresaw is BELAY_INTERNAL.
[[nodiscard]] belay_status_t status_of(Result result);

// "illegal address"; "unknown error" for a number that is not known here.
[[nodiscard]] const char* name_of(Result result);

// Fills *error and returns the status of a result that is not kSuccess. `what` says what was tried.
belay_status_t fail(belay_error_t* error, Result result, const char* what);

// Off the hot path: throws sdk::Error unless `result` is kSuccess.
void require(Result result, const char* what);

}  // namespace belay::cuda
