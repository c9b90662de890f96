#include "core/base/format.hpp"
#include "core/manifest/hint.hpp"
#include "core/manifest/sections.hpp"
#include "core/manifest/syntax.hpp"

#include <algorithm>
#include <array>

namespace belay::manifest {
namespace {

constexpr std::string_view kRangeSyntax =
    "bounds such as \">=6.1, <9\" (= != < <= > >=) that some version satisfies";
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;  // of MiB, MiB/s or devices

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "id" or "id [range]".
std::optional<PluginRef> read_ref(TableReader& in, std::string_view key, const toml::Value& value,
                                  SelfNames self) {
  const std::string& text = *value.string();
  const std::string id = text.substr(0, text.find_first_of(" \t<>=!"));
  const std::size_t bound = std::min(text.find_first_not_of(" \t", id.size()), text.size());
  const auto report = [&](std::string_view code, std::string message) {
    in.add(severity::kManifest, code, key, value.at, std::move(message));
    return std::nullopt;
  };
  if (!is_plugin_id(id))
    return report(finding::kValue, format("found {}; allowed is \"id\" or \"id >=1.2\"", found(value)));
  if (std::find(self.begin(), self.end(), id) != self.end()) {
    return report(finding::kSelf, format("found {}; a plugin cannot require itself", found(value)));
  }
  if (bound == text.size()) return PluginRef{id, {}};
  auto range = parse_range(std::string_view(text).substr(bound));
  if (!range)
    return report(finding::kVersionRange,
                  format("found {}; behind the id come {}", found(value), kRangeSyntax));
  return PluginRef{id, *std::move(range)};
}

// A version is written in quotes: the float 6.10 would be 6.1.
bool is_quoted(TableReader& in, std::string_view key, const toml::Value& value) {
  if (value.string() != nullptr) return true;
  const bool number = value.floating() != nullptr || value.integer() != nullptr;
  in.add(
      severity::kManifest, finding::kType, key, value.at,
      format("found {}; allowed is a string{}", found(value), number ? ": quote it, as in \">=6.1\"" : ""));
  return false;
}

VersionRange read_range(TableReader& in, std::string_view key) {
  const toml::Value* value = in.get(key);
  if (value == nullptr || !is_quoted(in, key, *value)) return {};
  if (auto range = parse_range(*value->string())) return *std::move(range);
  in.add(severity::kManifest, finding::kVersionRange, key, value->at,
         format("found {}; allowed are {}", found(*value), kRangeSyntax));
  return {};
}

void read_ptx(TableReader& in, GpuRequirement& out) {
  const toml::Value* value = in.get("ptx");
  if (value == nullptr || !is_quoted(in, "ptx", *value)) return;
  out.ptx = parse_version(*value->string());
  if (!out.ptx) {
    in.add(severity::kManifest, finding::kValue, "ptx", value->at,
           format("found {}; allowed is a version such as \"6.1\"", found(*value)));
  } else if (in.get("compute_capability") == nullptr) {
    in.add(severity::kWarning, finding::kMissing, "ptx", value->at,
           "ptx without compute_capability widens nothing; any device is taken");
  }
}

void read_gpu(TableReader& in, GpuRequirement& out) {
  static constexpr std::array<std::string_view, 4> kVendors = {"any", "nvidia", "amd", "intel"};
  const bool wrong_type = in.get("vendor") != nullptr && in.get("vendor")->string() == nullptr;
  const auto vendor = in.choice("vendor", kVendors, wrong_type ? severity::kManifest : severity::kPlugin);
  if (vendor.value_or(0) != 0) out.vendor = std::string(kVendors[*vendor]);
  out.compute_capability = read_range(in, "compute_capability");
  out.driver = read_range(in, "driver");
  read_ptx(in, out);
  out.memory_mib = read_mib(in, "memory_mib");
  out.count = static_cast<std::uint64_t>(in.integer("count", 0, kMaxCount).value_or(1));
}

// An unknown name stays in the list, so that it never matches.
void read_names(TableReader& in, std::string_view key, std::span<const std::string_view> known,
                std::vector<std::string>& out) {
  for (const toml::Value& name : in.strings(key, 32)) {
    out.push_back(*name.string());
    if (contains(known, *name.string())) continue;
    in.add(severity::kWarning, finding::kValue, key, name.at,
           format("found {}, which no machine matches; known are {}{}", found(name), join(known, ", "),
                  did_you_mean(*name.string(), known)));
  }
}

void read_cpu(TableReader& in, Requires& out) {
  static constexpr std::array<std::string_view, 6> kArchs = {"x86_64",  "aarch64", "riscv64",
                                                             "ppc64le", "s390x",   "loongarch64"};
  read_names(in, "arch", kArchs, out.cpu_arch);
  for (const toml::Value& feature : in.strings("features", 128))
    out.cpu_features.push_back(*feature.string());
}

void read_any_of(TableReader& in, SelfNames self, Requires& out) {
  const auto groups = in.array("any_of", 32);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string place = format("any_of[{}]", i);
    const toml::Array* group = groups[i].array();
    if (group == nullptr || group->empty() || group->size() > 32) {
      in.add(severity::kManifest, finding::kValue, place, groups[i].at,
             format("found {}; a group is an array of 1 to 32 plugins", found(groups[i])));
      continue;
    }
    out.any_of.emplace_back();
    for (const toml::Value& value : *group) {
      if (value.string() == nullptr) {
        in.add(severity::kManifest, finding::kType, place, value.at,
               format("found {}; allowed is a string", found(value)));
      } else if (auto ref = read_ref(in, place, value, self)) {
        out.any_of.back().push_back(*std::move(ref));
      }
    }
  }
}

}  // namespace

std::uint64_t read_mib(TableReader& in, std::string_view key) {
  return static_cast<std::uint64_t>(in.integer(key, 0, kMaxCount).value_or(0));
}

std::vector<PluginRef> read_plugin_refs(TableReader& in, std::string_view key, SelfNames self) {
  std::vector<PluginRef> refs;
  for (const toml::Value& value : in.strings(key, 32)) {
    if (auto ref = read_ref(in, key, value, self)) refs.push_back(*std::move(ref));
  }
  return refs;
}

void read_requires(TableReader& in, SelfNames self, Requires& out) {
  static constexpr std::array<std::string_view, 4> kSystems = {"linux", "freebsd", "macos", "windows"};
  out.plugins = read_plugin_refs(in, "plugins", self);
  read_any_of(in, self, out);
  read_names(in, "os", kSystems, out.os);
  in.table("cpu", [&](TableReader& cpu) { read_cpu(cpu, out); });
  in.table("gpu", [&](TableReader& gpu) { read_gpu(gpu, out.gpu.emplace()); });
  in.table("memory", [&](TableReader& memory) { out.host_mib = read_mib(memory, "host_mib"); });
  in.table("storage", [&](TableReader& storage) {
    out.storage.emplace();
    out.storage->nvme = storage.boolean("nvme").value_or(false);
    out.storage->min_read_mib_s = read_mib(storage, "min_read_mib_s");
  });
}

}  // namespace belay::manifest
