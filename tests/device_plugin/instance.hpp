// One open device of test.device.
#pragma once

#include "tests/device_plugin/memory.hpp"

#include <belay/cpp/plugin.hpp>

#include <string_view>

namespace test_device {

class Instance {
 public:
  Instance(sdk::Host host, const belay_open_t& options);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();

  static belay_status_t probe(sdk::Host host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* error);
  [[nodiscard]] static const void* get_interface(std::string_view id);

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const;
  [[nodiscard]] belay_packed_t packed(const belay_op_t& op) const;
  void pack(const belay_op_t& op, void* buffer, uint64_t bytes) const;
  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* buffer, uint64_t bytes);
  [[nodiscard]] sdk::KernelPtr bind_device(const belay_op_t& op, uint64_t buffer, uint64_t offset,
                                           uint64_t bytes);

  [[nodiscard]] sdk::KernelPtr fuse(const sdk::Sequence& steps, uint64_t& taken);

  [[nodiscard]] Memory& memory() { return memory_; }

 private:
  sdk::Host host_;
  Fault fault_;
  Memory memory_;
};

}  // namespace test_device
