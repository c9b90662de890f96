#include "plugins/cuda_sm61/driver/driver.hpp"

#include <belay/cpp/guard.hpp>

#include <dlfcn.h>

#include <cstring>

namespace belay::cuda {
namespace {

// The first entry point that the library lacks, or null.
const char* load_entries(void* library, Api& api) {
  struct Entry {
    const char* symbol;
    void* place;  // of a pointer in the table
  };
#define BELAY_CUDA_ENTRY(member, symbol, parameters) {#symbol, &api.member},
  const Entry entries[] = {BELAY_CUDA_ENTRIES(BELAY_CUDA_ENTRY)};
#undef BELAY_CUDA_ENTRY
  for (const Entry& entry : entries) {
    void* const found = ::dlsym(library, entry.symbol);
    if (found == nullptr) return entry.symbol;
    std::memcpy(entry.place, &found, sizeof found);  // POSIX: functions have the size of data pointers
  }
  return nullptr;
}

}  // namespace

Driver::Driver(const char* library) {
  void* opened = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    const char* why = ::dlerror();
    throw sdk::Error(BELAY_NO_DRIVER, "no NVIDIA driver: %s", why != nullptr ? why : library);
  }
  if (const char* missing = load_entries(opened, api_); missing != nullptr) {
    throw sdk::Error(BELAY_DRIVER_TOO_OLD, "the NVIDIA driver is too old: its %s lacks %s", library, missing);
  }
  require(call(&Api::init, 0U), "starting the driver");
  require(call(&Api::driver_version, &version_), "asking the driver's version");
}

}  // namespace belay::cuda
