// What a machine is, as plain data. Made by probe() from the real machine, or read from a TOML file for
// another one. An absent value is "unknown": it is shown as null and satisfies no requirement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::hardware {

template <class T>
using Known = std::optional<T>;

// One logical CPU that this process may use.
struct LogicalCpu {
  std::uint32_t os_index = 0;    // the number that affinity masks use
  std::uint32_t core = 0;        // its physical core, numbered from 0
  std::uint32_t thread = 0;      // 0 for the first hyper-thread of the core that may be used
  bool efficiency_core = false;  // a slow core of a hybrid CPU
};

struct Cpu {
  std::string arch;           // "x86_64"; the running build's when unknown
  Known<std::string> vendor;  // "GenuineIntel"
  Known<std::string> model;   // brand string
  Known<std::uint32_t> physical_cores;
  Known<std::uint32_t> logical_cpus;
  Known<std::uint32_t> usable_cpus;  // by affinity and cgroup quota: how many threads run at once
  Known<std::uint64_t> l1d_bytes;    // of one core
  Known<std::uint64_t> l2_bytes;     // of one core
  Known<std::uint64_t> l3_bytes;     // as one core sees it
  // Features that the CPU has and the operating system enables, by GCC's names ("sse4.1", "avx2"), sorted,
  // and the psABI levels that they add up to ("x86-64-v2").
  Known<std::vector<std::string>> isa;
  std::vector<LogicalCpu> allowed;  // in the order in which threads should be placed; empty: unknown
};

struct Memory {
  Known<std::uint64_t> total_bytes;
  Known<std::uint64_t> available_bytes;
  Known<std::uint64_t> limit_bytes;  // of the cgroup; absent when there is none
};

struct Gpu {
  Known<std::string> name;
  Known<std::string> vendor;              // "nvidia"
  Known<std::string> compute_capability;  // "6.1"
  Known<std::uint64_t> memory_bytes;
  Known<std::uint64_t> memory_free_bytes;
  Known<std::uint64_t> bandwidth_bytes_per_s;  // measured, or by clock and bus where nothing could be
  Known<bool> tensor_cores;
  Known<std::uint32_t> sm_count;
  Known<std::uint32_t> sm_clock_max_mhz;
  Known<std::uint32_t> memory_clock_max_mhz;
  // "8.0 GT/s PCIe x4", as it is now; slower while the device has nothing to do.
  Known<std::string> pcie_link;
  Known<std::string> driver;  // "535.183"
};

struct Storage {
  std::string path;         // a folder on it
  Known<std::string> kind;  // "nvme", "ssd", "hdd", "virtual", "network", "memory"
  Known<std::uint64_t> block_bytes;
  Known<std::uint64_t> free_bytes;
  Known<std::uint64_t> read_bytes_per_s;  // measured
};

struct Profile {
  std::string os = "linux";
  Cpu cpu;
  Memory memory;
  std::vector<Gpu> gpus;
  // Why there are no usable GPUs, when that is known: "NO_DRIVER", "NO_DEVICE", "DRIVER_TOO_OLD"; else empty.
  std::string gpu_reason;
  std::string gpu_detail;
  std::vector<Storage> storage;
};

}  // namespace belay::hardware
