#include "plugins/cuda_sm61/memory_interface.hpp"

#include "plugins/cuda_sm61/instance.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <thread>

namespace belay::cuda {
namespace {

using sdk::guard;

// A [control] or [stream] handle of the ABI with what its functions need.
struct EventOfInstance {
  explicit EventOfInstance(Instance& owner)
      : instance(owner), event(owner.device().context(), owner.device().driver()) {}
  Instance& instance;
  Event event;
};

Instance& of(belay_instance_t* instance) { return *reinterpret_cast<Instance*>(instance); }
Stream& of(belay_stream_t* stream) { return *reinterpret_cast<Stream*>(stream); }
EventOfInstance& of(belay_event_t* event) { return *reinterpret_cast<EventOfInstance*>(event); }

belay_status_t missing(belay_error_t* error, const char* call) noexcept {
  return sdk::fail(error, BELAY_INVALID_ARGUMENT, "%s: a missing or too small argument", call);
}

belay_status_t answer(belay_error_t* error, Result result, const char* what) {
  return result == kSuccess ? BELAY_OK : fail(error, result, what);
}

belay_status_t buffer_types(belay_instance_t* instance, belay_buffer_type_t* types, std::uint64_t capacity,
                            std::uint64_t* count, belay_error_t* error) noexcept {
  if (instance == nullptr || count == nullptr || (capacity > 0 && !sdk::valid(types))) {
    return missing(error, "buffer_types");
  }
  *count = kBufferTypes;
  return guard(error, [&] {
    Device& device = of(instance).device();
    std::array<belay_buffer_type_t, kBufferTypes> all{};
    const std::uint64_t unused = device.arena().budget() - device.arena().used();
    const std::uint64_t left = unused - unused / 32;  // what remains in pieces that serve nobody
    all[kDeviceBuffer].kind = BELAY_BUFFER_DEVICE;
    all[kDeviceBuffer].tier = BELAY_TIER_DEVICE;
    all[kDeviceBuffer].total_bytes = device.facts().memory_bytes;
    all[kDeviceBuffer].free_bytes = std::min(left, device.memory().free);
    all[kDeviceBuffer].max_bytes = device.arena().budget();
    all[kPinnedBuffer].kind = BELAY_BUFFER_PINNED;
    all[kPinnedBuffer].tier = BELAY_TIER_HOST;
    all[kPinnedBuffer].max_bytes = Instance::kMostPinned;
    for (std::uint32_t i = 0; i < kBufferTypes && i < capacity; ++i) {
      all[i].index = i;
      all[i].alignment = Arena::kAlignment;
      sdk::write(&sdk::at(types, i), all[i]);
    }
    return BELAY_OK;
  });
}

belay_status_t alloc_size(belay_instance_t* instance, std::uint32_t type, const belay_tensor_t* tensor,
                          std::uint64_t* bytes, belay_error_t* error) noexcept {
  if (instance == nullptr || type >= kBufferTypes || !sdk::valid(tensor) || bytes == nullptr) {
    return missing(error, "alloc_size");
  }
  if (tensor->nbytes > ~std::uint64_t{0} - Arena::kAlignment) return missing(error, "alloc_size");
  *bytes = (tensor->nbytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
  return BELAY_OK;
}

belay_status_t alloc(belay_instance_t* instance, std::uint32_t type, std::uint64_t bytes,
                     std::uint64_t* buffer, belay_error_t* error) noexcept {
  if (instance == nullptr || type >= kBufferTypes || buffer == nullptr) return missing(error, "alloc");
  *buffer = 0;
  return guard(error, [&] {
    *buffer = of(instance).device().buffers().make(static_cast<BufferType>(type), bytes);
    return BELAY_OK;
  });
}

belay_status_t import(belay_instance_t* instance, void* memory, std::uint64_t bytes, std::uint64_t* buffer,
                      belay_error_t* error) noexcept {
  if (instance == nullptr || memory == nullptr || bytes == 0 || buffer == nullptr)
    return missing(error, "import");
  *buffer = 0;
  return guard(error, [&] {
    *buffer = of(instance).device().buffers().import(memory, bytes);
    return BELAY_OK;
  });
}

void free_buffer(belay_instance_t* instance, std::uint64_t buffer) noexcept {
  if (instance != nullptr) of(instance).device().buffers().free(buffer);
}

belay_status_t map(belay_instance_t* instance, std::uint64_t buffer, void** memory,
                   belay_error_t* error) noexcept {
  if (instance == nullptr || memory == nullptr) return missing(error, "map");
  *memory = nullptr;
  return guard(error, [&]() -> belay_status_t {
    Buffer found;
    if (!of(instance).device().buffers().find(buffer, found)) {
      return sdk::fail(error, BELAY_INVALID_ARGUMENT, "map: there is no buffer %llu",
                       static_cast<unsigned long long>(buffer));
    }
    if (found.host == nullptr)
      return sdk::fail(error, BELAY_UNSUPPORTED, "map: the host cannot reach device memory");
    *memory = found.host;
    return BELAY_OK;
  });
}

belay_status_t unmap(belay_instance_t* instance, std::uint64_t /*buffer*/, belay_error_t* error) noexcept {
  return instance != nullptr ? BELAY_OK : missing(error, "unmap");
}

std::uint32_t can_copy(belay_instance_t* /*instance*/, std::uint32_t from, std::uint32_t to) noexcept {
  return from < kBufferTypes && to < kBufferTypes && (from == kDeviceBuffer || to == kDeviceBuffer) ? 1U : 0U;
}

// One end of a copy: an address of the device's or of the host's.
struct End {
  DevicePointer device = 0;
  std::byte* host = nullptr;
};

bool resolve(const Device& device, std::uint64_t buffer, std::uint64_t offset, const void* host,
             std::uint64_t bytes, End& end) {
  if (buffer == 0) {
    end.host =
        static_cast<std::byte*>(const_cast<void*>(host));  // written to only where the caller said `to`
    return host != nullptr || bytes == 0;
  }
  Buffer found;
  if (!device.buffers().find(buffer, found) || offset > found.bytes || bytes > found.bytes - offset)
    return false;
  if (found.type == kDeviceBuffer) {
    end.device = found.device + offset;
  } else {
    end.host = found.host + offset;
  }
  return true;
}

Result queue_copy(const Driver& driver, StreamHandle stream, const End& to, const End& from,
                  std::size_t bytes) {
  const void* source = from.host;
  void* target = to.host;
  if (to.device != 0 && from.device != 0)
    return driver.call(&Api::copy_on_device, to.device, from.device, bytes, stream);
  if (to.device != 0) return driver.call(&Api::copy_to_device, to.device, source, bytes, stream);
  return driver.call(&Api::copy_to_host, target, from.device, bytes, stream);
}

// NOLINTNEXTLINE(readability-function-size): the parameters are the ABI's
belay_status_t copy(belay_instance_t* instance, belay_stream_t* stream, std::uint64_t to,
                    std::uint64_t to_offset, void* to_host, std::uint64_t from, std::uint64_t from_offset,
                    const void* from_host, std::uint64_t bytes, belay_error_t* error) noexcept {
  if (instance == nullptr || stream == nullptr) return missing(error, "copy");
  return guard(error, [&]() -> belay_status_t {
    const Device& device = of(instance).device();
    End target;
    End source;
    if (!resolve(device, to, to_offset, to_host, bytes, target) ||
        !resolve(device, from, from_offset, from_host, bytes, source)) {
      return sdk::fail(error, BELAY_INVALID_ARGUMENT, "copy: no such buffer, or %llu bytes do not fit in it",
                       static_cast<unsigned long long>(bytes));
    }
    if (bytes == 0) return BELAY_OK;
    if (target.device == 0 && source.device == 0) {
      return sdk::fail(error, BELAY_UNSUPPORTED, "copy: from host memory to host memory");
    }
    if (const Result entered = device.context().enter(); entered != kSuccess)
      return fail(error, entered, "copy");
    return answer(error, queue_copy(device.driver(), of(stream).handle(), target, source, bytes), "copy");
  });
}

belay_status_t fill(belay_instance_t* instance, belay_stream_t* stream, std::uint64_t buffer,
                    std::uint64_t offset, std::uint64_t bytes, std::uint32_t byte_value,
                    belay_error_t* error) noexcept {
  if (instance == nullptr || stream == nullptr) return missing(error, "fill");
  return guard(error, [&]() -> belay_status_t {
    const Device& device = of(instance).device();
    End target;
    if (buffer == 0 || !resolve(device, buffer, offset, nullptr, bytes, target) || target.device == 0) {
      return sdk::fail(error, BELAY_INVALID_ARGUMENT,
                       "fill: no such device buffer, or %llu bytes do not fit in it",
                       static_cast<unsigned long long>(bytes));
    }
    if (bytes == 0) return BELAY_OK;
    if (const Result entered = device.context().enter(); entered != kSuccess)
      return fail(error, entered, "fill");
    const auto value = static_cast<unsigned char>(byte_value);
    const std::size_t size = bytes;
    return answer(error, device.driver().call(&Api::fill, target.device, value, size, of(stream).handle()),
                  "fill");
  });
}

belay_status_t stream_create(belay_instance_t* instance, belay_stream_t** stream,
                             belay_error_t* error) noexcept {
  if (instance == nullptr || stream == nullptr) return missing(error, "stream_create");
  *stream = nullptr;
  return guard(error, [&] {
    *stream = reinterpret_cast<belay_stream_t*>(of(instance).device().streams().create());
    return BELAY_OK;
  });
}

void stream_destroy(belay_stream_t* stream) noexcept {
  if (stream != nullptr) of(stream).owner().destroy(&of(stream));
}

belay_status_t event_create(belay_instance_t* instance, belay_event_t** event,
                            belay_error_t* error) noexcept {
  if (instance == nullptr || event == nullptr) return missing(error, "event_create");
  *event = nullptr;
  return guard(error, [&] {
    *event = reinterpret_cast<belay_event_t*>(std::make_unique<EventOfInstance>(of(instance)).release());
    return BELAY_OK;
  });
}

void event_destroy(belay_event_t* event) noexcept {
  if (event != nullptr) delete &of(event);
}

belay_status_t event_record(belay_event_t* event, belay_stream_t* stream, belay_error_t* error) noexcept {
  if (event == nullptr || stream == nullptr) return missing(error, "event_record");
  return answer(error, of(event).event.record(of(stream)), "event_record");
}

belay_status_t event_wait(belay_event_t* event, belay_stream_t* stream, belay_error_t* error) noexcept {
  if (event == nullptr || stream == nullptr) return missing(error, "event_wait");
  return answer(error, of(event).event.wait_in(of(stream)), "event_wait");
}

belay_status_t event_query(belay_event_t* event, std::uint32_t* done, belay_error_t* error) noexcept {
  if (event == nullptr || done == nullptr) return missing(error, "event_query");
  const Result result = of(event).event.query();
  *done = result == kSuccess ? 1U : 0U;
  return result == kNotReady ? BELAY_OK : answer(error, result, "the work before the event");
}

// Without a deadline the driver waits; with one, the event is asked again and again.
belay_status_t event_sync(belay_event_t* event, std::uint64_t deadline_ns, belay_error_t* error) noexcept {
  if (event == nullptr) return missing(error, "event_sync");
  return guard(error, [&]() -> belay_status_t {
    EventOfInstance& self = of(event);
    Result result = deadline_ns == 0 ? self.event.finish() : self.event.query();
    while (result == kNotReady) {
      if (self.instance.host().now_ns() >= deadline_ns) {
        return sdk::fail(error, BELAY_TIMEOUT, "event_sync: the device is not done at the deadline");
      }
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      result = self.event.query();
    }
    return answer(error, result, "the work before the event");
  });
}

constexpr belay_memory_t kMemory = {sizeof(belay_memory_t),
                                    0,
                                    &buffer_types,
                                    &alloc_size,
                                    &alloc,
                                    &import,
                                    &free_buffer,
                                    &map,
                                    &unmap,
                                    &can_copy,
                                    &copy,
                                    &fill,
                                    &stream_create,
                                    &stream_destroy,
                                    &event_create,
                                    &event_destroy,
                                    &event_record,
                                    &event_wait,
                                    &event_query,
                                    &event_sync};

}  // namespace

const belay_memory_t* memory_table() noexcept { return &kMemory; }

}  // namespace belay::cuda
