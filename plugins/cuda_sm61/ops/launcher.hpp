// Queues kernels on a stream. The first failure stays, and nothing is queued after it.
#pragma once

#include "plugins/cuda_sm61/device/device.hpp"

#include <cstdint>

namespace belay::cuda {

struct Grid {
  std::int64_t x = 1;
  std::int64_t y = 1;
  std::int64_t z = 1;
};

class Launcher {
 public:
  Launcher(const Device& device, const Stream& stream) : device_(device), stream_(stream) {}

  // A grid without blocks queues nothing.
  template <class Params>
  void operator()(const KernelOf<Params>& kernel, const Grid& grid, Params params,
                  std::uint32_t shared_bytes = 0) {
    void* arguments[] = {&params};
    launch(kernel.index, kernel.threads, grid, shared_bytes, arguments);
  }

  [[nodiscard]] Result result() const { return result_; }
  [[nodiscard]] const Stream& stream() const { return stream_; }
  [[nodiscard]] int multiprocessors() const { return device_.facts().multiprocessors; }

 private:
  void launch(KernelIndex kernel, unsigned threads, const Grid& grid, std::uint32_t shared_bytes,
              void** arguments);

  const Device& device_;
  const Stream& stream_;
  Result result_ = kSuccess;
};

// How many `step`s hold `count`.
[[nodiscard]] constexpr std::int64_t steps(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step;
}

}  // namespace belay::cuda
