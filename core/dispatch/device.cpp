#include "core/dispatch/device.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"

#include <algorithm>
#include <vector>

namespace belay::dispatch {
namespace {

bool complete(const belay_memory_t& table) {
  return table.struct_size >= sizeof table && table.buffer_types != nullptr && table.alloc != nullptr &&
         table.free != nullptr && table.copy != nullptr && table.stream_create != nullptr &&
         table.stream_destroy != nullptr && table.event_create != nullptr && table.event_destroy != nullptr &&
         table.event_record != nullptr && table.event_sync != nullptr;
}

std::vector<belay_buffer_type_t> buffer_types(const belay_memory_t& table, belay_instance_t* instance) {
  constexpr std::uint64_t kMostTypes = 16;
  belay_error_t error = empty_error();
  std::vector<belay_buffer_type_t> types(kMostTypes);
  for (belay_buffer_type_t& type : types) type.struct_size = sizeof type;
  std::uint64_t count = 0;
  const belay_status_t status = table.buffer_types(instance, types.data(), kMostTypes, &count, &error);
  types.resize(status == BELAY_OK ? std::min(count, kMostTypes) : 0);
  return types;
}

Error no_plugin(const char* call, belay_status_t status, const belay_error_t& error) {
  return fail(ErrorCode::kNoPlugin, "{}: {}", call, text(describe(status, error)));
}

}  // namespace

DeviceBuffer::~DeviceBuffer() {
  if (handle_ != 0) device_->release(handle_);
}

Result<std::unique_ptr<Device>> Device::create(std::string id, const belay_memory_t& table,
                                               belay_instance_t* instance) {
  if (!complete(table))
    return fail(ErrorCode::kNoPlugin, "its {} is too short or lacks a function", BELAY_MEMORY_1);
  std::unique_ptr<Device> device(new Device(std::move(id), table, instance));
  BELAY_TRY(device->choose_type());
  BELAY_TRY(device->make_stream());
  return device;
}

Device::~Device() {
  if (event_ != nullptr) table_.event_destroy(event_);
  if (stream_ != nullptr) table_.stream_destroy(stream_);
}

Status Device::choose_type() {
  for (const belay_buffer_type_t& type : buffer_types(table_, instance_)) {
    if (type.kind != BELAY_BUFFER_DEVICE) continue;
    type_ = type.index;
    return {};
  }
  return fail(ErrorCode::kNoPlugin, "its {} has no memory of a device", BELAY_MEMORY_1);
}

Status Device::make_stream() {
  belay_error_t error = empty_error();
  if (const auto status = table_.stream_create(instance_, &stream_, &error); status != BELAY_OK)
    return no_plugin("stream_create", status, error);
  if (const auto status = table_.event_create(instance_, &event_, &error); status != BELAY_OK)
    return no_plugin("event_create", status, error);
  return {};
}

std::uint64_t Device::free_bytes() const {
  for (const belay_buffer_type_t& type : buffer_types(table_, instance_)) {
    if (type.index == type_) return type.free_bytes;
  }
  return 0;
}

Result<DeviceBuffer> Device::allocate(std::uint64_t bytes, std::string_view purpose) {
  belay_error_t error = empty_error();
  std::uint64_t handle = 0;
  const belay_status_t status = table_.alloc(instance_, type_, bytes, &handle, &error);
  if (status == BELAY_OK && handle != 0) return DeviceBuffer(*this, handle, bytes);
  const Failure failure = describe(status, error);
  const bool is_full = failure.scope == BELAY_SCOPE_OUT_OF_MEMORY;
  return fail(is_full ? ErrorCode::kOutOfMemory : ErrorCode::kNoPlugin, "{} bytes of the device for {}: {}",
              bytes, purpose, text(failure));
}

template <class Call>
Trouble Device::insist(const char* what, Call call) {
  constexpr int kTries = 3;
  Trouble trouble;
  for (int i = 0; i < kTries; ++i) {
    belay_error_t error = empty_error();
    trouble = trouble_of(call(&error), error);
    if (!trouble || is_beyond_the_op(*trouble)) break;
    log(LogLevel::kWarn, "{}: {} failed and is tried again: {}", id_, what, text(*trouble));
  }
  return trouble;
}

Trouble Device::copy_in(Place to, std::span<const std::byte> from) {
  if (from.empty()) return std::nullopt;
  reads_host_ = true;
  return insist("copying to the device", [&](belay_error_t* error) {
    return table_.copy(instance_, stream_, to.buffer, to.offset, nullptr, 0, 0, from.data(), from.size(),
                       error);
  });
}

Trouble Device::copy_out(std::span<std::byte> to, Place from) {
  if (to.empty()) return std::nullopt;
  return insist("copying from the device", [&](belay_error_t* error) {
    return table_.copy(instance_, stream_, 0, 0, to.data(), from.buffer, from.offset, nullptr, to.size(),
                       error);
  });
}

Trouble Device::wait() {
  reads_host_ = false;  // a device that fails reads nothing any more
  return insist("waiting for the device", [&](belay_error_t* error) {
    const belay_status_t recorded = table_.event_record(event_, stream_, error);
    return recorded == BELAY_OK ? table_.event_sync(event_, 0, error) : recorded;
  });
}

}  // namespace belay::dispatch
