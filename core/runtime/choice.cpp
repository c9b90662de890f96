#include "core/runtime/choice.hpp"

#include "core/runtime/core_optimizations.hpp"

namespace belay::runtime {
namespace {

// What the resolver is asked about. The registry's candidates come first, so that a place in `manifests` is
// one in usable().
struct Question {
  std::vector<manifest::Manifest> manifests;
  std::vector<Refusal> refused;
};

Question question(const registry::Registry& registry, resolver::Balance balance) {
  Question asked;
  for (const registry::Candidate& candidate : registry.usable())
    asked.manifests.push_back(candidate.manifest);
  asked.manifests.push_back(core_manifest(balance));
  for (const registry::Refused& entry : registry.refused()) asked.refused.push_back(entry.refusal);
  return asked;
}

}  // namespace

Result<resolver::Resolution> choose(const hardware::Profile& profile, const registry::Registry& registry,
                                    const resolver::Policy& policy) {
  const Question asked = question(registry, policy.balance);
  return resolver::resolve(profile, asked.manifests, asked.refused, policy);
}

Result<std::vector<resolver::Explanation>> explain_choice(const hardware::Profile& profile,
                                                          const registry::Registry& registry,
                                                          const resolver::Policy& policy) {
  const Question asked = question(registry, policy.balance);
  return resolver::explain(profile, asked.manifests, asked.refused, policy);
}

std::vector<const manifest::Manifest*> selected_manifests(const registry::Registry& registry,
                                                          const resolver::Resolution& resolution) {
  std::vector<const manifest::Manifest*> manifests;
  for (const resolver::Choice& choice : resolution.selected)
    manifests.push_back(&registry.usable()[*choice.manifest].manifest);
  return manifests;
}

}  // namespace belay::runtime
