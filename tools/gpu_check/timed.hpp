// An op of the plugin on its own stream, with operands in device memory, timed by the device's events. One
// thread.
#pragma once

#include "core/base/dtype.hpp"
#include "plugins/cuda_sm61/instance.hpp"

#include <belay/op.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace belay::gpu_check {

// What an op is described by. Inputs and outputs have their tokens first; caches are none of them.
struct OpSpec {
  std::string_view id;
  std::span<const std::byte> attributes;
  std::vector<belay_tensor_t> inputs;
  std::vector<belay_tensor_t> constants;  // without data
  std::vector<belay_tensor_t> outputs;
};

class Timed {
 public:
  // `copies` sets of weights, used in turn, so that none stays in the device's caches. Contents are one small
  // number everywhere: speed does not depend on them. Throws sdk::Error.
  Timed(cuda::Instance& instance, OpSpec spec, std::uint64_t position, int copies);
  ~Timed();
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

  // Milliseconds of one run: the median of several series of `repeats` runs. 0 where the device does not
  // measure.
  [[nodiscard]] double milliseconds(int repeats);

  // Of the packed weights of one set.
  [[nodiscard]] std::uint64_t weight_bytes() const { return weight_bytes_; }

 private:
  [[nodiscard]] std::uint64_t filled_buffer(std::uint64_t bytes);
  void bind(int copies);
  void queue(std::size_t set);
  void must(belay_status_t status) const;

  cuda::Instance& instance_;
  OpSpec spec_;
  belay_op_t op_{};
  std::uint64_t weight_bytes_ = 0;
  std::vector<std::uint64_t> buffers_;
  std::vector<sdk::KernelPtr> kernels_;
  std::vector<belay_tensor_t> inputs_;
  std::vector<belay_tensor_t> outputs_;
  std::vector<const belay_tensor_t*> input_pointers_;
  std::vector<const belay_tensor_t*> output_pointers_;
  belay_run_t run_{};
  belay_error_t error_{};
  belay_stream_t* stream_ = nullptr;
  cuda::EventHandle begin_ = nullptr;
  cuda::EventHandle end_ = nullptr;
};

// Bytes a second that the device's memory moves when it copies, read and written ones counted. 0 where the
// device does not measure.
[[nodiscard]] double copy_bandwidth(cuda::Instance& instance, std::uint64_t bytes);

}  // namespace belay::gpu_check
