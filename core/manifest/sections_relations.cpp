#include "core/base/format.hpp"
#include "core/manifest/sections.hpp"
#include "core/manifest/syntax.hpp"

#include <algorithm>
#include <cmath>

namespace belay::manifest {
namespace {

constexpr std::size_t kMaxReason = 256;

bool names_self(SelfNames self, std::string_view name) {
  return std::find(self.begin(), self.end(), name) != self.end();
}

void read_target(TableReader& in, SelfNames self, Conflict& out) {
  if (in.require("id") == nullptr) return;
  const std::string* target = in.string("id");
  if (target == nullptr) return;
  const toml::Value& value = *in.get("id");
  if (!is_conflict_target(*target)) {
    in.add(severity::kManifest, finding::kValue, "id", value.at,
           format("found {}; allowed is a plugin's or optimization's id, \"slot:name\" or \"provides:op\"",
                  found(value)));
  } else if (names_self(self, *target)) {
    in.add(severity::kManifest, finding::kSelf, "id", value.at,
           format("found {}; nothing can conflict with itself", found(value)));
  }
  out.target = *target;
}

void read_versions(TableReader& in, Conflict& out) {
  const std::string* text = in.string("versions", severity::kEntry);
  if (text == nullptr) return;
  auto range = parse_range(*text);
  if (range) {
    out.versions = *std::move(range);
  } else {
    in.add(severity::kEntry, finding::kVersionRange, "versions", in.get("versions")->at,
           format("found {}; allowed are bounds such as \"<2\" that some version satisfies",
                  found(*in.get("versions"))));
  }
}

void read_with(TableReader& in, SelfNames self, Synergy& out) {
  constexpr std::size_t kMaxMembers = 4;
  const toml::Value* all = in.get("with");
  const auto members = in.strings("with", kMaxMembers, severity::kEntry);
  if (all == nullptr || (members.empty() && all->array() != nullptr && all->array()->empty())) {
    in.add(severity::kEntry, finding::kMissing, "with", in.at(), "a synergy names 1 to 4 partners");
  }
  for (const toml::Value& member : members) {
    const auto report = [&](std::string_view code, std::string_view rule) {
      in.add(severity::kEntry, code, "with", member.at, format("found {}; {}", found(member), rule));
    };
    if (!is_reference(*member.string())) {
      report(finding::kValue, "allowed is the id of a plugin or optimization");
    } else if (names_self(self, *member.string())) {
      report(finding::kSelf, "a synergy names the partners only");
    } else if (std::find(out.with.begin(), out.with.end(), *member.string()) != out.with.end()) {
      report(finding::kDuplicate, "each partner is named once");
    } else {
      out.with.push_back(*member.string());
    }
  }
}

void read_gain(TableReader& in, Synergy& out) {
  constexpr double kMost = 10.0;
  if (in.require("gain") == nullptr) return;
  const auto gain = in.number("gain");
  if (!gain) return;
  const toml::Position at = in.get("gain")->at;
  if (!(*gain > 1.0 && *gain <= kMost)) {  // NaN is neither
    const std::string_view hint = *gain <= 1.0 ? "; use conflicts for a negative effect" : "";
    in.add(severity::kManifest, finding::kRange, "gain", at,
           format("found {}; allowed is above 1.0 to 10.0{}", *gain, hint));
    return;
  }
  const double permille = *gain * 1000.0;
  const double rounded = std::round(permille);
  if (std::abs(permille - rounded) > 1e-6) {
    in.add(severity::kWarning, finding::kRounded, "gain", at,
           format("found {}; steps are 0.001, taken as {:.3f}", *gain, rounded / 1000.0));
  }
  out.gain_permille = static_cast<std::int64_t>(rounded) - 1000;
}

}  // namespace

void read_conflict(TableReader& in, SelfNames self, std::vector<Conflict>& out) {
  const std::size_t faults = in.findings().faults();
  Conflict conflict;
  read_target(in, self, conflict);
  read_versions(in, conflict);
  conflict.reason = in.display("reason", kMaxReason);
  if (in.get("reason") == nullptr) {
    in.add(severity::kWarning, finding::kMissing, "reason", in.at(),
           "a conflict without a reason cannot be explained to the user");
  }
  if (in.findings().faults() != faults) return;
  const bool twice = std::any_of(out.begin(), out.end(), [&](const Conflict& other) {
    return other.target == conflict.target && other.versions.text() == conflict.versions.text();
  });
  if (twice) {
    in.add(severity::kWarning, finding::kDuplicate, "id", in.at(),
           format("\"{}\" is declared twice; once is enough", conflict.target));
  } else {
    out.push_back(std::move(conflict));
  }
}

void read_synergy(TableReader& in, SelfNames self, std::vector<Synergy>& out) {
  const std::size_t faults = in.findings().faults();
  Synergy synergy;
  read_with(in, self, synergy);
  read_gain(in, synergy);
  synergy.reason = in.display("reason", kMaxReason);
  if (in.findings().faults() == faults) out.push_back(std::move(synergy));
}

}  // namespace belay::manifest
