// The memory of a device that is none: belay.memory/1 over blocks of host memory that only the plugin knows.
// One thread at a time.
#pragma once

#include "tests/device_plugin/fault.hpp"

#include <belay/cpp/plugin.hpp>
#include <belay/ext/memory.h>
#include <belay/ext/telemetry.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace test_device {

class Memory {
 public:
  Memory(std::uint64_t bytes, Fault& fault) : size_(bytes), fault_(fault) {}

  // 0 when there is no room.
  [[nodiscard]] std::uint64_t allocate(std::uint64_t bytes);
  void release(std::uint64_t buffer);
  // Where `bytes` from `offset` of a buffer lie. Throws sdk::Error for what lies outside.
  [[nodiscard]] std::byte* at(std::uint64_t buffer, std::uint64_t offset, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t free() const { return size_ - used_; }
  [[nodiscard]] Fault& fault() { return fault_; }

 private:
  std::uint64_t size_;
  Fault& fault_;
  std::uint64_t used_ = 0;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::vector<std::byte>> buffers_;
};

// The tables of an instance that has a memory().
[[nodiscard]] const belay_memory_t* memory_table();
[[nodiscard]] const belay_telemetry_t* telemetry_table();

}  // namespace test_device
