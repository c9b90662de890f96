#include "plugins/cuda_sm61/device/device.hpp"

#include <belay/cpp/guard.hpp>

#include <bit>

namespace belay::cuda {
namespace {

DeviceFacts facts_of(const Driver& driver, int ordinal) {
  const int count = device_count(driver);
  if (count == 0) throw sdk::Error(BELAY_NO_DEVICE, "the driver reports no device");
  if (ordinal < 0 || ordinal >= count) {
    throw sdk::Error(BELAY_NO_DEVICE, "there is no device %d, the driver reports %d", ordinal, count);
  }
  DeviceFacts facts = device_facts(driver, ordinal);
  const std::string against = reason_against(facts);
  if (!against.empty()) {
    const bool has_images = image_for(facts.capability) != ImageKind::kNone;
    throw sdk::Error(has_images ? BELAY_DEVICE_BUSY : BELAY_NO_KERNEL_IMAGE, "%s cannot be used: %s",
                     facts.name.c_str(), against.c_str());
  }
  return facts;
}

MemoryState measure(const Driver& driver) {
  MemoryState state;
  require(driver.call(&Api::memory_info, &state.free, &state.total), "asking for the free memory");
  return state;
}

}  // namespace

Device::Device(int ordinal, const char* library)
    : driver_(library),
      facts_(facts_of(driver_, ordinal)),
      image_(image_for(facts_.capability)),
      context_(driver_, facts_.number),
      kernels_(context_, driver_, image_),
      arena_(context_, driver_, usable_memory(measure(driver_).free)),
      buffers_(context_, driver_, arena_),
      streams_(context_, driver_, arena_),
      own_stream_(streams_.create()),
      staging_(context_, driver_, own_stream_->handle()) {}

MemoryState Device::memory() const {
  require(context_.enter(), "asking for the free memory");
  return measure(driver_);
}

Result Device::scratch(std::uint64_t bytes, DevicePointer& address) {
  if (scratch_.bytes() < bytes || scratch_.bytes() == 0) {
    scratch_ = {};
    // To powers of two, so that growing prompts ask rarely.
    for (const std::uint64_t size : {std::bit_ceil(bytes), bytes}) {
      DevicePointer grown = 0;
      const Result allocated = arena_.allocate(size, grown);
      if (allocated == kSuccess) {
        scratch_ = DeviceMemory(arena_, grown, size);
        break;
      }
      if (allocated != kOutOfMemory || size == bytes) return allocated;
    }
  }
  address = scratch_.address();
  return kSuccess;
}

DeviceMemory Device::copy_of(const void* bytes, std::uint64_t size, const char* what) {
  require(context_.enter(), what);
  DeviceMemory memory(arena_, size, what);
  HostWork work = host_work();
  Result copied = work.staging.upload(memory.address(), bytes, size);
  if (copied == kSuccess) copied = work.staging.finish();
  if (copied != kSuccess) work.staging.abandon();
  require(copied, what);
  return memory;
}

}  // namespace belay::cuda
