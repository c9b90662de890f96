#include "core/runtime/core_optimizations.hpp"

namespace belay::runtime {
namespace {

manifest::Optimization optimization(std::string_view full_id, std::string kind, manifest::Level level,
                                    bool lossless) {
  manifest::Optimization made;
  made.id = full_id.substr(full_id.find('/') + 1);
  made.kind = std::move(kind);
  made.level = level;
  made.lossless = lossless;
  return made;
}

// Half precision costs a KL divergence of 1e-6 on SmolLM2 at 2048 positions, 8 bits 5e-4; neither is
// lossless, so neither belongs to level minimal. 8 bits take half the memory, and are offered where that is
// to be saved.
std::vector<manifest::Optimization> kv_caches(resolver::Balance balance) {
  auto f16 = optimization(kKvF16, "kv_cache", manifest::Level::kModerate, false);
  if (balance != resolver::Balance::kMemory) return {f16};
  auto q8 = optimization(kKvQ8, "kv_cache", manifest::Level::kModerate, false);
  q8.priority = 1;
  q8.conflicts = {{std::string(kKvF16), {}, "a KV cache has one type"}};
  return {f16, q8};
}

}  // namespace

manifest::Manifest core_manifest(resolver::Balance balance) {
  manifest::Manifest core;
  core.id = resolver::kCoreId;
  core.name = "Belay";
  core.optimizations = kv_caches(balance);
  core.optimizations.push_back(optimization(kThreadAffinity, "threads", manifest::Level::kMinimal, true));
  core.optimizations.push_back(optimization(kWeightOffload, "memory", manifest::Level::kMinimal, true));
  core.optimizations.push_back(optimization(kWeightCompression, "memory", manifest::Level::kMinimal, true));
  core.optimizations.push_back(optimization(kVisionQ8, "weights", manifest::Level::kModerate, false));
  return core;
}

}  // namespace belay::runtime
