#include "plugins/cuda_sm61/driver/driver.hpp"

#include <belay/cpp/guard.hpp>

#include <dlfcn.h>

namespace belay::cuda {
namespace {

// The first entry point that the library lacks, or null.
const char* load_entries(void* library, Api& api) {
#define BELAY_CUDA_LOAD(member, symbol, parameters)                               \
  api.member = reinterpret_cast<decltype(api.member)>(::dlsym(library, #symbol)); \
  if (api.member == nullptr) return #symbol;
  BELAY_CUDA_ENTRIES(BELAY_CUDA_LOAD)
#undef BELAY_CUDA_LOAD
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
