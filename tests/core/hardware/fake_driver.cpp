// A driver library that answers like NVIDIA's for two devices. The environment chooses what cuInit returns.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {
std::size_t copied = 0;  // bytes, since the time was told
int allocated = 0;
}  // namespace

// NOLINTBEGIN(readability-identifier-naming): the names are the driver's
extern "C" {
int cuInit(unsigned) {
  const char* mood = std::getenv("BELAY_FAKE_DRIVER_MOOD");
  return mood != nullptr && std::strncmp(mood, "init ", 5) == 0 ? std::atoi(mood + 5) : 0;
}
int cuDriverGetVersion(int* version) { return *version = 12020, 0; }
int cuDeviceGetCount(int* count) { return *count = 2, 0; }
int cuDeviceGetName(char* name, int capacity, int device) {
  std::strncpy(name, device == 0 ? "Fake GTX 1050" : "Fake GTX 1650", static_cast<std::size_t>(capacity));
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  switch (attribute) {
    case 13:
      return *value = 1493000, 0;
    case 16:
      return *value = device == 0 ? 5 : 14, 0;
    case 36:
      return *value = device == 0 ? 3504000 : 0, 0;
    case 37:
      return *value = 128, 0;
    case 75:
      return *value = device == 0 ? 6 : 7, 0;
    case 76:
      return *value = device == 0 ? 1 : 5, 0;
    default:
      return 1;
  }
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) { return *bytes = std::size_t{2} << 30U, 0; }
int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = nullptr, device == 0 ? 0 : 46; }
int cuCtxSetCurrent(void*) { return 0; }
int cuDeviceGetPCIBusId(char* id, int capacity, int) {
  std::strncpy(id, "0000:0A:00.0", static_cast<std::size_t>(capacity));
  return 0;
}
// Copies 1 MiB in 20 microseconds, and tells no time in the mood "timeless".
int cuMemAlloc_v2(std::uint64_t* address, std::size_t) { return *address = ++allocated, 0; }
int cuMemFree_v2(std::uint64_t) { return --allocated, 0; }
int cuMemcpyDtoDAsync_v2(std::uint64_t, std::uint64_t, std::size_t bytes, void*) {
  return copied += bytes, 0;
}
int cuEventCreate(void** event, unsigned) { return *event = &copied, 0; }
int cuEventDestroy_v2(void*) { return 0; }
int cuEventRecord(void*, void*) { return 0; }
int cuEventSynchronize(void*) { return 0; }
int cuEventElapsedTime(float* milliseconds, void*, void*) {
  const char* mood = std::getenv("BELAY_FAKE_DRIVER_MOOD");
  const bool timeless = mood != nullptr && std::strcmp(mood, "timeless") == 0;
  *milliseconds = timeless ? 0 : 0.02F * static_cast<float>(copied >> 20U);
  copied = 0;
  return 0;
}
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return *free = std::size_t{1} << 30U, *total = std::size_t{2} << 30U, 0;
}
}
// NOLINTEND(readability-identifier-naming)
