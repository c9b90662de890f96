// A plugin in use: its library's table and one open instance on one device. Owns the instance; closing drains
// it first. The library stays mapped. One thread at a time, as the ABI's [control]; what the interfaces allow
// is up to them.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/registry/library.hpp"

#include <belay/ext/compute.h>
#include <belay/ext/storage.h>
#include <belay/plugin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry {

// A device that a plugin found, copied out of its memory.
struct Device {
  std::int32_t kind = BELAY_DEVICE_CPU;
  std::uint32_t index = 0;
  bool available = true;
  std::string id;
  std::string name;
  std::string reason;  // why it is not available
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_free_bytes = 0;
};

class Plugin {
 public:
  enum class State { kOpen, kInUse, kQuarantined };

  // Entry, version negotiation, probe, open of the first available device, interfaces. `host` outlives the
  // plugin. Objections (stage open): ABI_MISMATCH, NO_DRIVER, DRIVER_TOO_OLD, NO_DEVICE, OPEN_FAILED.
  [[nodiscard]] static Checked<std::unique_ptr<Plugin>> open(const manifest::Manifest& manifest,
                                                             const Library& library,
                                                             const belay_host_t& host);

  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  ~Plugin();

  [[nodiscard]] const manifest::Manifest& manifest() const { return manifest_; }
  [[nodiscard]] belay_instance_t* instance() const { return instance_; }
  // belay.compute/1 with every function present, or null when the plugin does not offer it.
  [[nodiscard]] const belay_compute_t* compute() const { return compute_; }
  // The same for belay.storage/1.
  [[nodiscard]] const belay_storage_t* storage() const { return storage_; }
  // Another interface by id; null when it is not offered.
  [[nodiscard]] const void* interface(std::string_view id) const;
  [[nodiscard]] const Device& device() const { return device_; }

  [[nodiscard]] State state() const { return state_; }
  // The first op was bound to it. A quarantined plugin stays quarantined.
  void mark_in_use();
  // No new work for this plugin from now on, for this reason. Kernels in flight may still be released.
  void quarantine(std::string why);
  [[nodiscard]] const std::string& quarantine_reason() const { return quarantine_reason_; }

 private:
  Plugin(const manifest::Manifest& manifest, const belay_host_t& host) : manifest_(manifest), host_(host) {}

  using Step = std::optional<Objection>;
  [[nodiscard]] Step enter(belay_entry_fn entry);
  [[nodiscard]] Step choose_device();
  [[nodiscard]] Step open_device();
  [[nodiscard]] Step fetch_interfaces();

  manifest::Manifest manifest_;
  const belay_host_t& host_;
  belay_plugin_t table_{};
  belay_instance_t* instance_ = nullptr;
  const belay_compute_t* compute_ = nullptr;
  const belay_storage_t* storage_ = nullptr;
  Device device_;
  State state_ = State::kOpen;
  std::string quarantine_reason_;
};

}  // namespace belay::registry
