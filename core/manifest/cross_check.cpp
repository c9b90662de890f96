#include "core/manifest/cross_check.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/manifest/diagnostic.hpp"

#include <algorithm>
#include <map>

namespace belay::manifest {
namespace {

std::string file_of(const Manifest& manifest) { return printable(manifest.file.string(), 400); }

// Whether two manifests of one id and version pin the same library; without a pin nobody knows.
bool same_library(const Manifest& a, const Manifest& b) {
  return a.sha256 && b.sha256 && *a.sha256 == *b.sha256;
}

// `group`: indices of the manifests of one id and version, in their order.
void check_group(std::span<const Manifest> manifests, const std::vector<std::size_t>& group,
                 std::vector<CrossFinding>& out) {
  const Manifest& first = manifests[group[0]];
  const auto other = std::find_if(group.begin() + 1, group.end(),
                                  [&](std::size_t i) { return !same_library(first, manifests[i]); });
  if (other != group.end()) {
    for (const std::size_t i : group) {
      out.push_back({i, severity::kPlugin, std::string(reason::kAmbiguous),
                     format("{} {} is declared by {} and by {} with libraries that are not known to be the "
                            "same; remove one, or give it another version",
                            first.id, first.version.text(), file_of(first), file_of(manifests[*other]))});
    }
    return;
  }
  for (std::size_t n = 1; n < group.size(); ++n) {
    out.push_back({group[n], severity::kWarning, "COPY",
                   format("{} declares the same {} {} as {}; one of them is enough",
                          file_of(manifests[group[n]]), first.id, first.version.text(), file_of(first))});
  }
}

// The plugins whose joint selection a synergy rewards, whoever declares it.
std::vector<std::string> members(const Manifest& manifest, const Synergy& synergy) {
  std::vector<std::string> ids = synergy.with;
  ids.push_back(manifest.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

void check_gains(std::span<const Manifest> manifests, std::vector<CrossFinding>& out) {
  std::map<std::vector<std::string>, std::int64_t> lowest;
  for (const Manifest& manifest : manifests) {
    for (const Synergy& synergy : manifest.synergies) {
      const auto [place, added] = lowest.emplace(members(manifest, synergy), synergy.gain_permille);
      place->second = std::min(place->second, synergy.gain_permille);
    }
  }
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    for (const Synergy& synergy : manifests[i].synergies) {
      const auto all = members(manifests[i], synergy);
      const std::int64_t counted = lowest.at(all);
      if (synergy.gain_permille == counted) continue;
      out.push_back(
          {i, severity::kWarning, "GAIN",
           format("{}: the gain of {} is declared as {} and elsewhere as {} permille; the lower one counts",
                  file_of(manifests[i]), join(all, " + "), synergy.gain_permille, counted)});
    }
  }
}

}  // namespace

std::vector<CrossFinding> cross_check(std::span<const Manifest> manifests) {
  const auto before = [&](std::size_t a, std::size_t b) {
    if (manifests[a].id != manifests[b].id) return manifests[a].id < manifests[b].id;
    return manifests[a].version < manifests[b].version;
  };
  std::map<std::size_t, std::vector<std::size_t>, decltype(before)> groups(before);
  for (std::size_t i = 0; i < manifests.size(); ++i) groups[i].push_back(i);
  std::vector<CrossFinding> out;
  for (const auto& [first, group] : groups) check_group(manifests, group, out);
  check_gains(manifests, out);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  return out;
}

std::vector<Refusal> ambiguous(std::span<const Manifest> manifests) {
  std::vector<Refusal> out;
  for (const CrossFinding& finding : cross_check(manifests)) {
    if (finding.severity != severity::kPlugin) continue;
    out.push_back({manifests[finding.index].id, Stage::kParse, finding.reason, finding.message});
  }
  return out;
}

}  // namespace belay::manifest
