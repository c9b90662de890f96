// A recorded machine: a folder below tests/fixtures/machines (its README says which files). Tests may change
// the answers before they probe.
#pragma once

#include "core/hardware/source.hpp"

#include <filesystem>
#include <map>
#include <utility>

namespace belay::hardware {

class FakeSource final : public Source {
 public:
  FakeSource() = default;  // knows nothing
  explicit FakeSource(const std::string& machine);

  [[nodiscard]] std::optional<CpuidRegisters> cpuid(std::uint32_t leaf, std::uint32_t subleaf) const override;
  [[nodiscard]] std::optional<std::uint64_t> xcr0() const override;
  [[nodiscard]] std::optional<std::string> read_file(const std::string& path) const override;
  [[nodiscard]] std::optional<std::vector<std::string>> list_folder(const std::string& path) const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  [[nodiscard]] std::optional<std::vector<std::uint32_t>> affinity() const override { return cpus; }
  [[nodiscard]] std::optional<Topology> topology() const override { return recorded_topology; }
  [[nodiscard]] std::optional<FolderFacts> folder(const std::string& path) const override;
  [[nodiscard]] Result<std::string> ask_gpus() const override;

  // The folders that the recording knows about.
  [[nodiscard]] std::vector<std::string> folder_names() const;

  std::map<std::pair<std::uint32_t, std::uint32_t>, CpuidRegisters> leaves;
  std::optional<std::uint64_t> state;
  std::map<std::string, std::string> files;  // stand before the recorded ones
  std::optional<std::vector<std::uint32_t>> cpus;
  std::optional<Topology> recorded_topology;
  std::map<std::string, FolderFacts> folders;
  std::optional<std::string> gpu_answer;
  std::string gpu_error = "no answer was recorded";
  mutable int gpu_questions = 0;
  mutable int xcr0_questions = 0;

 private:
  void read_cpuid(const std::string& text);
  void read_folders(const std::string& text);
  [[nodiscard]] std::filesystem::path recorded(std::string path) const;

  std::filesystem::path root_;
};

}  // namespace belay::hardware
