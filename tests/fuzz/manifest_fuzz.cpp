// Any bytes as a manifest: no crash, no hang, and always either a manifest or a reason. What parses is
// matched with a machine as well, so that the requirements see hostile values.
#include "core/manifest/cross_check.hpp"
#include "core/manifest/parse.hpp"
#include "core/manifest/requirement.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void must(bool condition) {
  if (!condition) std::abort();  // what libFuzzer reports as a finding
}

belay::hardware::Profile machine() {
  belay::hardware::Profile profile;
  profile.cpu.arch = "x86_64";
  profile.cpu.isa = {"avx2", "fma"};
  profile.memory.total_bytes = std::uint64_t{1} << 33U;
  profile.gpus.resize(2);
  profile.gpus[0].vendor = "nvidia";
  profile.gpus[0].compute_capability = "6.1";
  profile.gpus[0].driver = "535.183";
  profile.gpus[0].memory_bytes = std::uint64_t{1} << 31U;
  profile.storage.push_back({"/", "nvme", {}, {}, std::uint64_t{1} << 30U});
  return profile;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay::manifest;  // NOLINT(google-build-using-namespace)
  static const belay::hardware::Profile profile = machine();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Parsed strict = parse_manifest(text, "strict.toml", true);
  Parsed parsed = parse_manifest(text, "input.toml", false);
  must(parsed.manifest.has_value() || parsed.refusal.has_value());
  must(!strict.manifest.has_value() || parsed.manifest.has_value());
  must(strict.diagnostics.size() == parsed.diagnostics.size());
  for (const Diagnostic& diagnostic : parsed.diagnostics) must(!diagnostic.text("input.toml").empty());
  if (!parsed.manifest) return 0;
  for (const belay::Refusal& refusal : unmet(*parsed.manifest, profile)) must(!refusal.detail.empty());
  const std::array<Manifest, 2> twice = {*parsed.manifest, *parsed.manifest};
  must(cross_check(twice).size() >= 1);
  return 0;
}
