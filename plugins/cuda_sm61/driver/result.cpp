#include "plugins/cuda_sm61/driver/result.hpp"

#include <belay/cpp/guard.hpp>

#include <algorithm>
#include <iterator>

namespace belay::cuda {
namespace {

struct Known {
  Result result;
  belay_status_t status;
  bool sticky;
  const char* name;
};

// cuda.h, CUresult.
constexpr Known kKnown[] = {
    {kInvalidValue, BELAY_INTERNAL, false, "invalid value"},
    {kOutOfMemory, BELAY_OOM_DEVICE, false, "out of memory"},
    {3, BELAY_INTERNAL, false, "not initialised"},
    {4, BELAY_DEVICE_LOST, true, "the driver is shutting down"},
    {34, BELAY_NO_DRIVER, false, "libcuda.so.1 is a stub"},
    {46, BELAY_DEVICE_BUSY, false, "the device is in exclusive use by somebody else"},
    {kNoDevice, BELAY_NO_DEVICE, false, "no CUDA device"},
    {101, BELAY_NO_DEVICE, false, "invalid device"},
    {200, BELAY_NO_KERNEL_IMAGE, false, "invalid image"},
    {201, BELAY_DEVICE_LOST, true, "invalid context"},
    {209, BELAY_NO_KERNEL_IMAGE, false, "no kernel image for this device"},
    {214, BELAY_DEVICE_LOST, true, "uncorrectable ECC error"},
    {216, BELAY_DEVICE_BUSY, false, "the context is in use"},
    {218, BELAY_NO_KERNEL_IMAGE, false, "invalid PTX"},
    {219, BELAY_DEVICE_LOST, true, "uncorrectable NVLink error"},
    {221, BELAY_NO_KERNEL_IMAGE, false, "the driver has no compiler for PTX"},
    {222, BELAY_DRIVER_TOO_OLD, false, "the driver does not know this version of PTX"},
    {223, BELAY_NO_KERNEL_IMAGE, false, "compiling PTX is switched off"},
    {301, BELAY_INTERNAL, false, "file not found"},
    {400, BELAY_INTERNAL, false, "invalid handle"},
    {500, BELAY_NO_KERNEL_IMAGE, false, "not found"},
    {kNotReady, BELAY_INTERNAL, false, "not ready"},
    {700, BELAY_DEVICE_LOST, true, "illegal address"},
    {701, BELAY_INTERNAL, false, "launch out of resources"},
    {702, BELAY_DEVICE_LOST, true, "a kernel ran into the watchdog"},
    {709, BELAY_DEVICE_LOST, true, "the context is destroyed"},
    {710, BELAY_DEVICE_LOST, true, "device assertion"},
    {712, BELAY_INTERNAL, false, "the memory is registered already"},
    {713, BELAY_INTERNAL, false, "the memory is not registered"},
    {714, BELAY_DEVICE_LOST, true, "hardware stack error"},
    {715, BELAY_DEVICE_LOST, true, "illegal instruction"},
    {716, BELAY_DEVICE_LOST, true, "misaligned address"},
    {717, BELAY_DEVICE_LOST, true, "invalid address space"},
    {718, BELAY_DEVICE_LOST, true, "invalid program counter"},
    {719, BELAY_DEVICE_LOST, true, "launch failed"},
    {721, BELAY_DEVICE_LOST, true, "tensor memory leak"},
    {801, BELAY_INTERNAL, false, "not supported"},
    {802, BELAY_DEVICE_BUSY, false, "the system is not ready"},
    {803, BELAY_DRIVER_TOO_OLD, false, "libcuda.so.1 and the kernel's driver are of different versions"},
    {804, BELAY_DRIVER_TOO_OLD, false, "the driver does not support this device with this libcuda.so.1"},
};

const Known* find(Result result) {
  const auto* found =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return k.result == result; });
  return found == std::end(kKnown) ? nullptr : found;
}

}  // namespace

bool is_sticky(Result result) {
  const Known* known = find(result);
  return known != nullptr && known->sticky;
}

belay_status_t status_of(Result result) {
  if (result == kSuccess) return BELAY_OK;
  const Known* known = find(result);
  return known != nullptr ? known->status : BELAY_INTERNAL;
}

const char* name_of(Result result) {
  const Known* known = find(result);
  return known != nullptr ? known->name : "unknown error";
}

belay_status_t fail(belay_error_t* error, Result result, const char* what) {
  const belay_status_t status =
      sdk::fail(error, status_of(result), "%s: CUDA error %d, %s", what, result, name_of(result));
  if (error != nullptr && error->struct_size >= sizeof *error) error->native_code = result;
  return status;
}

void require(Result result, const char* what) {
  if (result == kSuccess) return;
  throw sdk::Error(status_of(result), "%s: CUDA error %d, %s", what, result, name_of(result))
      .with_native(result);
}

}  // namespace belay::cuda
