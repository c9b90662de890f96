// The plugin's instance on the emulated device, as a host has it: by its tables. For one test at a time.
#pragma once

#include "plugins/cuda_sm61/instance.hpp"
#include "plugins/cuda_sm61/memory_interface.hpp"
#include "tests/kernels/test_host.hpp"
#include "tests/plugins/cuda_sm61/driver/fake_cuda.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace belay::cuda {

class Opened {
 public:
  Opened() {
    belay_fake_cuda().reset();
    belay_open_t options{};
    options.struct_size = sizeof options;
    instance_ = std::make_unique<Instance>(sdk::Host(host_.table()), options);
    error.struct_size = sizeof error;
  }

  [[nodiscard]] belay_instance_t* handle() { return reinterpret_cast<belay_instance_t*>(instance_.get()); }
  [[nodiscard]] Instance& instance() { return *instance_; }
  [[nodiscard]] kernel_tests::TestHost& host() { return host_; }
  [[nodiscard]] const belay_memory_t& memory() const { return *memory_table(); }

  belay_error_t error{};

 private:
  kernel_tests::TestHost host_;
  std::unique_ptr<Instance> instance_;
};

}  // namespace belay::cuda
