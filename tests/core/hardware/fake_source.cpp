#include "tests/core/hardware/fake_source.hpp"

#include "core/base/mapped_file.hpp"

#include <algorithm>
#include <sstream>

namespace belay::hardware {
namespace {

std::optional<std::string> read(const std::filesystem::path& path) {
  auto text = belay::read_file(path, 1U << 20U);
  if (!text.ok()) return std::nullopt;
  return std::move(text).value();
}

}  // namespace

FakeSource::FakeSource(const std::string& machine) : root_(std::filesystem::path(BELAY_MACHINES) / machine) {
  read_cpuid(read(root_ / "cpuid.txt").value_or(""));
  read_folders(read(root_ / "folders.txt").value_or(""));
  if (const auto text = read(root_ / "affinity.txt")) {
    std::istringstream in(*text);
    cpus.emplace();
    for (std::uint32_t cpu = 0; in >> cpu;) cpus->push_back(cpu);
  }
  if (const auto xml = read(root_ / "topology.xml")) recorded_topology = read_topology_xml(*xml);
  gpu_answer = read(root_ / "gpus.toml");
  if (auto error = read(root_ / "gpu_error.txt")) gpu_error = error->substr(0, error->find('\n'));
}

void FakeSource::read_cpuid(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    if (line.starts_with("#")) continue;
    if (line.starts_with("xcr0 ")) {
      state = std::stoull(line.substr(5), nullptr, 16);
      continue;
    }
    std::uint32_t leaf = 0;
    std::uint32_t subleaf = 0;
    CpuidRegisters registers;
    in >> std::hex >> leaf >> subleaf >> registers.eax >> registers.ebx >> registers.ecx >> registers.edx;
    leaves[{leaf, subleaf}] = registers;
  }
}

void FakeSource::read_folders(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream in(line);
    std::string path;
    std::string magic;
    FolderFacts facts;
    in >> path >> facts.device_major >> facts.device_minor >> magic >> facts.block_bytes >> facts.free_bytes;
    facts.filesystem_magic = std::stoull(magic, nullptr, 16);
    folders[path] = facts;
  }
}

std::filesystem::path FakeSource::recorded(std::string path) const {
  if (root_.empty()) return {};
  std::replace(path.begin(), path.end(), ':', '_');
  return root_ / ("files" + path);
}

std::optional<CpuidRegisters> FakeSource::cpuid(std::uint32_t leaf, std::uint32_t subleaf) const {
  const auto found = leaves.find({leaf, subleaf});
  return found == leaves.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> FakeSource::xcr0() const {
  ++xcr0_questions;
  return state;
}

std::optional<std::string> FakeSource::read_file(const std::string& path) const {
  const auto found = files.find(path);
  return found != files.end() ? std::optional(found->second) : read(recorded(path));
}

std::optional<std::vector<std::string>> FakeSource::list_folder(const std::string& path) const {
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(recorded(path), error)) {
    names.push_back(entry.path().filename().string());
  }
  if (error) return std::nullopt;
  return names;
}

bool FakeSource::exists(const std::string& path) const {
  return files.contains(path) || (!root_.empty() && std::filesystem::exists(recorded(path)));
}

std::optional<FolderFacts> FakeSource::folder(const std::string& path) const {
  const auto found = folders.find(path);
  return found == folders.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> FakeSource::ask_gpus() const {
  ++gpu_questions;
  if (gpu_answer) return *gpu_answer;
  return Error{ErrorCode::kGeneral, gpu_error};
}

std::vector<std::string> FakeSource::folder_names() const {
  std::vector<std::string> names;
  for (const auto& [name, facts] : folders) names.push_back(name);
  return names;
}

}  // namespace belay::hardware
