#include "core/base/format.hpp"
#include "core/resolver/link.hpp"

#include <map>

namespace belay::resolver {
namespace {

void link_declared(const std::vector<manifest::Conflict>& conflicts, Index entry, const Names& names,
                   Model& model) {
  const Entry& self = model.entries[entry];
  for (const manifest::Conflict& conflict : conflicts) {
    const bool by_property = conflict.target.find(':') != std::string::npos;
    for (const Index other : names.by_target(conflict.target)) {
      const Entry& target = model.entries[other];
      if (target.id == self.id || !conflict.versions.contains(target.plugin->version)) continue;
      if (by_property && target.plugin->id == self.plugin->id) continue;
      model.problem.conflicts.emplace_back(entry, other);
      model.declared.push_back(&conflict);
    }
  }
}

// Two OpenMP runtimes in one process oversubscribe the CPUs and may hang.
void link_openmp(Model& model) {
  std::map<std::string_view, std::vector<Index>> by_runtime;
  std::vector<Index> earlier;  // of the runtimes before
  for (Index entry = 0; entry < model.entries.size(); ++entry) {
    const Entry& e = model.entries[entry];
    const std::string& runtime = e.plugin->runtime.openmp;
    if (e.optimization == nullptr && runtime != "none") by_runtime[runtime].push_back(entry);
  }
  for (const auto& [runtime, users] : by_runtime) {
    for (const Index user : users) {
      if (model.problem.conflicts.size() > kMaxRelations) return;
      for (const Index other : earlier) model.problem.conflicts.emplace_back(user, other);
    }
    earlier.insert(earlier.end(), users.begin(), users.end());
  }
  model.declared.resize(model.problem.conflicts.size(), nullptr);
}

}  // namespace

Status link_conflicts(const Names& names, Model& model) {
  for (Index entry = 0; entry < model.entries.size() && model.problem.conflicts.size() <= kMaxRelations;
       ++entry) {
    const Entry& e = model.entries[entry];
    link_declared(e.optimization == nullptr ? e.plugin->conflicts : e.optimization->conflicts, entry, names,
                  model);
  }
  link_openmp(model);
  if (model.problem.conflicts.size() <= kMaxRelations) return {};
  return fail(ErrorCode::kUsage,
              "the manifests declare more than {} conflicts; remove plugin folders, or name the plugins to "
              "use with --plugins",
              kMaxRelations);
}

}  // namespace belay::resolver
