#include "core/registry/registry.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/manifest/requirement.hpp"
#include "core/registry/probe_cache.hpp"
#include "core/registry/verify.hpp"

#include <algorithm>
#include <chrono>

namespace belay::registry {
namespace {

std::int64_t wall_clock_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The most basic unmet requirement, with the others behind it.
std::optional<Refusal> misfit(const manifest::Manifest& manifest, const hardware::Profile& profile) {
  auto unmet = manifest::unmet(manifest, profile);
  if (unmet.empty()) return std::nullopt;
  for (std::size_t i = 1; i < unmet.size(); ++i) unmet.front().detail += "; " + unmet[i].detail;
  return std::move(unmet.front());
}

// Worker processes are not built yet; running such a plugin in this process would break what it asked for.
std::optional<Refusal> needs_worker(const manifest::Manifest& manifest) {
  if (manifest.isolation == manifest::Isolation::kInproc) return std::nullopt;
  return Refusal{manifest.id, Stage::kOpen, std::string(reason::kOpenFailed),
                 "it asks for select.isolation = \"worker\", which this version of Belay cannot give"};
}

// Belay trusts no key yet, so that a signature proves nothing and asking for one refuses every plugin.
std::optional<Refusal> unproved(const manifest::Manifest& manifest, const RegistryOptions& options) {
  if (!options.require_signatures) return std::nullopt;
  const char* why = manifest.signature ? "its signature cannot be verified: no key is trusted"
                                       : "it is not signed, and signatures are required";
  return Refusal{manifest.id, Stage::kTrust, std::string(reason::kSignature), why};
}

}  // namespace

Result<Registry> Registry::create(const RegistryOptions& options) {
  const CatalogOptions how{.plan_only = options.plan_only,
                           .strict = options.strict_manifests,
                           .elevated = options.elevated,
                           .trust = options.trust};
  BELAY_TRY_ASSIGN(Catalog catalog, find_plugins(options.search, how));
  Registry registry;
  registry.plan_only_ = options.plan_only;
  registry.refused_ = std::move(catalog.refused);
  registry.diagnostics_ = std::move(catalog.diagnostics);
  registry.judge(std::move(catalog.candidates), options);
  return registry;
}

void Registry::judge(std::vector<Found> found, const RegistryOptions& options) {
  std::vector<Found> fitting;
  for (Found& one : found) {
    auto refusal = unproved(one.manifest, options);
    if (!refusal) refusal = misfit(one.manifest, options.profile);
    if (!refusal && !options.plan_only) refusal = needs_worker(one.manifest);
    if (refusal) {
      refuse(one.manifest, one.library_path, *std::move(refusal));
    } else if (options.plan_only) {
      admit(std::move(one), {});
    } else {
      fitting.push_back(std::move(one));
    }
  }
  if (!fitting.empty()) probe_rest(std::move(fitting), options);
}

// Known verdicts come from the cache, the others from child processes.
void Registry::probe_rest(std::vector<Found> fitting, const RegistryOptions& options) {
  ProbeCache cache(options.cache_file, options.trust, wall_clock_s());
  const std::string machine = machine_signature(options.profile, options.launcher);
  std::vector<std::string> keys;
  keys.reserve(fitting.size());
  std::vector<Verdict> verdicts(fitting.size());
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < fitting.size(); ++i) {
    keys.push_back(probe_key(*fitting[i].library, fitting[i].manifest, machine));
    if (const Verdict* known = cache.find(keys[i])) {
      verdicts[i] = *known;
    } else {
      unknown.push_back(i);
    }
  }
  if (!unknown.empty()) {
    const ProbeSettings settings{options.launcher, hardware::write_profile(options.profile),
                                 options.elevated};
    std::vector<ProbeSubject> subjects;
    subjects.reserve(unknown.size());
    for (const std::size_t i : unknown) subjects.push_back({&fitting[i].manifest, &*fitting[i].library});
    auto fresh = probe_all(subjects, settings);
    for (std::size_t k = 0; k < unknown.size(); ++k) {
      const std::size_t i = unknown[k];
      verdicts[i] = std::move(fresh[k]);
      cache.put(fitting[i].library_path, keys[i], verdicts[i]);
    }
  }
  if (const Status saved = cache.save(); !saved) {
    log(LogLevel::kInfo, "probe results are not kept: {}", saved.error().message);
  }
  for (std::size_t i = 0; i < fitting.size(); ++i) admit(std::move(fitting[i]), std::move(verdicts[i]));
}

void Registry::admit(Found found, Verdict verdict) {
  if (verdict.objection) {
    const Refusal why = refusal(found.manifest.id, *std::move(verdict.objection));
    return refuse(found.manifest, found.library_path, why);
  }
  usable_.push_back({.manifest = std::move(found.manifest),
                     .library_path = std::move(found.library_path),
                     .library = std::move(found.library),
                     .device = std::move(verdict.device)});
}

void Registry::refuse(const manifest::Manifest& manifest, const std::filesystem::path& library,
                      Refusal refusal) {
  refused_.push_back({std::move(refusal), manifest.version.text(), library});
}

Candidate* Registry::find(std::string_view id, std::string_view version) {
  Candidate* best = nullptr;
  for (Candidate& candidate : usable_) {
    if (candidate.manifest.id != id) continue;
    if (!version.empty() && candidate.manifest.version.text() != version) continue;
    if (best == nullptr || candidate.manifest.version > best->manifest.version) best = &candidate;
  }
  return best;
}

Result<Plugin*> Registry::open(std::string_view id, HostServices& services, std::string_view version) {
  Candidate* candidate = find(id, version);
  if (candidate == nullptr) {
    return fail(ErrorCode::kNoPlugin, "there is no usable plugin {} {}; run: belay probe", id, version);
  }
  if (candidate->plugin != nullptr) return candidate->plugin;
  if (plan_only_)
    return fail(ErrorCode::kNoPlugin, "{} is known from its manifest alone and cannot be opened", id);
  if (!candidate->library && !candidate->loaded)
    return fail(ErrorCode::kNoPlugin, "{} could not be opened before", id);
  auto plugin = load(*candidate, services);
  candidate->library.reset();
  if (!plugin) {
    candidate->loaded.reset();
    const Refusal why = refusal(candidate->manifest.id, std::move(plugin).objection());
    refuse(candidate->manifest, candidate->library_path, why);
    return fail(ErrorCode::kNoPlugin, "{} cannot be used: {} ({})", id, why.detail, why.reason);
  }
  candidate->plugin = plugins_.emplace_back(std::move(plugin).value()).get();
  return candidate->plugin;
}

Checked<std::unique_ptr<Plugin>> Registry::load(Candidate& candidate, HostServices& services) const {
  if (!candidate.loaded) {
    auto verified = verify(*candidate.library, candidate.manifest);
    if (!verified) return std::move(verified).objection();
    auto library = Library::load(*std::move(candidate.library), verified->elf);
    if (!library) return std::move(library).objection();
    candidate.loaded = *library;
  }
  return Plugin::open(candidate.manifest, *candidate.loaded, services.table(candidate.manifest.id));
}

void Registry::close() {
  for (Candidate& candidate : usable_) {
    if (candidate.plugin == nullptr) continue;
    if (candidate.plugin->state() == Plugin::State::kQuarantined) candidate.loaded.reset();
    candidate.plugin = nullptr;
  }
  plugins_.clear();
}

void Registry::quarantine(Plugin& plugin, std::string why) {
  const manifest::Manifest& manifest = plugin.manifest();
  const auto same = [&](const Candidate& candidate) { return candidate.plugin == &plugin; };
  const auto found = std::find_if(usable_.begin(), usable_.end(), same);
  if (found == usable_.end()) return;
  refuse(manifest, found->library_path,
         {manifest.id, Stage::kQuarantine, std::string(reason::kQuarantined), why});
  plugin.quarantine(std::move(why));
}

}  // namespace belay::registry
