// How fast an NVIDIA device moves bytes within its own memory, measured by copying some. For the child that
// asks the driver.
#pragma once

#include "core/hardware/profile.hpp"

#include <cstddef>
#include <cstdint>

namespace belay::hardware {

class Copying {
 public:
  // `library`: the driver's, from dlopen(). One that lacks an entry point measures nothing.
  explicit Copying(void* library);

  // Bytes read and written a second on the device of the current context; unknown when there is no room to
  // copy, or the driver fails or tells no time. Takes some tens of milliseconds.
  [[nodiscard]] Known<std::uint64_t> bandwidth(std::uint64_t free_bytes) const;

 private:
  // Two buffers and two events, as the driver counts them; 0: none.
  struct Things {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    void* begin = nullptr;
    void* end = nullptr;
  };
  [[nodiscard]] bool make(Things& things, std::size_t bytes) const;
  void give_back(const Things& things) const;
  [[nodiscard]] double seconds(const Things& things, std::size_t bytes) const;

  int (*allocate_)(std::uint64_t* address, std::size_t bytes) = nullptr;
  int (*free_)(std::uint64_t address) = nullptr;
  int (*copy_)(std::uint64_t to, std::uint64_t from, std::size_t bytes, void* stream) = nullptr;
  int (*create_event_)(void** event, unsigned flags) = nullptr;
  int (*destroy_event_)(void* event) = nullptr;
  int (*record_event_)(void* event, void* stream) = nullptr;
  int (*finish_event_)(void* event) = nullptr;
  int (*event_time_)(float* milliseconds, void* from, void* to) = nullptr;
  bool complete_;
};

}  // namespace belay::hardware
