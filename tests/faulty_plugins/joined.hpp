// A kernel that does the work of several by running them one behind the other, as the contract of fuse allows
// it at its widest: what nothing reads behind them is spoilt as soon as its last reader is done.
#pragma once

#include <belay/cpp/compute.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

namespace faulty {

namespace sdk = belay::sdk;

class Joined final : public sdk::Kernel<Joined> {
 public:
  // Where the bytes of an operand lie that `run` was given.
  using Bytes = std::function<void*(const belay_tensor_t& tensor)>;

  // Of the first `taken` steps.
  Joined(const sdk::Sequence& steps, uint64_t taken, Bytes bytes) : bytes_(std::move(bytes)) {
    for (uint64_t i = 0; i < taken; ++i) {
      const belay_step_t& step = steps[i];
      for (uint64_t o = 0; o < step.op->output_count; ++o) {
        if (step.last_reads[o] < taken) spoilt_.push_back({step.last_reads[o], outputs_ + o});
      }
      parts_.push_back({step.kernel, step.op->input_count, step.op->output_count});
      outputs_ += step.op->output_count;
    }
  }

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override {
    uint64_t most = 0;
    for (const Part& part : parts_)
      most = std::max(most, static_cast<const sdk::KernelBase*>(part.kernel)->workspace(tokens));
    return most;
  }

  belay_status_t run(const belay_run_t& run) {
    belay_run_t part_run = run;
    uint64_t inputs = 0;
    uint64_t outputs = 0;
    for (uint64_t i = 0; i < parts_.size(); ++i) {
      const Part& part = parts_[i];
      part_run.inputs = run.inputs + inputs;
      part_run.input_count = part.inputs;
      part_run.outputs = run.outputs + outputs;
      part_run.output_count = part.outputs;
      if (const belay_status_t status = part.kernel->run(part.kernel, &part_run); status != BELAY_OK)
        return status;
      inputs += part.inputs;
      outputs += part.outputs;
      spoil_what_ends_with(i, run);
    }
    if (inputs != run.input_count || outputs != run.output_count)
      return sdk::fail(
          run.error, BELAY_INVALID_ARGUMENT, "a run of %llu inputs and %llu outputs for %llu, %llu",
          static_cast<unsigned long long>(run.input_count), static_cast<unsigned long long>(run.output_count),
          static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(outputs));
    return BELAY_OK;
  }

 private:
  struct Part {
    belay_kernel_t* kernel;
    uint64_t inputs;
    uint64_t outputs;
  };
  struct Spoilt {
    uint64_t behind;  // the step
    uint64_t output;
  };

  void spoil_what_ends_with(uint64_t step, const belay_run_t& run) const {
    for (const Spoilt& spoilt : spoilt_) {
      if (spoilt.behind != step) continue;
      const belay_tensor_t& tensor = *run.outputs[spoilt.output];
      std::memset(bytes_(tensor), 0xff, tensor.nbytes);  // NaN
    }
  }

  Bytes bytes_;
  std::vector<Part> parts_;
  std::vector<Spoilt> spoilt_;
  uint64_t outputs_ = 0;
};

// Of the first `most` steps, or of all there are; nullptr where that is not two.
inline sdk::KernelPtr join(const sdk::Sequence& steps, uint64_t most, uint64_t& taken, Joined::Bytes bytes) {
  const uint64_t count = std::min(most, steps.count());
  if (count < 2) return nullptr;
  taken = count;
  return std::make_unique<Joined>(steps, count, std::move(bytes));
}

}  // namespace faulty
