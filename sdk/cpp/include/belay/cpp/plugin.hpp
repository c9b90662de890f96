// A plugin as a C++ class: BELAY_PLUGIN(MyInstance, "my_plugin", "1.0.0") emits the entry symbol and the ELF
// note. The instance class has
//   explicit MyInstance(belay::sdk::Host host, const belay_open_t& options);        one device, opened; may
//   throw static belay_status_t probe(Host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
//   belay_error_t*);
// and any of
//   Support supports(...), KernelPtr bind(...), see compute.hpp                     then it offers
//   belay.compute/1 const void* get_interface(std::string_view id);                                 further
//   interfaces belay_status_t drain(uint64_t deadline_ns, belay_error_t*);                     work in
//   flight; none by default
#pragma once

#include <belay/belay.h>
#include <belay/cpp/compute.hpp>
#include <belay/cpp/guard.hpp>
#include <belay/cpp/host.hpp>
#include <belay/cpp/struct.hpp>

#include <algorithm>
#include <memory>
#include <string_view>

namespace belay::sdk {

// The minor to speak: the highest that both sides know, or BELAY_ABI_MISMATCH with both ranges.
inline belay_status_t negotiate(const belay_host_t& host, uint32_t* minor, belay_error_t* error) noexcept {
  if (host.abi_major != BELAY_ABI_MAJOR || host.min_minor > BELAY_ABI_MINOR ||
      host.max_minor < host.min_minor) {
    return fail(error, BELAY_ABI_MISMATCH, "plugin speaks ABI %u.0 to %u.%u, host %u.%u to %u.%u",
                BELAY_ABI_MAJOR, BELAY_ABI_MAJOR, BELAY_ABI_MINOR, host.abi_major, host.min_minor,
                host.abi_major, host.max_minor);
  }
  *minor = std::min<uint32_t>(host.max_minor, BELAY_ABI_MINOR);
  return BELAY_OK;
}

// One device that is always there: the machine itself.
inline belay_status_t probe_cpu(belay_device_t* devices, uint64_t capacity, uint64_t* count) noexcept {
  *count = 1;
  if (capacity == 0) return BELAY_OK;
  belay_device_t device{};
  device.kind = BELAY_DEVICE_CPU;
  device.id = str("cpu");
  device.name = str("CPU");
  write(devices, device);
  return BELAY_OK;
}

template <class Instance>
class PluginTable {
 public:
  static belay_status_t entry(const belay_host_t* host, belay_plugin_t* plugin, belay_error_t* error,
                              std::string_view id, std::string_view version) noexcept {
    if (!valid(host) || !valid(plugin)) {
      return fail(error, BELAY_INVALID_ARGUMENT,
                  "entry: the host's or the plugin's table is missing or too small");
    }
    belay_plugin_t table{};
    const belay_status_t status = negotiate(*host, &table.abi_minor, error);
    if (status != BELAY_OK) return status;
    table.id = str(id);
    table.version = str(version);
    table.probe = &probe;
    table.open = &open;
    table.drain = &drain;
    table.close = &close;
    table.get_interface = &get_interface;
    write(plugin, table);
    return BELAY_OK;
  }

 private:
  static Instance* self(belay_instance_t* instance) noexcept { return reinterpret_cast<Instance*>(instance); }

  static belay_status_t probe(const belay_host_t* host, belay_device_t* devices, uint64_t capacity,
                              uint64_t* count, belay_error_t* error) noexcept {
    if (!valid(host) || count == nullptr || (capacity > 0 && !valid(devices))) {
      return fail(error, BELAY_INVALID_ARGUMENT, "probe: a missing or too small argument");
    }
    *count = 0;
    return guard(error, [&] { return Instance::probe(Host(host), devices, capacity, count, error); });
  }

  static belay_status_t open(const belay_host_t* host, const belay_open_t* options,
                             belay_instance_t** instance, belay_error_t* error) noexcept {
    if (!valid(host) || !valid(options) || instance == nullptr) {
      return fail(error, BELAY_INVALID_ARGUMENT, "open: a missing or too small argument");
    }
    *instance = nullptr;
    return guard(error, [&] {
      *instance =
          reinterpret_cast<belay_instance_t*>(std::make_unique<Instance>(Host(host), *options).release());
      return BELAY_OK;
    });
  }

  static belay_status_t drain(belay_instance_t* instance, uint64_t deadline_ns,
                              belay_error_t* error) noexcept {
    if (instance == nullptr) return fail(error, BELAY_INVALID_ARGUMENT, "drain: no instance");
    if constexpr (requires { self(instance)->drain(deadline_ns, error); }) {
      return guard(error, [&] { return self(instance)->drain(deadline_ns, error); });
    }
    return BELAY_OK;
  }

  static void close(belay_instance_t* instance) noexcept { delete self(instance); }

  static const void* get_interface(belay_instance_t* instance, belay_str_t id) noexcept {
    if (instance == nullptr) return nullptr;
    if constexpr (requires(const belay_op_t& op) { self(instance)->supports(op); }) {
      if (view(id) == BELAY_COMPUTE_1) return ComputeTable<Instance>::get();
    }
    if constexpr (requires { self(instance)->get_interface(view(id)); }) {
      return self(instance)->get_interface(view(id));
    }
    return nullptr;
  }
};

}  // namespace belay::sdk

#define BELAY_PLUGIN(instance_class, plugin_id, plugin_version)                                            \
  BELAY_PLUGIN_NOTE(plugin_id, plugin_version);                                                            \
  extern "C" BELAY_EXPORT belay_status_t belay_plugin_entry_v1(                                            \
      const belay_host_t* host, belay_plugin_t* plugin, belay_error_t* error);                             \
  extern "C" BELAY_EXPORT belay_status_t belay_plugin_entry_v1(                                            \
      const belay_host_t* host, belay_plugin_t* plugin, belay_error_t* error) {                            \
    return belay::sdk::PluginTable<instance_class>::entry(host, plugin, error, plugin_id, plugin_version); \
  }
