#include "core/base/format.hpp"
#include "core/manifest/requirement.hpp"
#include "core/resolver/link.hpp"

#include <map>
#include <numeric>

namespace belay::resolver {
namespace {

using hardware::Profile;
using manifest::Manifest;

// The GPUs of the profile that meet the plugin's requirement, each taken alone.
std::vector<Index> matching_gpus(const Manifest& plugin, const Profile& profile) {
  std::vector<Index> matching;
  if (!plugin.requires_.gpu || plugin.requires_.gpu->count == 0) return matching;
  manifest::GpuRequirement one = *plugin.requires_.gpu;
  one.count = 1;
  Profile alone;
  for (Index gpu = 0; gpu < profile.gpus.size(); ++gpu) {
    alone.gpus = {profile.gpus[gpu]};
    if (!manifest::missing_gpu(one, alone)) matching.push_back(gpu);
  }
  return matching;
}

// Where a plugin holds its slots: on the GPU that the user gave it, else on every GPU that it can drive,
// else, without a device, on the whole machine, which is every GPU and the rest (kNone).
std::vector<Index> places_of(const Manifest& plugin, const Inputs& inputs) {
  const auto chosen = inputs.policy.overrides.find(plugin.id);
  if (chosen != inputs.policy.overrides.end() && chosen->second.device) return {*chosen->second.device};
  std::vector<Index> places = matching_gpus(plugin, inputs.profile);
  if (!places.empty()) return places;
  places.resize(inputs.profile.gpus.size());
  std::iota(places.begin(), places.end(), Index{0});
  places.push_back(kNone);
  return places;
}

}  // namespace

void link_slots(const Inputs& inputs, Model& model) {
  std::map<std::pair<std::string_view, Index>, Index> numbers;
  for (Index entry = 0; entry < model.entries.size(); ++entry) {
    const Entry& e = model.entries[entry];
    if (e.optimization != nullptr || e.plugin->exclusive.empty()) continue;
    const std::vector<Index> places = places_of(*e.plugin, inputs);
    for (const std::string& name : e.plugin->exclusive) {
      for (const Index place : places) {
        const auto [slot, added] = numbers.try_emplace({name, place}, static_cast<Index>(numbers.size()));
        if (added) model.slot_names.push_back(place == kNone ? name : format("{} of GPU {}", name, place));
        model.problem.candidates[entry].slots.push_back(slot->second);
      }
    }
  }
}

}  // namespace belay::resolver
