#include "plugins/nvme_offload/instance.hpp"

#include "plugins/nvme_offload/rung.hpp"
#include "plugins/nvme_offload/storage.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>

#include <utility>

namespace belay::nvme {
namespace {

Rung first_rung(const sdk::Host& host) {
  const std::string_view method = host.config("method", "io_uring");
  if (method == "io_uring") return Rung::kRegistered;
  if (method == "pread") return Rung::kPool;
  if (method == "buffered") return Rung::kBuffered;
  throw sdk::Error(BELAY_INVALID_ARGUMENT, "method is \"%.*s\"; allowed are io_uring, pread and buffered",
                   static_cast<int>(method.size()), method.data());
}

}  // namespace

Instance::Instance(sdk::Host host, const belay_open_t& options)
    : Instance(host, std::make_unique<PosixSystem>()) {
  if (options.device_index != 0) throw sdk::Error(BELAY_NO_DEVICE, "there is one device, number 0");
}

Instance::Instance(sdk::Host host, std::unique_ptr<System> system)
    : system_(std::move(system)), reader_(host, *system_, first_rung(host)) {}

// The best that the kernel offers; what a file allows is seen when it is opened.
belay_status_t Instance::probe(sdk::Host /*host*/, belay_device_t* devices, std::uint64_t capacity,
                               std::uint64_t* count, belay_error_t* /*error*/) {
  *count = 1;
  if (capacity == 0) return BELAY_OK;
  int error_number = 0;
  const bool has_ring = PosixSystem().make_ring(1, false, &error_number) != nullptr;
  belay_device_t device{};
  device.kind = BELAY_DEVICE_STORAGE;
  device.id = sdk::str("storage");
  device.name = sdk::str(method_of(has_ring ? Rung::kRegistered : Rung::kPool));
  sdk::write(devices, device);
  return BELAY_OK;
}

belay_status_t Instance::drain(std::uint64_t deadline_ns, belay_error_t* error) {
  return reader_.drain(deadline_ns, error);
}

const void* Instance::get_interface(std::string_view id) {
  return id == BELAY_STORAGE_1 ? storage_table() : nullptr;
}

}  // namespace belay::nvme
