// The seam between the probe and the machine: every fact that probe() uses comes through a Source. RealSource
// asks the machine it runs on; tests give recorded machines. All answers may be missing, and nothing here
// throws.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::hardware {

struct CpuidRegisters {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
};

// What statfs and stat say about a folder.
struct FolderFacts {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t filesystem_magic = 0;  // statfs f_type
  std::uint64_t block_bytes = 0;       // of the file system
  std::uint64_t free_bytes = 0;        // for an ordinary user
};

class Source {
 public:
  virtual ~Source() = default;

  // Nothing when the leaf is beyond the CPU's highest, or the CPU is not an x86.
  [[nodiscard]] virtual std::optional<CpuidRegisters> cpuid(std::uint32_t leaf,
                                                            std::uint32_t subleaf) const = 0;
  // The state that the operating system saves. Only to be asked when CPUID reports OSXSAVE: XGETBV faults
  // otherwise.
  [[nodiscard]] virtual std::optional<std::uint64_t> xcr0() const = 0;
  // Whole small files under /proc and /sys.
  [[nodiscard]] virtual std::optional<std::string> read_file(const std::string& path) const = 0;
  [[nodiscard]] virtual std::optional<std::vector<std::string>> list_folder(
      const std::string& path) const = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
  // The CPUs on which this process may run, ascending.
  [[nodiscard]] virtual std::optional<std::vector<std::uint32_t>> affinity() const = 0;
  [[nodiscard]] virtual std::optional<Topology> topology() const = 0;
  [[nodiscard]] virtual std::optional<FolderFacts> folder(const std::string& path) const = 0;
  // What describe_gpus() says in a child process, or why the child gave no answer.
  [[nodiscard]] virtual Result<std::string> ask_gpus() const = 0;

 protected:
  Source() = default;
  Source(const Source&) = default;
  Source& operator=(const Source&) = default;
};

}  // namespace belay::hardware
