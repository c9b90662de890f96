// The slice of the CUDA driver API that the plugin calls, as a table of entry points. Own declarations, so
// that nothing of NVIDIA's is needed to build: the binary interface of an entry point is fixed by its name,
// the suffix included.
#pragma once

#include <cstddef>
#include <cstdint>

namespace belay::cuda {

using Result = int;                   // CUresult
using DeviceNumber = int;             // CUdevice
using DevicePointer = std::uint64_t;  // CUdeviceptr: an address on the device, never dereferenced here

using ContextHandle = struct ContextTag*;
using ModuleHandle = struct ModuleTag*;
using FunctionHandle = struct FunctionTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;

// X(member, symbol, parameters)
#define BELAY_CUDA_ENTRIES(X)                                                                               \
  X(init, cuInit, (unsigned flags))                                                                         \
  X(driver_version, cuDriverGetVersion, (int* version))                                                     \
  X(device_count, cuDeviceGetCount, (int* count))                                                           \
  X(device, cuDeviceGet, (DeviceNumber * device, int ordinal))                                              \
  X(device_name, cuDeviceGetName, (char* name, int capacity, DeviceNumber device))                          \
  X(device_bus_id, cuDeviceGetPCIBusId, (char* id, int capacity, DeviceNumber device))                      \
  X(device_attribute, cuDeviceGetAttribute, (int* value, int attribute, DeviceNumber device))               \
  X(device_memory, cuDeviceTotalMem_v2, (std::size_t * bytes, DeviceNumber device))                         \
  X(retain_context, cuDevicePrimaryCtxRetain, (ContextHandle * context, DeviceNumber device))               \
  X(release_context, cuDevicePrimaryCtxRelease_v2, (DeviceNumber device))                                   \
  X(set_context, cuCtxSetCurrent, (ContextHandle context))                                                  \
  X(memory_info, cuMemGetInfo_v2, (std::size_t * free, std::size_t * total))                                \
  X(allocate, cuMemAlloc_v2, (DevicePointer * address, std::size_t bytes))                                  \
  X(free, cuMemFree_v2, (DevicePointer address))                                                            \
  X(allocate_host, cuMemHostAlloc, (void** memory, std::size_t bytes, unsigned flags))                      \
  X(free_host, cuMemFreeHost, (void* memory))                                                               \
  X(register_host, cuMemHostRegister_v2, (void* memory, std::size_t bytes, unsigned flags))                 \
  X(unregister_host, cuMemHostUnregister, (void* memory))                                                   \
  X(copy_to_device, cuMemcpyHtoDAsync_v2,                                                                   \
    (DevicePointer to, const void* from, std::size_t bytes, StreamHandle stream))                           \
  X(copy_to_host, cuMemcpyDtoHAsync_v2,                                                                     \
    (void* to, DevicePointer from, std::size_t bytes, StreamHandle stream))                                 \
  X(copy_on_device, cuMemcpyDtoDAsync_v2,                                                                   \
    (DevicePointer to, DevicePointer from, std::size_t bytes, StreamHandle stream))                         \
  X(fill, cuMemsetD8Async, (DevicePointer to, unsigned char value, std::size_t bytes, StreamHandle stream)) \
  X(load_module, cuModuleLoadData, (ModuleHandle * module, const void* image))                              \
  X(unload_module, cuModuleUnload, (ModuleHandle module))                                                   \
  X(find_function, cuModuleGetFunction, (FunctionHandle * function, ModuleHandle module, const char* name)) \
  X(launch, cuLaunchKernel,                                                                                 \
    (FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,          \
     unsigned block_y, unsigned block_z, unsigned shared_bytes, StreamHandle stream, void** parameters,     \
     void** extra))                                                                                         \
  X(create_stream, cuStreamCreate, (StreamHandle * stream, unsigned flags))                                 \
  X(destroy_stream, cuStreamDestroy_v2, (StreamHandle stream))                                              \
  X(query_stream, cuStreamQuery, (StreamHandle stream))                                                     \
  X(finish_stream, cuStreamSynchronize, (StreamHandle stream))                                              \
  X(wait_in_stream, cuStreamWaitEvent, (StreamHandle stream, EventHandle event, unsigned flags))            \
  X(create_event, cuEventCreate, (EventHandle * event, unsigned flags))                                     \
  X(destroy_event, cuEventDestroy_v2, (EventHandle event))                                                  \
  X(record_event, cuEventRecord, (EventHandle event, StreamHandle stream))                                  \
  X(query_event, cuEventQuery, (EventHandle event))                                                         \
  X(finish_event, cuEventSynchronize, (EventHandle event))                                                  \
  X(event_time, cuEventElapsedTime, (float* milliseconds, EventHandle from, EventHandle to))

struct Api {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration
#define BELAY_CUDA_MEMBER(member, symbol, parameters) Result(*member) parameters;
  BELAY_CUDA_ENTRIES(BELAY_CUDA_MEMBER)
#undef BELAY_CUDA_MEMBER
};

// CUdevice_attribute
enum Attribute : int {
  kClockKhz = 13,
  kMultiprocessors = 16,
  kRunTimeLimit = 17,  // a watchdog ends kernels that run for seconds: a display hangs on the device
  kComputeMode = 20,
  kMemoryClockKhz = 36,
  kMemoryBusBits = 37,
  kComputeMajor = 75,
  kComputeMinor = 76,
};
inline constexpr int kComputeModeProhibited = 2;

inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventWithoutTiming = 2;
inline constexpr unsigned kHostPortable = 1;  // pinned for every context of the process

}  // namespace belay::cuda
