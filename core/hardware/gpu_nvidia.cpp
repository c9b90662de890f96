// Asks NVIDIA's driver through its own API, by a handful of entry points; no CUDA header or toolkit is
// needed.
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/hardware/driver_symbol.hpp"
#include "core/hardware/gpu.hpp"
#include "core/hardware/gpu_copying.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/hardware/words.hpp"

#include <dlfcn.h>

#include <array>
#include <fstream>
#include <sstream>

namespace belay::hardware {
namespace {

// cuda.h: CUresult and CUdevice_attribute.
constexpr int kSuccess = 0;
constexpr int kInsufficientDriver = 35;
constexpr int kNoDevice = 100;
constexpr int kSystemDriverMismatch = 803;
constexpr int kCompatNotSupported = 804;
constexpr int kClockKhz = 13;
constexpr int kMultiprocessorCount = 16;
constexpr int kMemoryClockKhz = 36;
constexpr int kMemoryBusBits = 37;
constexpr int kComputeMajor = 75;
constexpr int kComputeMinor = 76;

struct Driver {
  int (*init)(unsigned flags) = nullptr;
  int (*version)(int* version) = nullptr;
  int (*count)(int* count) = nullptr;
  int (*name)(char* name, int capacity, int device) = nullptr;
  int (*attribute)(int* value, int attribute, int device) = nullptr;
  int (*total_memory)(std::size_t* bytes, int device) = nullptr;
  int (*retain_context)(void** context, int device) = nullptr;
  int (*set_context)(void* context) = nullptr;
  int (*memory_info)(std::size_t* free, std::size_t* total) = nullptr;
  int (*bus_id)(char* id, int capacity, int device) = nullptr;  // may be null
};

// The first entry point that the library lacks, or null.
const char* load_driver(void* library, Driver& driver) {
  if (!load(library, "cuInit", driver.init)) return "cuInit";
  if (!load(library, "cuDriverGetVersion", driver.version)) return "cuDriverGetVersion";
  if (!load(library, "cuDeviceGetCount", driver.count)) return "cuDeviceGetCount";
  if (!load(library, "cuDeviceGetName", driver.name)) return "cuDeviceGetName";
  if (!load(library, "cuDeviceGetAttribute", driver.attribute)) return "cuDeviceGetAttribute";
  if (!load(library, "cuDeviceTotalMem_v2", driver.total_memory)) return "cuDeviceTotalMem_v2";
  if (!load(library, "cuDevicePrimaryCtxRetain", driver.retain_context)) return "cuDevicePrimaryCtxRetain";
  if (!load(library, "cuCtxSetCurrent", driver.set_context)) return "cuCtxSetCurrent";
  if (!load(library, "cuMemGetInfo_v2", driver.memory_info)) return "cuMemGetInfo_v2";
  load(library, "cuDeviceGetPCIBusId", driver.bus_id);
  return nullptr;
}

// A positive attribute, or nothing: newer drivers answer 0 where they no longer tell.
Known<std::uint32_t> attribute(const Driver& driver, int which, int device) {
  int value = 0;
  if (driver.attribute(&value, which, device) != kSuccess || value <= 0) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

// "535.183.01" in "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 ...".
Known<std::string> kernel_driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  for (const std::string_view word : words(line)) {
    const auto parts = split(word, ".");
    if (parts.size() >= 2 && number(parts[0]) && number(parts[1])) return std::string(word);
  }
  return std::nullopt;
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// By the kernel: the driver's API does not tell.
Known<std::string> pcie_link(const Driver& driver, int device, const std::filesystem::path& pci_devices) {
  std::array<char, 32> id{};
  if (driver.bus_id == nullptr ||
      driver.bus_id(id.data(), static_cast<int>(id.size()) - 1, device) != kSuccess)
    return std::nullopt;
  for (char& letter : id) {  // the kernel writes its hexadecimal digits small
    if (letter >= 'A' && letter <= 'F') letter = static_cast<char>(letter - 'A' + 'a');
  }
  const std::filesystem::path folder = pci_devices / id.data();
  const std::string speed = first_line(folder / "current_link_speed");
  const std::string lanes = first_line(folder / "current_link_width");
  if (speed.empty() || !number(lanes)) return std::nullopt;
  return format("{} x{}", speed, lanes);
}

// Free memory needs a context on the device; without one (a busy exclusive device, no memory left) it stays
// unknown.
Known<std::uint64_t> free_memory(const Driver& driver, int device) {
  void* context = nullptr;
  std::size_t free = 0;
  std::size_t total = 0;
  if (driver.retain_context(&context, device) != kSuccess || driver.set_context(context) != kSuccess ||
      driver.memory_info(&free, &total) != kSuccess) {
    return std::nullopt;
  }
  return free;
}

// Volta (7.0) brought tensor cores; the GTX 16 family is Turing (7.5) without them.
bool has_tensor_cores(std::uint32_t major, const std::string& name) {
  return major >= 7 && name.find("GTX 16") == std::string::npos;
}

// Two transfers a clock, as CUDA's own deviceQuery counts.
Known<std::uint64_t> bandwidth_by_clock(const Driver& driver, int device) {
  const auto clock_khz = attribute(driver, kMemoryClockKhz, device);
  const auto bus_bits = attribute(driver, kMemoryBusBits, device);
  if (!clock_khz || !bus_bits) return std::nullopt;
  return std::uint64_t{2} * *clock_khz * 1000 * (*bus_bits / 8);
}

Known<std::uint32_t> megahertz(const Driver& driver, int which, int device) {
  const auto khz = attribute(driver, which, device);
  return khz ? Known<std::uint32_t>(*khz / 1000) : std::nullopt;
}

Gpu describe(const Driver& driver, const Copying& copying, int device,
             const std::filesystem::path& pci_devices) {
  Gpu gpu;
  gpu.vendor = "nvidia";
  gpu.driver = kernel_driver_version();
  std::array<char, 256> name{};
  if (driver.name(name.data(), static_cast<int>(name.size()) - 1, device) == kSuccess) gpu.name = name.data();
  const auto major = attribute(driver, kComputeMajor, device);
  int minor = 0;
  if (major && driver.attribute(&minor, kComputeMinor, device) == kSuccess && minor >= 0) {
    gpu.compute_capability = format("{}.{}", *major, minor);
    gpu.tensor_cores = has_tensor_cores(*major, gpu.name.value_or(""));
  }
  gpu.sm_count = attribute(driver, kMultiprocessorCount, device);
  gpu.sm_clock_max_mhz = megahertz(driver, kClockKhz, device);
  gpu.memory_clock_max_mhz = megahertz(driver, kMemoryClockKhz, device);
  std::size_t total = 0;
  if (driver.total_memory(&total, device) == kSuccess && total > 0) gpu.memory_bytes = total;
  gpu.memory_free_bytes = free_memory(driver, device);
  if (gpu.memory_free_bytes) gpu.bandwidth_bytes_per_s = copying.bandwidth(*gpu.memory_free_bytes);
  if (!gpu.bandwidth_bytes_per_s) gpu.bandwidth_bytes_per_s = bandwidth_by_clock(driver, device);
  gpu.pcie_link = pcie_link(driver, device, pci_devices);  // while it is awake
  return gpu;
}

void refuse(Profile& answer, std::string reason, std::string detail) {
  answer.gpu_reason = std::move(reason);
  answer.gpu_detail = std::move(detail);
}

void ask(const Driver& driver, const Copying& copying, const std::filesystem::path& pci_devices,
         Profile& answer) {
  const int started = driver.init(0);
  int version = 0;
  driver.version(&version);
  const std::string what = format("cuInit returned {}, the driver speaks CUDA {}.{}", started, version / 1000,
                                  version % 1000 / 10);
  if (started == kNoDevice) return refuse(answer, "NO_DEVICE", what);
  if (started == kInsufficientDriver || started == kSystemDriverMismatch || started == kCompatNotSupported) {
    return refuse(answer, "DRIVER_TOO_OLD", what);
  }
  if (started != kSuccess) return refuse(answer, "", what);
  int count = 0;
  if (const int code = driver.count(&count); code != kSuccess) {
    return refuse(answer, "", format("cuDeviceGetCount returned {}", code));
  }
  if (count == 0) return refuse(answer, "NO_DEVICE", "the driver reports no device");
  for (int device = 0; device < count; ++device)
    answer.gpus.push_back(describe(driver, copying, device, pci_devices));
}

}  // namespace

std::string describe_gpus(const std::string& library, const std::filesystem::path& pci_devices) {
  Profile answer;
  Driver driver;
  void* handle =
      ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open: drivers do not survive dlclose
  if (handle == nullptr) {
    const char* why = ::dlerror();
    refuse(answer, "NO_DRIVER", why != nullptr ? why : "the driver's library does not open");
  } else if (const char* missing = load_driver(handle, driver)) {
    refuse(answer, "DRIVER_TOO_OLD", format("{} has no {}", library, missing));
  } else {
    ask(driver, Copying(handle), pci_devices, answer);
  }
  return write_profile(answer);
}

}  // namespace belay::hardware
