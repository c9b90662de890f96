// The plugins of this machine: what was found, which of them can be used here, why the others cannot, and
// those that are open. Owns the open plugins and closes them when it ends. One thread.
#pragma once

#include "core/base/child_process.hpp"
#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"
#include "core/registry/catalog.hpp"
#include "core/registry/host_services.hpp"
#include "core/registry/plugin.hpp"
#include "core/registry/probe.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry {

struct RegistryOptions {
  SearchPath search;
  hardware::Profile profile;  // the machine to plan for; features that the user masked are absent
  bool plan_only = false;     // from the manifests alone: nothing is opened or probed, open() refuses
  bool strict_manifests = false;
  bool require_signatures = false;
  SelfLauncher launcher;             // how probes start this program again; not used when plan_only
  std::filesystem::path cache_file;  // of probe results; empty: every start probes again
  TrustPolicy trust = trust_current_user();
  bool elevated = registry::elevated();
};

// A plugin that can be used here: found, parsed, trusted, fits, and probed.
struct Candidate {
  manifest::Manifest manifest;
  std::filesystem::path library_path;
  std::optional<LibraryFile> library;  // open until the plugin is loaded; absent when plan_only
  std::optional<Library> loaded{};     // from then on, unless the plugin could not be opened
  Device device;                       // what the probe saw; empty when plan_only
  Plugin* plugin = nullptr;            // once it is open
};

class Registry {
 public:
  // Looks at every plugin. kUsage when a folder that was given is not there; a plugin that is not usable is
  // never an error but an entry of refused().
  [[nodiscard]] static Result<Registry> create(const RegistryOptions& options);

  // In the order in which they were found. Several versions of one id may be among them. Pointers and
  // references into it hold as long as the registry (a move keeps them).
  [[nodiscard]] std::span<const Candidate> usable() const { return usable_; }
  // Grows when open() fails or a plugin is quarantined; such a plugin stays in usable(), too.
  [[nodiscard]] std::span<const Refused> refused() const { return refused_; }
  // What is odd about manifests, one line each.
  [[nodiscard]] const std::vector<std::string>& diagnostics() const { return diagnostics_; }

  // The plugin, opened now if it was not yet: its library is hashed and checked through the descriptor that
  // was probed, loaded, and its first device opened. `version` decides between several; empty means the
  // highest. kNoPlugin with the reason when that fails, also the next time. `services` must live until the
  // plugin is closed.
  [[nodiscard]] Result<Plugin*> open(std::string_view id, HostServices& services,
                                     std::string_view version = {});

  // Closes all open plugins, of which nothing may be in use any more. open() opens them again, with other
  // services; those in quarantine it does not.
  void close();

  // Takes an open plugin out of use for the rest of this run.
  void quarantine(Plugin& plugin, std::string why);

 private:
  Registry() = default;

  void judge(std::vector<Found> found, const RegistryOptions& options);
  void probe_rest(std::vector<Found> fitting, const RegistryOptions& options);
  void admit(Found found, Verdict verdict);
  void refuse(const manifest::Manifest& manifest, const std::filesystem::path& library, Refusal refusal);
  [[nodiscard]] Candidate* find(std::string_view id, std::string_view version);
  [[nodiscard]] Checked<std::unique_ptr<Plugin>> load(Candidate& candidate, HostServices& services) const;

  std::vector<Candidate> usable_;
  std::vector<Refused> refused_;
  std::vector<std::string> diagnostics_;
  std::vector<std::unique_ptr<Plugin>> plugins_;
  bool plan_only_ = false;
};

}  // namespace belay::registry
