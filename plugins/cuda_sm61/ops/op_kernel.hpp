// What every bound kernel does around its launches. With a stream its operands lie in device buffers and a
// run is only queued. Without one they lie in host memory: they are copied to the device's scratch memory,
// and the run waits and copies the outputs back; of a cache, only the blocks that are read and the rows that
// are written.
#pragma once

#include "plugins/cuda_sm61/ops/launcher.hpp"
#include "plugins/cuda_sm61/ops/operands.hpp"

#include <belay/cpp/compute.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace belay::cuda {

// One run, ready to be launched.
struct Call {
  Launcher& launch;
  std::int64_t tokens;
  std::int64_t position;  // of the first token, from the first block of the caches on
  std::span<const Place> inputs;
  std::span<const Place> outputs;
  DevicePointer workspace;

  template <class T>
  [[nodiscard]] const T* input(std::size_t index) const {
    return reinterpret_cast<const T*>(inputs[index].address);
  }
  template <class T>
  [[nodiscard]] T* output(std::size_t index) const {
    return reinterpret_cast<T*>(outputs[index].address);
  }
};

// Where the operands of a run with a stream lie on the device.
struct Located {
  std::int64_t tokens = 0;
  std::int64_t position = 0;
  std::array<Place, Operands::kMost> inputs{};
  std::array<Place, Operands::kMost> outputs{};
};

// The workspace of a run with a stream, which needs so many bytes.
[[nodiscard]] belay_status_t find_workspace(const Device& device, const belay_run_t& run, std::uint64_t bytes,
                                            DevicePointer& workspace);

// Makes the device's context the calling thread's.
[[nodiscard]] belay_status_t enter(const Device& device, belay_error_t* error);

class OpKernel : public sdk::Kernel<OpKernel> {
 public:
  belay_status_t run(const belay_run_t& run);
  // Checks the operands of a run with a stream, and finds them.
  [[nodiscard]] belay_status_t locate(const belay_run_t& run, Located& found) const;
  [[nodiscard]] std::uint64_t workspace(std::uint64_t /*tokens*/) const override { return 0; }

 protected:
  OpKernel(Device& device, std::initializer_list<OperandShape> inputs,
           std::initializer_list<OperandShape> outputs);

  [[nodiscard]] Device& device() const { return device_; }

  // Queues the kernels of a run of at least one token; the launcher keeps what goes wrong.
  virtual void launch(const Call& call) const = 0;
  // Before a run from host memory: refuses contents that a kernel must not see.
  [[nodiscard]] virtual belay_status_t check_host(const belay_run_t& /*run*/) const { return BELAY_OK; }

 private:
  [[nodiscard]] Operands operands_of(const belay_run_t& run) const;
  belay_status_t run_queued(const belay_run_t& run);
  belay_status_t run_from_host(const belay_run_t& run);

  Device& device_;
  std::array<OperandShape, Operands::kMost> inputs_{};
  std::array<OperandShape, Operands::kMost> outputs_{};
  std::size_t input_count_;
  std::size_t output_count_;
};

}  // namespace belay::cuda
