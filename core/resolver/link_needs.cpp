#include "core/base/format.hpp"
#include "core/resolver/link.hpp"

namespace belay::resolver {
namespace {

using manifest::PluginRef;

std::string words(const PluginRef& ref) {
  return ref.versions.any() ? ref.id : format("{} {}", ref.id, ref.versions.text());
}

class NeedLinker {
 public:
  NeedLinker(const Inputs& inputs, const Names& names, Model& model)
      : inputs_(inputs), names_(names), model_(model) {
    model.needs.resize(model.entries.size());
  }

  void link(Index entry) {
    const Entry& e = model_.entries[entry];
    if (e.optimization == nullptr) {
      for (const PluginRef& ref : e.plugin->requires_.plugins) add(entry, {ref});
      for (const std::vector<PluginRef>& group : e.plugin->requires_.any_of) add(entry, group);
      return;
    }
    add(entry, {e.plugin_entry}, {format("its plugin {}", e.plugin->id), ""});
    for (const PluginRef& ref : e.optimization->requires_plugins) add(entry, {ref});
    for (const std::string& name : e.optimization->requires_optimizations) add_optimization(entry, name);
  }

 private:
  void add(Index entry, std::vector<Index> literals, Need need) {
    model_.problem.candidates[entry].clauses.push_back(std::move(literals));
    model_.needs[entry].push_back(std::move(need));
  }

  void add(Index entry, const std::vector<PluginRef>& any_of) {
    std::vector<Index> literals;
    std::vector<std::string> all_words, missing;
    for (const PluginRef& ref : any_of) {
      const manifest::Version* newest = nullptr;  // of those outside the range
      all_words.push_back(words(ref));
      for (const Index found : names_.by_id(ref.id)) {
        const manifest::Version& version = model_.entries[found].plugin->version;
        if (ref.versions.contains(version)) {
          literals.push_back(found);
        } else if (newest == nullptr || *newest < version) {
          newest = &version;
        }
      }
      missing.push_back(newest == nullptr ? whereabouts(ref.id)
                                          : format("{} is there in version {}", ref.id, newest->text()));
    }
    const bool alternatives = any_of.size() > 1;
    Need need{format("{}{}", alternatives ? "one of " : "", join(all_words, ", ")), ""};
    if (literals.empty()) need.missing = format("{}", join(missing, ", "));
    add(entry, std::move(literals), std::move(need));
  }

  // A bare name means the plugin's own.
  void add_optimization(Index entry, const std::string& name) {
    const Entry& e = model_.entries[entry];
    const bool own = name.find('/') == std::string::npos;
    const std::string id = own ? e.plugin->id + "/" + name : name;
    std::vector<Index> literals;
    for (const Index found : names_.by_id(id)) {
      if (!own || model_.entries[found].plugin == e.plugin) literals.push_back(found);
    }
    Need need{id, literals.empty() ? whereabouts(id) : ""};
    add(entry, std::move(literals), std::move(need));
  }

  [[nodiscard]] std::string whereabouts(const std::string& id) const {
    for (const auto& refusals : {inputs_.already_refused, std::span<const Refusal>(model_.refused)}) {
      for (const Refusal& refusal : refusals) {
        if (refusal.id == id) return format("{} is refused ({}: {})", id, refusal.reason, refusal.detail);
      }
    }
    return format("there is no {}", id);
  }

  const Inputs& inputs_;
  const Names& names_;
  Model& model_;
};

}  // namespace

void link_needs(const Inputs& inputs, const Names& names, Model& model) {
  NeedLinker linker(inputs, names, model);
  for (Index entry = 0; entry < model.entries.size(); ++entry) linker.link(entry);
}

}  // namespace belay::resolver
