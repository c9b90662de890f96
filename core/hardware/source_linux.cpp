#include "core/hardware/source_linux.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/hardware/native_cpu.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>

namespace belay::hardware {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4}
                                        << 20U;  // mountinfo of a busy container host: some 100 KiB

struct FreeCpuSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

// The affinity mask in a set for `count` CPUs, or errno in `error`.
std::optional<std::vector<std::uint32_t>> affinity_of(std::size_t count, int& error) {
  const std::unique_ptr<cpu_set_t, FreeCpuSet> set(CPU_ALLOC(count));
  const std::size_t bytes = CPU_ALLOC_SIZE(count);
  if (set == nullptr) return std::nullopt;
  CPU_ZERO_S(bytes, set.get());
  if (::sched_getaffinity(0, bytes, set.get()) != 0) {
    error = errno;
    return std::nullopt;
  }
  std::vector<std::uint32_t> cpus;
  for (std::size_t cpu = 0; cpu < count; ++cpu) {
    if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(static_cast<std::uint32_t>(cpu));
  }
  return cpus;
}

}  // namespace

std::optional<CpuidRegisters> RealSource::cpuid(std::uint32_t leaf, std::uint32_t subleaf) const {
  return native_cpuid(leaf, subleaf);
}

std::optional<std::uint64_t> RealSource::xcr0() const { return native_xcr0(); }

std::optional<std::string> RealSource::read_file(const std::string& path) const {
  auto text = belay::read_file(path, kMaxFileBytes);
  if (!text.ok()) return std::nullopt;
  return std::move(text).value();
}

std::optional<std::vector<std::string>> RealSource::list_folder(const std::string& path) const {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return std::nullopt;
  return names;
}

bool RealSource::exists(const std::string& path) const { return ::access(path.c_str(), F_OK) == 0; }

std::optional<std::vector<std::uint32_t>> RealSource::affinity() const {
  // The kernel refuses a set that is smaller than its own.
  for (std::size_t count = 1024; count <= 65536; count *= 4) {
    int error = 0;
    auto cpus = affinity_of(count, error);
    if (cpus && !cpus->empty()) return cpus;
    if (error != EINVAL) break;
  }
  return std::nullopt;
}

std::optional<Topology> RealSource::topology() const { return read_topology(); }

std::optional<FolderFacts> RealSource::folder(const std::string& path) const {
  struct stat status = {};
  struct statfs filesystem = {};
  if (::stat(path.c_str(), &status) != 0 || ::statfs(path.c_str(), &filesystem) != 0) return std::nullopt;
  FolderFacts facts;
  facts.device_major = major(status.st_dev);
  facts.device_minor = minor(status.st_dev);
  facts.filesystem_magic = static_cast<std::uint32_t>(filesystem.f_type);
  facts.block_bytes = filesystem.f_bsize > 0 ? static_cast<std::uint64_t>(filesystem.f_bsize) : 0;
  const std::uint64_t fragment =
      filesystem.f_frsize > 0 ? static_cast<std::uint64_t>(filesystem.f_frsize) : facts.block_bytes;
  if (__builtin_mul_overflow(std::uint64_t{filesystem.f_bavail}, fragment, &facts.free_bytes))
    facts.free_bytes = 0;
  return facts;
}

Result<std::string> RealSource::ask_gpus() const {
  if (gpu_child_.launcher.program.empty()) {
    return fail(ErrorCode::kGeneral, "no child process was set up to ask the GPU driver");
  }
  ChildRequest request;
  request.argv = gpu_child_.launcher.prefix;
  request.argv.push_back(gpu_child_.launcher.program);
  request.argv.insert(request.argv.end(), gpu_child_.arguments.begin(), gpu_child_.arguments.end());
  request.environment = gpu_child_.launcher.environment;
  request.timeout = gpu_child_.timeout;
  const ChildResult result = run_child(request);
  switch (result.end) {
    case ChildResult::End::kExited:
      if (result.code == 0) return result.output;
      return fail(ErrorCode::kGeneral, "the process that asks the GPU driver ended with status {}: {}",
                  result.code, printable(result.errors));
    case ChildResult::End::kSignalled:
      return fail(ErrorCode::kGeneral, "the process that asks the GPU driver was killed by signal {}",
                  result.code);
    case ChildResult::End::kTimedOut:
      return fail(ErrorCode::kGeneral, "the GPU driver did not answer within {} ms",
                  gpu_child_.timeout.count());
    case ChildResult::End::kNotStarted:
      return fail(ErrorCode::kGeneral, "the process that asks the GPU driver did not start (errno {})",
                  result.code);
  }
  return fail(ErrorCode::kGeneral, "the GPU driver was not asked");
}

}  // namespace belay::hardware
