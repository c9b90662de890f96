#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/manifest/requirement.hpp"

#include <functional>

namespace belay::manifest {
namespace {

using hardware::Gpu;

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

enum class Answer { kYes, kNo, kUnknown };

std::string shown(const std::optional<std::string>& fact) { return fact ? printable(*fact, 60) : "unknown"; }

Answer in_range(const std::optional<std::string>& fact, const VersionRange& range,
                const std::optional<Version>& at_least = {}) {
  if (range.any()) return Answer::kYes;
  const auto version = fact ? parse_version(*fact) : std::nullopt;
  if (!version) return Answer::kUnknown;
  return range.contains(*version) || (at_least && *version >= *at_least) ? Answer::kYes : Answer::kNo;
}

Answer vendor_fits(const Gpu& gpu, const GpuRequirement& needed) {
  if (!needed.vendor) return Answer::kYes;
  if (gpu.vendor) return *gpu.vendor == *needed.vendor ? Answer::kYes : Answer::kNo;
  if (!gpu.compute_capability) return Answer::kUnknown;
  return *needed.vendor == "nvidia" ? Answer::kYes : Answer::kNo;  // only NVIDIA's devices have one
}

Answer memory_fits(const Gpu& gpu, const GpuRequirement& needed) {
  if (needed.memory_mib == 0) return Answer::kYes;
  if (!gpu.memory_bytes) return Answer::kUnknown;
  return *gpu.memory_bytes / kMib >= needed.memory_mib ? Answer::kYes : Answer::kNo;
}

// One question about every device that is still in the race.
struct Question {
  std::string_view reason;  // when too few say yes
  std::string needed;
  std::function<Answer(const Gpu&)> ask;
  std::function<std::string(const Gpu&)> evidence;
};

std::vector<Question> questions(const GpuRequirement& needed) {
  const std::string ptx =
      needed.ptx ? format(" (or {} and above by compiling its PTX)", needed.ptx->text()) : "";
  return {
      {reason::kNoDevice, format("a GPU of {}", needed.vendor.value_or("any vendor")),
       [&](const Gpu& gpu) { return vendor_fits(gpu, needed); },
       [](const Gpu& gpu) { return "vendor " + shown(gpu.vendor); }},
      {reason::kComputeCapability, format("compute capability {}{}", needed.compute_capability.text(), ptx),
       [&](const Gpu& gpu) {
         return in_range(gpu.compute_capability, needed.compute_capability, needed.ptx);
       },
       [](const Gpu& gpu) { return "compute capability " + shown(gpu.compute_capability); }},
      {reason::kDriverTooOld, format("a driver {}", needed.driver.text()),
       [&](const Gpu& gpu) { return in_range(gpu.driver, needed.driver); },
       [](const Gpu& gpu) { return "driver " + shown(gpu.driver); }},
      {reason::kDeviceMemory, format("{} MiB of device memory", needed.memory_mib),
       [&](const Gpu& gpu) { return memory_fits(gpu, needed); },
       [](const Gpu& gpu) {
         return gpu.memory_bytes ? format("{} MiB", *gpu.memory_bytes / kMib) : std::string("memory unknown");
       }},
  };
}

Shortfall no_gpus(const hardware::Profile& profile) {
  const std::string detail = printable(profile.gpu_detail, 400);
  for (const std::string_view known : {reason::kNoDriver, reason::kNoDevice, reason::kDriverTooOld}) {
    if (profile.gpu_reason == known)
      return {known, detail.empty() ? "this machine has no usable GPU" : detail};
  }
  return {reason::kUnknownFact,
          "whether this machine has a GPU is unknown" + (detail.empty() ? "" : ": " + detail)};
}

}  // namespace

std::optional<Shortfall> missing_gpu(const GpuRequirement& needed, const hardware::Profile& profile) {
  if (needed.count == 0) return std::nullopt;
  if (profile.gpus.empty()) return no_gpus(profile);
  std::vector<Gpu> left = profile.gpus;
  for (const Question& question : questions(needed)) {
    std::vector<Gpu> yes;
    bool unknown = false;
    std::string evidence;
    for (const Gpu& gpu : left) {
      const Answer answer = question.ask(gpu);
      if (answer == Answer::kYes) {
        yes.push_back(gpu);
        continue;
      }
      unknown = unknown || answer == Answer::kUnknown;
      evidence +=
          format("{}{} has {}", evidence.empty() ? "" : ", ", shown(gpu.name), question.evidence(gpu));
    }
    if (yes.size() < needed.count) {
      if (evidence.empty()) evidence = format("this machine has {} such", yes.size());
      return Shortfall{unknown ? reason::kUnknownFact : question.reason,
                       format("it needs {} with {}; {}", needed.count, question.needed, evidence)};
    }
    left = std::move(yes);
  }
  return std::nullopt;
}

}  // namespace belay::manifest
