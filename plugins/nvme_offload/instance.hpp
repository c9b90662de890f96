// What the host opens: one device, the machine's storage. One thread at a time.
#pragma once

#include "plugins/nvme_offload/reader.hpp"
#include "plugins/nvme_offload/system.hpp"

#include <belay/cpp/host.hpp>
#include <belay/plugin.h>

#include <memory>
#include <string_view>

namespace belay::nvme {

class Instance {
 public:
  Instance(sdk::Host host, const belay_open_t& options);
  // On another system: for tests.
  Instance(sdk::Host host, std::unique_ptr<System> system);

  static belay_status_t probe(sdk::Host host, belay_device_t* devices, std::uint64_t capacity,
                              std::uint64_t* count, belay_error_t* error);
  belay_status_t drain(std::uint64_t deadline_ns, belay_error_t* error);
  [[nodiscard]] static const void* get_interface(std::string_view id);

  [[nodiscard]] Reader& reader() { return reader_; }

 private:
  std::unique_ptr<System> system_;  // outlives the reader
  Reader reader_;
};

}  // namespace belay::nvme
