// From manifests to a Problem, with the names that belong to its numbers. Internal to the resolver.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"
#include "core/manifest/manifest.hpp"
#include "core/manifest/refusal.hpp"
#include "core/resolver/policy.hpp"

#include <span>

namespace belay::resolver {

struct Inputs {
  const hardware::Profile& profile;
  std::span<const manifest::Manifest> manifests;
  std::span<const Refusal> already_refused;
  const Policy& policy;
};

// A plugin or an optimization; its number is that of its candidate in the problem.
struct Entry {
  std::string id;  // full
  const manifest::Manifest* plugin = nullptr;
  const manifest::Optimization* optimization = nullptr;  // nothing: the plugin itself
  Index plugin_entry = kNone;                            // of an optimization

  [[nodiscard]] bool built_in() const { return plugin->id == kCoreId; }
};

// What one clause of a candidate asks for, in words.
struct Need {
  std::string words;    // "cpu_scalar >=0.3", "one of cpu_avx2, cpu_sse"
  std::string missing;  // why nothing could serve it; empty when something could
};

struct Model {
  std::vector<Entry> entries;
  Problem problem;
  std::vector<std::vector<Need>> needs;  // for each candidate, one for each of its clauses
  // For each conflict of the problem what declares it; nothing for two OpenMP runtimes.
  std::vector<const manifest::Conflict*> declared;
  std::vector<std::string> slot_names;
  std::vector<Refusal> refused;  // by this room's filters
  Index core = kNone;
};

// kUsage when the policy names what is not there or pins what is refused.
[[nodiscard]] Result<Model> make_model(const Inputs& inputs);

}  // namespace belay::resolver
