#include "core/resolver/link.hpp"

namespace belay::resolver {

Names::Names(const std::vector<Entry>& entries) {
  for (Index i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    by_id_[entry.id].push_back(i);
    if (entry.optimization != nullptr) {
      by_bare_[entry.optimization->id].push_back(i);
      continue;
    }
    for (const std::string& slot : entry.plugin->exclusive) by_slot_[slot].push_back(i);
    for (const manifest::Provides& provides : entry.plugin->provides) by_op_[provides.op].push_back(i);
  }
}

Names::Found Names::find(const Table& table, std::string_view key) {
  const auto entry = table.find(key);
  return entry == table.end() ? Found{} : Found(entry->second);
}

std::vector<Index> Names::by_any_name(std::string_view name) const {
  const Found exact = by_id(name);
  const Found bare = find(by_bare_, name);
  std::vector<Index> all(exact.begin(), exact.end());
  all.insert(all.end(), bare.begin(), bare.end());
  return all;
}

std::vector<Index> Names::by_target(std::string_view target) const {
  const auto rest = [&](std::string_view prefix) { return target.substr(prefix.size()); };
  Found found;
  if (target.starts_with("slot:")) {
    found = by_slot(rest("slot:"));
  } else if (target.starts_with("provides:")) {
    found = by_op(rest("provides:"));
  } else {
    return by_any_name(target);
  }
  return {found.begin(), found.end()};
}

}  // namespace belay::resolver
