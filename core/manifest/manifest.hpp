// What a plugin claims and needs: one manifest, as plain data. Fields and defaults: manifests/README.md.
#pragma once

#include "core/base/dtype.hpp"
#include "core/manifest/version.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace belay::manifest {

// "id [range]" of requires.plugins.
struct PluginRef {
  std::string id;
  VersionRange versions;  // empty: any
};

struct GpuRequirement {
  std::optional<std::string> vendor;  // absent: any
  VersionRange compute_capability;
  VersionRange driver;
  std::optional<Version> ptx;  // level of the embedded PTX
  std::uint64_t memory_mib = 0;
  std::uint64_t count = 1;
};

struct StorageRequirement {
  bool nvme = false;
  std::uint64_t min_read_mib_s = 0;
};

struct Requires {
  std::vector<PluginRef> plugins;
  std::vector<std::vector<PluginRef>> any_of;
  std::vector<std::string> os;
  std::vector<std::string> cpu_arch;
  std::vector<std::string> cpu_features;
  std::optional<GpuRequirement> gpu;
  std::uint64_t host_mib = 0;
  std::optional<StorageRequirement> storage;
};

struct Conflict {
  std::string target;  // an id, "slot:name" or "provides:op"
  VersionRange versions;
  std::string reason;
};

struct Synergy {
  std::vector<std::string> with;
  std::int64_t gain_permille = 0;  // gain * 1000 - 1000: 1.30 is 300
  std::string reason;
};

// An advertisement: supports() of the plugin decides.
struct Provides {
  std::string op;  // "belay.linear/1"
  // "f32", or "weights*activations" as in "q8_0*f32".
  std::vector<std::string> dtypes;
  std::vector<std::string> layouts;
  std::uint32_t max_rank = 4;
};

enum class Isolation { kInproc, kWorker };
enum class Level { kMinimal, kModerate, kAggressive };

[[nodiscard]] std::string_view to_string(Level level);
[[nodiscard]] std::optional<Level> parse_level(std::string_view name);

struct Budget {
  std::optional<double> kld;
  std::optional<double> top1;
  std::optional<double> ppl;
};

struct Optimization {
  std::string id;    // the bare name; the full id is plugin/name
  std::string kind;  // attention, kv_cache, weights, threads, memory, fusion, other
  Level level = Level::kMinimal;
  bool lossless = false;
  std::int32_t priority = 0;
  std::vector<PluginRef> requires_plugins;
  std::vector<std::string> requires_optimizations;  // a bare name means the plugin's own
  std::uint64_t requires_host_mib = 0;
  std::vector<Conflict> conflicts;  // a bare name means any plugin's
  std::vector<Synergy> synergies;
  Budget budget;
};

struct Probe {
  std::uint32_t timeout_ms = 5000;
  bool known_answer = true;
  std::vector<std::string> env_allow;
};

struct Runtime {
  std::string openmp = "none";
  std::string threads = "host";
  bool unload_safe = false;
  bool device_alloc_in_run = false;
  std::vector<std::string> needs;  // extra shared libraries by exact name
};

struct Manifest {
  std::filesystem::path file;  // where it was read; empty in tests
  std::string id;
  Version version;
  std::string name;
  std::string description;
  std::string url;
  std::string license;
  std::string library;  // relative to the manifest's folder
  std::optional<std::string> sha256;
  std::optional<std::string> signature;
  std::uint16_t abi_major = 0;
  std::uint16_t abi_min_minor = 0;
  std::uint16_t abi_built_minor = 0;
  std::int32_t priority = 0;
  std::vector<std::string> exclusive;
  Isolation isolation = Isolation::kInproc;
  Requires requires_;
  std::vector<Conflict> conflicts;
  std::vector<Synergy> synergies;
  std::vector<Provides> provides;
  Runtime runtime;
  Probe probe;
  std::vector<Optimization> optimizations;
};

}  // namespace belay::manifest
