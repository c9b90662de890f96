// The entry points of the driver API, each as cuda.h declares it.
#include "plugins/cuda_sm61/driver/api.hpp"
#include "tests/plugins/cuda_sm61/driver/machine.hpp"
#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

using namespace belay::cuda;       // NOLINT(google-build-using-namespace)
using namespace belay::fake_cuda;  // NOLINT(google-build-using-namespace)

namespace {

constexpr Result kInvalidHandle = 400;
constexpr Result kNotFound = 500;
constexpr Result kLaunchFailed = 719;
constexpr Result kNotRegistered = 713;

void* host(DevicePointer address) { return reinterpret_cast<void*>(address); }

// What a launch needs when its turn comes: the arguments were copied when it was queued.
struct Launch {
  const belay::emulator::Kernel* kernel;
  belay::emulator::Extent grid;
  belay::emulator::Extent block;
  std::size_t shared;
  std::vector<std::uint64_t> params;
};

void do_launch(Machine& m, const Launch& launch) {
  const AddressSpace::Open open(m.memory);
  std::vector<std::uint64_t> params = launch.params;
  void* args[] = {params.data()};
  try {
    belay::emulator::launch(launch.kernel->run, args, launch.grid, launch.block, launch.shared);
  } catch (const std::exception& e) {
    m.launch_error = e.what();
    std::fprintf(stderr, "emulated device: %.*s: %s\n", static_cast<int>(launch.kernel->name.size()),
                 launch.kernel->name.data(), e.what());
    m.stuck = kLaunchFailed;
    m.queues.forget_work();
  }
}

// Does what is queued with the memory opened once for all of it.
template <class What>
void finish(Machine& m, What what) {
  if (m.queues.is_done(what)) return;
  const AddressSpace::Open open(m.memory);
  m.queues.finish(what);
}
void finish_all(Machine& m) {
  const AddressSpace::Open open(m.memory);
  m.queues.finish_all();
}

// A wait may have met what broke the device.
Result after_wait(Machine& m) {
  if (m.stuck != kSuccess) m.stuck_reported = true;
  return m.stuck;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming,misc-definitions-in-headers): the driver's names
#define BELAY_ENTRY extern "C" __attribute__((visibility("default"))) Result
#define BELAY_BEGIN(kind, needs_context)                 \
  const Call call(__func__, Kind::kind, needs_context);  \
  if (call.verdict() != kSuccess) return call.verdict(); \
  [[maybe_unused]] Machine& m = call.m

BELAY_ENTRY cuInit(unsigned) {
  BELAY_BEGIN(kAnswers, false);
  if (m.settings.init_result != kSuccess) return m.settings.init_result;
  m.initialised = true;
  return m.settings.devices == 0 ? kNoDevice : kSuccess;
}

BELAY_ENTRY cuDriverGetVersion(int* version) {
  BELAY_BEGIN(kAnswers, false);
  *version = m.settings.version;
  return kSuccess;
}

BELAY_ENTRY cuDeviceGetCount(int* count) {
  BELAY_BEGIN(kAnswers, false);
  *count = m.settings.devices;
  return kSuccess;
}

BELAY_ENTRY cuDeviceGet(DeviceNumber* device, int ordinal) {
  BELAY_BEGIN(kAnswers, false);
  *device = ordinal;
  return ordinal < m.settings.devices ? kSuccess : 101;
}

BELAY_ENTRY cuDeviceGetName(char* name, int capacity, DeviceNumber device) {
  BELAY_BEGIN(kAnswers, false);
  std::snprintf(name, static_cast<std::size_t>(capacity), "emulated device %d", device);
  return kSuccess;
}

BELAY_ENTRY cuDeviceGetPCIBusId(char* id, int capacity, DeviceNumber device) {
  BELAY_BEGIN(kAnswers, false);
  std::snprintf(id, static_cast<std::size_t>(capacity), "0000:%02d:00.0", device + 1);
  return kSuccess;
}

BELAY_ENTRY cuDeviceGetAttribute(int* value, int attribute, DeviceNumber) {
  BELAY_BEGIN(kAnswers, false);
  *value = 0;
  if (attribute == kComputeMajor) *value = m.settings.major;
  if (attribute == kComputeMinor) *value = m.settings.minor;
  if (attribute == kComputeMode) *value = m.settings.compute_mode;
  if (attribute == kMultiprocessors) *value = 3;
  if (attribute == kClockKhz) *value = 1'000'000;
  if (attribute == kMemoryClockKhz) *value = 3'000'000;
  if (attribute == kMemoryBusBits) *value = 64;
  return kSuccess;
}

BELAY_ENTRY cuDeviceTotalMem_v2(std::size_t* bytes, DeviceNumber) {
  BELAY_BEGIN(kAnswers, false);
  *bytes = m.settings.memory_bytes;
  return kSuccess;
}

BELAY_ENTRY cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceNumber) {
  BELAY_BEGIN(kAnswers, false);
  if (m.settings.context_result != kSuccess) return m.settings.context_result;
  ++m.contexts;
  *context = reinterpret_cast<ContextHandle>(&m);
  return kSuccess;
}

// As the last user leaves, what it left behind stays counted: a test sees what was never given back.
BELAY_ENTRY cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  BELAY_BEGIN(kAnswers, false);
  if (m.contexts == 0) return 201;
  --m.contexts;
  return kSuccess;
}

BELAY_ENTRY cuCtxSetCurrent(ContextHandle context) {
  BELAY_BEGIN(kAnswers, false);
  thread_has_context() = context != nullptr && m.contexts > 0;
  return context == nullptr || m.contexts > 0 ? kSuccess : 201;
}

BELAY_ENTRY cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  BELAY_BEGIN(kAnswers, true);
  *total = m.settings.memory_bytes;
  *free = m.settings.memory_bytes - m.settings.others_bytes - m.memory.bytes();
  return kSuccess;
}

BELAY_ENTRY cuMemAlloc_v2(DevicePointer* address, std::size_t bytes) {
  BELAY_BEGIN(kAnswers, true);
  if (bytes == 0) return kInvalidValue;
  if (bytes > m.settings.memory_bytes - m.settings.others_bytes - m.memory.bytes()) return kOutOfMemory;
  *address = m.memory.allocate(bytes);
  ++m.counts.allocations;
  return *address != 0 ? kSuccess : kOutOfMemory;
}

BELAY_ENTRY cuMemFree_v2(DevicePointer address) {
  BELAY_BEGIN(kAnswers, true);
  finish_all(m);
  if (!m.memory.free(address)) return kInvalidValue;
  return after_wait(m);
}

BELAY_ENTRY cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.settings.can_pin) return kOutOfMemory;
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (*memory == nullptr) return kOutOfMemory;
  m.queues.pin(*memory, bytes);
  m.pinned[*memory].reset(*memory);
  return kSuccess;
}

BELAY_ENTRY cuMemFreeHost(void* memory) {
  BELAY_BEGIN(kAnswers, true);
  finish_all(m);
  if (!m.queues.unpin(memory)) return kInvalidValue;
  m.pinned.erase(memory);
  return after_wait(m);
}

BELAY_ENTRY cuMemHostRegister_v2(void* memory, std::size_t bytes, unsigned) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.settings.can_pin) return kOutOfMemory;
  m.queues.pin(memory, bytes);
  return kSuccess;
}

BELAY_ENTRY cuMemHostUnregister(void* memory) {
  BELAY_BEGIN(kAnswers, true);
  finish_all(m);
  return m.queues.unpin(memory) ? after_wait(m) : kNotRegistered;
}

// From pinned memory the bytes are read when the copy's turn comes, else now.
BELAY_ENTRY cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, std::size_t bytes, StreamHandle stream) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (!m.memory.contains(to, bytes)) return kInvalidValue;
  if (m.queues.is_pinned(from, bytes)) {
    m.queues.queue(stream, [&m, to, from, bytes] {
      const AddressSpace::Open open(m.memory);
      std::memcpy(host(to), from, bytes);
    });
    return kSuccess;
  }
  const auto* begin = static_cast<const std::byte*>(from);
  m.queues.queue(stream, [&m, to, copy = std::vector<std::byte>(begin, begin + bytes)] {
    const AddressSpace::Open open(m.memory);
    std::memcpy(host(to), copy.data(), copy.size());
  });
  return kSuccess;
}

// To pinned memory the bytes come when the copy's turn comes, else before the call returns.
BELAY_ENTRY cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, std::size_t bytes, StreamHandle stream) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (!m.memory.contains(from, bytes)) return kInvalidValue;
  m.queues.queue(stream, [&m, to, from, bytes] {
    const AddressSpace::Open open(m.memory);
    std::memcpy(to, host(from), bytes);
  });
  if (m.queues.is_pinned(to, bytes)) return kSuccess;
  finish(m, stream);
  return after_wait(m);
}

BELAY_ENTRY cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, std::size_t bytes,
                                 StreamHandle stream) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (!m.memory.contains(to, bytes) || !m.memory.contains(from, bytes)) return kInvalidValue;
  m.queues.queue(stream, [&m, to, from, bytes] {
    const AddressSpace::Open open(m.memory);
    std::memcpy(host(to), host(from), bytes);
  });
  return kSuccess;
}

BELAY_ENTRY cuMemsetD8Async(DevicePointer to, unsigned char value, std::size_t bytes, StreamHandle stream) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (!m.memory.contains(to, bytes)) return kInvalidValue;
  m.queues.queue(stream, [&m, to, value, bytes] {
    const AddressSpace::Open open(m.memory);
    std::memset(host(to), value, bytes);
  });
  return kSuccess;
}

// Any image will do: the kernels are in here.
BELAY_ENTRY cuModuleLoadData(ModuleHandle* module, const void* image) {
  BELAY_BEGIN(kAnswers, true);
  if (m.settings.module_result != kSuccess) return m.settings.module_result;
  if (image == nullptr) return 200;
  auto made = std::make_unique<char>();  // only its address counts
  *module = reinterpret_cast<ModuleHandle>(made.get());
  m.modules.emplace(*module, std::move(made));
  return kSuccess;
}

BELAY_ENTRY cuModuleUnload(ModuleHandle module) {
  BELAY_BEGIN(kAnswers, true);
  finish_all(m);
  if (m.modules.erase(module) == 0) return kInvalidHandle;
  return after_wait(m);
}

BELAY_ENTRY cuModuleGetFunction(FunctionHandle* function, ModuleHandle module, const char* name) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.modules.contains(module)) return kInvalidHandle;
  const belay::emulator::Kernel* kernel = belay::emulator::find_kernel(name);
  if (kernel == nullptr) return kNotFound;
  *function = reinterpret_cast<FunctionHandle>(const_cast<belay::emulator::Kernel*>(kernel));
  return kSuccess;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are the driver's
BELAY_ENTRY cuLaunchKernel(FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                           unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                           StreamHandle stream, void** parameters, void** extra) {
  BELAY_BEGIN(kQueues, true);
  const auto* kernel = reinterpret_cast<const belay::emulator::Kernel*>(function);
  constexpr unsigned kMostBlocks = 65535;  // along y and z
  constexpr unsigned kMostShared = 48U << 10U;
  const bool shaped = grid_x > 0 && grid_x <= 0x7fffffffU && grid_y > 0 && grid_y <= kMostBlocks &&
                      grid_z > 0 && grid_z <= kMostBlocks && block_x * block_y * block_z == kernel->threads;
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (!shaped || shared > kMostShared || parameters == nullptr || extra != nullptr) return kInvalidValue;
  Launch launch{kernel, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, {}};
  launch.params.resize((kernel->params_bytes + 7) / 8);
  std::memcpy(launch.params.data(), parameters[0], kernel->params_bytes);
  ++m.counts.launches;
  m.queues.queue(stream, [&m, launch = std::move(launch)] { do_launch(m, launch); });
  return kSuccess;
}

BELAY_ENTRY cuStreamCreate(StreamHandle* stream, unsigned) {
  BELAY_BEGIN(kAnswers, true);
  *stream = m.queues.make_stream();
  return kSuccess;
}

BELAY_ENTRY cuStreamDestroy_v2(StreamHandle stream) {
  BELAY_BEGIN(kAnswers, true);
  if (m.queues.knows(stream)) finish(m, stream);
  return m.queues.end(stream) ? after_wait(m) : kInvalidHandle;
}

BELAY_ENTRY cuStreamQuery(StreamHandle stream) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  if (m.queues.is_done(stream)) return kSuccess;
  if (!m.queues.asked_again(stream)) return kNotReady;
  finish(m, stream);
  return after_wait(m);
}

BELAY_ENTRY cuStreamSynchronize(StreamHandle stream) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.queues.knows(stream)) return kInvalidHandle;
  finish(m, stream);
  return after_wait(m);
}

BELAY_ENTRY cuStreamWaitEvent(StreamHandle stream, EventHandle event, unsigned) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream) || !m.queues.knows(event)) return kInvalidHandle;
  m.queues.wait(stream, event);
  return kSuccess;
}

BELAY_ENTRY cuEventCreate(EventHandle* event, unsigned) {
  BELAY_BEGIN(kAnswers, true);
  *event = m.queues.make_event();
  return kSuccess;
}

BELAY_ENTRY cuEventDestroy_v2(EventHandle event) {
  BELAY_BEGIN(kAnswers, true);
  return m.queues.end(event) ? kSuccess : kInvalidHandle;
}

BELAY_ENTRY cuEventRecord(EventHandle event, StreamHandle stream) {
  BELAY_BEGIN(kQueues, true);
  if (!m.queues.knows(stream) || !m.queues.knows(event)) return kInvalidHandle;
  m.queues.record(event, stream);
  return kSuccess;
}

BELAY_ENTRY cuEventQuery(EventHandle event) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.queues.knows(event)) return kInvalidHandle;
  if (m.queues.is_done(event)) return kSuccess;
  if (!m.queues.asked_again(event)) return kNotReady;
  finish(m, event);
  return after_wait(m);
}

BELAY_ENTRY cuEventSynchronize(EventHandle event) {
  BELAY_BEGIN(kAnswers, true);
  if (!m.queues.knows(event)) return kInvalidHandle;
  finish(m, event);
  return after_wait(m);
}

BELAY_ENTRY cuEventElapsedTime(float* milliseconds, EventHandle, EventHandle) {
  BELAY_BEGIN(kAnswers, true);
  *milliseconds = 0;
  return kSuccess;
}
// NOLINTEND(readability-identifier-naming,misc-definitions-in-headers)

namespace {

// Each entry point of the plugin's table is here, with the parameters that the plugin gives it.
#define BELAY_CUDA_ADDRESS(member, symbol, parameters) &(symbol),
[[maybe_unused]] constexpr Api kComplete = {BELAY_CUDA_ENTRIES(BELAY_CUDA_ADDRESS)};
#undef BELAY_CUDA_ADDRESS

}  // namespace
