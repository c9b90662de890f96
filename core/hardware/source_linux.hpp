// The machine that this process runs on.
#pragma once

#include "core/base/child_process.hpp"
#include "core/hardware/source.hpp"

namespace belay::hardware {

// How the GPUs are asked: this program again, with arguments that make it print describe_gpus() and end.
// Libraries of GPU drivers are never opened in this process.
struct GpuChild {
  SelfLauncher launcher;
  std::vector<std::string> arguments;
  std::chrono::milliseconds timeout{10000};
};

class RealSource final : public Source {
 public:
  RealSource() = default;  // answers no question about GPUs
  explicit RealSource(GpuChild gpu_child) : gpu_child_(std::move(gpu_child)) {}

  [[nodiscard]] std::optional<CpuidRegisters> cpuid(std::uint32_t leaf, std::uint32_t subleaf) const override;
  [[nodiscard]] std::optional<std::uint64_t> xcr0() const override;
  [[nodiscard]] std::optional<std::string> read_file(const std::string& path) const override;
  [[nodiscard]] std::optional<std::vector<std::string>> list_folder(const std::string& path) const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  [[nodiscard]] std::optional<std::vector<std::uint32_t>> affinity() const override;
  [[nodiscard]] std::optional<Topology> topology() const override;
  [[nodiscard]] std::optional<FolderFacts> folder(const std::string& path) const override;
  [[nodiscard]] Result<std::string> ask_gpus() const override;

 private:
  GpuChild gpu_child_;
};

}  // namespace belay::hardware
