#include "core/base/format.hpp"
#include "core/manifest/hint.hpp"
#include "core/manifest/sections.hpp"
#include "core/manifest/syntax.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace belay::manifest {
namespace {

constexpr std::size_t kMaxList = 64;

void read_dtypes(TableReader& in, Provides& out) {
  const toml::Value* all = in.get("dtypes");
  if (all == nullptr || (all->array() != nullptr && all->array()->empty())) {
    in.add(severity::kEntry, finding::kMissing, "dtypes", in.at(),
           "an operator names its element types, as in [\"f32\", \"q8_0*f32\"]");
  }
  for (const toml::Value& dtype : in.strings("dtypes", kMaxList, severity::kEntry)) {
    if (is_dtype_claim(*dtype.string())) {
      out.dtypes.push_back(*dtype.string());
      continue;
    }
    std::vector<std::string_view> names;
    names.reserve(kDTypes.size());
    for (const DTypeInfo& row : kDTypes) names.push_back(row.name);
    in.add(severity::kEntry, finding::kUnknownDtype, "dtypes", dtype.at,
           format("found {}; known are {}, alone or as \"weights*activations\"{}", found(dtype),
                  join(names, ", "), did_you_mean(*dtype.string(), names)));
  }
}

void read_layouts(TableReader& in, Provides& out) {
  for (const toml::Value& layout : in.strings("layouts", kMaxList, severity::kEntry)) {
    if (is_slot_name(*layout.string())) {
      out.layouts.push_back(*layout.string());
    } else {
      in.add(severity::kEntry, finding::kValue, "layouts", layout.at,
             format("found {}; allowed is a name such as \"row\"", found(layout)));
    }
  }
  if (out.layouts.empty()) out.layouts.emplace_back("row");
}

// The own name; a full id is accepted when it names the own plugin.
void read_name(TableReader& in, const std::string& plugin, Optimization& out) {
  const std::string* id = in.string("id", severity::kEntry);
  if (in.get("id") == nullptr) {
    in.add(severity::kEntry, finding::kMissing, "id", in.at(), "an optimization has an id");
  }
  if (id == nullptr) return;
  const std::string prefix = plugin + "/";
  out.id = id->starts_with(prefix) ? id->substr(prefix.size()) : *id;
  if (!is_optimization_name(out.id)) {
    in.add(severity::kEntry, finding::kValue, "id", in.get("id")->at,
           format("found {}; allowed is [a-z][a-z0-9_-]*, at most 64 bytes, or \"{}name\"",
                  found(*in.get("id")), prefix));
  }
}

void read_required_optimizations(TableReader& in, SelfNames self, Optimization& out) {
  for (const toml::Value& value : in.strings("optimizations", 32)) {
    const bool own = std::find(self.begin(), self.end(), *value.string()) != self.end();
    if (is_reference(*value.string()) && !own) {
      out.requires_optimizations.push_back(*value.string());
    } else {
      in.add(severity::kManifest, own ? finding::kSelf : finding::kValue, "optimizations", value.at,
             format("found {}; allowed is another optimization's name or \"plugin/name\"", found(value)));
    }
  }
}

std::optional<double> read_limit(TableReader& in, std::string_view key, double most) {
  const auto limit = in.number(key, severity::kEntry);
  if (!limit || (*limit >= 0.0 && *limit <= most)) return limit;  // NaN is neither
  in.add(severity::kEntry, finding::kRange, key, in.get(key)->at,
         format("found {}; allowed is 0 to {}", *limit, most));
  return std::nullopt;
}

void read_budget(TableReader& in, Budget& out) {
  constexpr double kMost =
      1e6;  // of divergence and perplexity; anything finite and meaningful lies far below
  out.kld = read_limit(in, "kld", kMost);
  out.top1 = read_limit(in, "top1", 1.0);
  out.ppl = read_limit(in, "ppl", kMost);
}

// One that may change results and names no level waits for moderate: minimal promises the reference's
// results.
Level read_level(TableReader& in, bool lossless) {
  static constexpr std::array<std::string_view, 3> kLevels = {"minimal", "moderate", "aggressive"};
  const auto level = in.choice("level", kLevels, severity::kEntry);
  if (!level) return lossless ? Level::kMinimal : Level::kModerate;
  return static_cast<Level>(*level);
}

}  // namespace

void read_provides(TableReader& in, std::vector<Provides>& out) {
  const std::size_t faults = in.findings().faults();
  Provides entry;
  const std::string* op = in.string("op", severity::kEntry);
  if (op != nullptr) entry.op = *op;
  if (in.get("op") == nullptr || (op != nullptr && !is_op_id(*op))) {
    in.add(severity::kEntry, finding::kValue, "op", in.at(),
           format("found {}; allowed is an operator such as \"belay.linear/1\"",
                  op == nullptr ? "nothing" : found(*in.get("op"))));
  }
  read_dtypes(in, entry);
  read_layouts(in, entry);
  entry.max_rank = static_cast<std::uint32_t>(in.integer("max_rank", 0, 8, severity::kEntry).value_or(4));
  if (in.findings().faults() == faults) out.push_back(std::move(entry));
}

void read_optimization(TableReader& in, const std::string& plugin, std::vector<Optimization>& out) {
  static constexpr std::array<std::string_view, 7> kKinds = {"attention", "kv_cache", "weights", "threads",
                                                             "memory",    "fusion",   "other"};
  const std::size_t faults = in.findings().faults();
  Optimization entry;
  read_name(in, plugin, entry);
  entry.kind = kKinds[in.choice("kind", kKinds, severity::kEntry).value_or(kKinds.size() - 1)];
  entry.lossless = in.boolean("lossless").value_or(false);
  entry.level = read_level(in, entry.lossless);
  entry.priority = static_cast<std::int32_t>(in.integer("priority", -1000, 1000).value_or(0));
  // In conflicts a bare name means any plugin's, so only the full id is oneself there.
  const std::array<std::string, 3> self = {plugin, plugin + "/" + entry.id, entry.id};
  const SelfNames full = SelfNames(self).first(2);
  in.table("requires", [&](TableReader& needs) {
    entry.requires_plugins = read_plugin_refs(needs, "plugins", {});
    read_required_optimizations(needs, SelfNames(self).last(2), entry);
    entry.requires_host_mib = read_mib(needs, "host_mib");
  });
  in.tables("conflicts", [&](TableReader& conflict) { read_conflict(conflict, full, entry.conflicts); });
  in.tables("synergies", [&](TableReader& synergy) { read_synergy(synergy, self, entry.synergies); });
  in.table("budget", [&](TableReader& budget) { read_budget(budget, entry.budget); });
  const bool twice =
      std::any_of(out.begin(), out.end(), [&](const Optimization& other) { return other.id == entry.id; });
  if (twice && !entry.id.empty()) {
    in.add(severity::kEntry, finding::kDuplicate, "id", in.at(),
           format("\"{}\" is offered twice; the first one counts", entry.id));
  }
  if (in.findings().faults() == faults) out.push_back(std::move(entry));
}

}  // namespace belay::manifest
