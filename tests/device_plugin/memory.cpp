#include "tests/device_plugin/memory.hpp"

#include "tests/device_plugin/instance.hpp"

#include <algorithm>
#include <cstring>

namespace test_device {
namespace {

Memory& memory_of(belay_instance_t* instance) { return reinterpret_cast<Instance*>(instance)->memory(); }

// There is one stream and everything runs in order, so handles only have to be valid.
struct Stream {
  Memory& memory;
};

belay_status_t buffer_types(belay_instance_t* instance, belay_buffer_type_t* types, uint64_t capacity,
                            uint64_t* count, belay_error_t* /*error*/) {
  *count = 2;
  const int32_t kinds[] = {BELAY_BUFFER_PINNED, BELAY_BUFFER_DEVICE};  // a host must not take the first one
  for (uint32_t i = 0; i < std::min<uint64_t>(capacity, 2); ++i) {
    belay_buffer_type_t type{};
    type.kind = kinds[i];
    type.tier = i == 0 ? BELAY_TIER_HOST : BELAY_TIER_DEVICE;
    type.index = i;
    type.alignment = 64;
    type.total_bytes = type.max_bytes = memory_of(instance).size();
    type.free_bytes = memory_of(instance).free();
    sdk::write(&sdk::at(types, i), type);
  }
  return BELAY_OK;
}

belay_status_t alloc_size(belay_instance_t* /*instance*/, uint32_t /*type*/, const belay_tensor_t* tensor,
                          uint64_t* bytes, belay_error_t* /*error*/) {
  *bytes = tensor->nbytes;
  return BELAY_OK;
}

belay_status_t alloc(belay_instance_t* instance, uint32_t type, uint64_t bytes, uint64_t* buffer,
                     belay_error_t* error) {
  Memory& memory = memory_of(instance);
  if (const auto status = memory.fault().strike(error); status != BELAY_OK) return status;
  if (type != 1) return sdk::fail(error, BELAY_INVALID_ARGUMENT, "type %u is not the device's", type);
  *buffer = memory.allocate(bytes);
  if (*buffer != 0) return BELAY_OK;
  return sdk::fail(error, BELAY_OOM_DEVICE, "the device is full");
}

void free_buffer(belay_instance_t* instance, uint64_t buffer) { memory_of(instance).release(buffer); }

// NOLINTNEXTLINE(readability-function-size): the parameters are the ABI's
belay_status_t copy(belay_instance_t* instance, belay_stream_t* /*stream*/, uint64_t to, uint64_t to_offset,
                    void* to_host, uint64_t from, uint64_t from_offset, const void* from_host, uint64_t bytes,
                    belay_error_t* error) {
  return sdk::guard(error, [&] {
    Memory& memory = memory_of(instance);
    if (const auto status = memory.fault().strike(error); status != BELAY_OK) return status;
    void* target = to != 0 ? memory.at(to, to_offset, bytes) : to_host;
    const void* source = from != 0 ? memory.at(from, from_offset, bytes) : from_host;
    std::memcpy(target, source, bytes);
    return belay_status_t{BELAY_OK};
  });
}

belay_status_t stream_create(belay_instance_t* instance, belay_stream_t** stream, belay_error_t* /*error*/) {
  *stream = reinterpret_cast<belay_stream_t*>(new Stream{memory_of(instance)});
  return BELAY_OK;
}

void stream_destroy(belay_stream_t* stream) { delete reinterpret_cast<Stream*>(stream); }

belay_status_t event_create(belay_instance_t* instance, belay_event_t** event, belay_error_t* /*error*/) {
  *event = reinterpret_cast<belay_event_t*>(new Stream{memory_of(instance)});
  return BELAY_OK;
}

void event_destroy(belay_event_t* event) { delete reinterpret_cast<Stream*>(event); }

belay_status_t event_record(belay_event_t* /*event*/, belay_stream_t* /*stream*/, belay_error_t* /*error*/) {
  return BELAY_OK;
}

belay_status_t event_sync(belay_event_t* event, uint64_t /*deadline_ns*/, belay_error_t* error) {
  return reinterpret_cast<Stream*>(event)->memory.fault().strike_wait(error);
}

constexpr belay_memory_t kTable = {sizeof(belay_memory_t),
                                   0,
                                   &buffer_types,
                                   &alloc_size,
                                   &alloc,
                                   nullptr,
                                   &free_buffer,
                                   nullptr,
                                   nullptr,
                                   nullptr,
                                   &copy,
                                   nullptr,
                                   &stream_create,
                                   &stream_destroy,
                                   &event_create,
                                   &event_destroy,
                                   &event_record,
                                   nullptr,
                                   nullptr,
                                   &event_sync};

belay_status_t read(belay_instance_t* instance, belay_reading_t* readings, uint64_t capacity, uint64_t* count,
                    belay_error_t* /*error*/) {
  const Memory& memory = memory_of(instance);
  const auto free = static_cast<double>(memory.free());
  const belay_reading_t all[] = {
      {sizeof(belay_reading_t), 1, sdk::str("memory_used_bytes"), static_cast<double>(memory.size()) - free},
      {sizeof(belay_reading_t), 1, sdk::str("memory_free_bytes"), free},
      {sizeof(belay_reading_t), 0, sdk::str("power_watts"), 0}};
  *count = 3;
  for (uint64_t i = 0; i < std::min<uint64_t>(capacity, 3); ++i) sdk::write(&sdk::at(readings, i), all[i]);
  return BELAY_OK;
}

constexpr belay_telemetry_t kTelemetry = {sizeof(belay_telemetry_t), 0, &read};

}  // namespace

std::uint64_t Memory::allocate(std::uint64_t bytes) {
  if (bytes > free()) return 0;
  used_ += bytes;
  // What was never written must not look like anything.
  buffers_.emplace(next_, std::vector<std::byte>(bytes, std::byte{0xff}));
  return next_++;
}

void Memory::release(std::uint64_t buffer) {
  const auto found = buffers_.find(buffer);
  if (found == buffers_.end()) return;
  used_ -= found->second.size();
  buffers_.erase(found);
}

std::byte* Memory::at(std::uint64_t buffer, std::uint64_t offset, std::uint64_t bytes) {
  const auto found = buffers_.find(buffer);
  if (found == buffers_.end() || offset > found->second.size() || bytes > found->second.size() - offset)
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "no %llu bytes at %llu of buffer %llu",
                     static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset),
                     static_cast<unsigned long long>(buffer));
  return found->second.data() + offset;
}

const belay_memory_t* memory_table() { return &kTable; }
const belay_telemetry_t* telemetry_table() { return &kTelemetry; }

}  // namespace test_device
