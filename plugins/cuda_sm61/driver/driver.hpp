// The driver as one instance of the plugin uses it: every call goes through call(), which remembers a sticky
// error and from then on answers with it without calling anything. Any thread.
#pragma once

#include "plugins/cuda_sm61/driver/api.hpp"
#include "plugins/cuda_sm61/driver/result.hpp"

#include <atomic>

namespace belay::cuda {

class Driver {
 public:
  // Opens the driver's library and initialises it. Throws sdk::Error: NO_DRIVER, DRIVER_TOO_OLD (it lacks an
  // entry point, or says so itself), NO_DEVICE. The library is never closed: the driver does not bear it.
  explicit Driver(const char* library = kLibrary);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  template <class... Parameters, class... Arguments>
  [[nodiscard]] Result call(Result (*Api::*entry)(Parameters...), Arguments... arguments) const {
    if (const Result lost = lost_.load(std::memory_order_relaxed); lost != kSuccess) return lost;
    const Result result = (api_.*entry)(arguments...);
    if (result != kSuccess && is_sticky(result)) lost_.store(result, std::memory_order_relaxed);
    return result;
  }

  // The sticky error that ended the use of the device; kSuccess while there was none.
  [[nodiscard]] Result lost() const { return lost_.load(std::memory_order_relaxed); }

  // As the driver counts: 12020 is CUDA 12.2.
  [[nodiscard]] int version() const { return version_; }

  static constexpr const char* kLibrary = "libcuda.so.1";

 private:
  Api api_{};
  int version_ = 0;
  mutable std::atomic<Result> lost_{kSuccess};
};

}  // namespace belay::cuda
