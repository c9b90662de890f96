#include "core/registry/plugin.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/registry/abi_text.hpp"

#include <algorithm>
#include <array>

namespace belay::registry {
namespace {

constexpr std::uint64_t kMaxDevices = 64;
constexpr std::uint64_t kDrainNs = 2'000'000'000;  // how long the end of a plugin waits for its work

Objection refused(std::string_view reason, std::string detail) {
  return {Stage::kOpen, std::string(reason), std::move(detail)};
}

std::string_view reason_of(belay_status_t status) {
  switch (status) {
    case BELAY_ABI_MISMATCH:
      return reason::kAbiMismatch;
    case BELAY_NO_DRIVER:
      return reason::kNoDriver;
    case BELAY_DRIVER_TOO_OLD:
      return reason::kDriverTooOld;
    case BELAY_NO_DEVICE:
      return reason::kNoDevice;
    case BELAY_DEVICE_BUSY:
      return reason::kDeviceBusy;
    case BELAY_NO_KERNEL_IMAGE:
      return reason::kNoKernelImage;
    default:
      return reason::kOpenFailed;
  }
}

Objection failed(std::string_view call, belay_status_t status, const belay_error_t& error) {
  return refused(reason_of(status), failed_call(call, status, error));
}

bool complete(const belay_plugin_t& table) {
  return table.struct_size >= sizeof table && table.probe != nullptr && table.open != nullptr &&
         table.drain != nullptr && table.close != nullptr && table.get_interface != nullptr;
}

bool complete(const belay_compute_t& table) {
  return table.struct_size >= sizeof table && table.supports != nullptr && table.packed != nullptr &&
         table.pack != nullptr && table.bind != nullptr && table.workspace != nullptr &&
         table.release != nullptr;
}

bool complete(const belay_storage_t& table) {
  return table.struct_size >= sizeof table && table.file_open != nullptr && table.file_close != nullptr &&
         table.info != nullptr && table.read != nullptr && table.read_sync != nullptr &&
         table.read_end != nullptr && table.prepare != nullptr;
}

Objection incomplete(std::string_view interface) {
  return refused(reason::kAbiMismatch, format("its {} is too short or lacks a function", interface));
}

Device copied(const belay_device_t& device) {
  return {.kind = device.kind,
          .index = device.index,
          .available = device.unavailable == 0,
          .id = shown(device.id),
          .name = shown(device.name),
          .reason = shown(device.reason),
          .memory_bytes = device.memory_bytes,
          .memory_free_bytes = device.memory_free_bytes};
}

}  // namespace

Checked<std::unique_ptr<Plugin>> Plugin::open(const manifest::Manifest& manifest, const Library& library,
                                              const belay_host_t& host) {
  std::unique_ptr<Plugin> plugin(new Plugin(manifest, host));
  if (auto objection = plugin->enter(library.entry())) return *std::move(objection);
  if (auto objection = plugin->choose_device()) return *std::move(objection);
  if (auto objection = plugin->open_device()) return *std::move(objection);
  if (auto objection = plugin->fetch_interfaces()) return *std::move(objection);
  return plugin;
}

Plugin::Step Plugin::enter(belay_entry_fn entry) {
  table_.struct_size = sizeof table_;
  belay_error_t error = empty_error();
  const belay_status_t status = entry(&host_, &table_, &error);
  if (status != BELAY_OK) return failed("its entry", status, error);
  if (!complete(table_))
    return refused(reason::kAbiMismatch, "its entry left a required function of the table empty");
  if (table_.abi_minor < host_.min_minor || table_.abi_minor > host_.max_minor) {
    return refused(reason::kAbiMismatch, format("it chose ABI minor {}, this program speaks {} to {}",
                                                table_.abi_minor, host_.min_minor, host_.max_minor));
  }
  const std::string id = shown(table_.id);
  if (id != manifest_.id) {
    return refused(reason::kAbiMismatch,
                   format("its entry says id {}, its manifest says {}", id, manifest_.id));
  }
  const auto version = manifest::parse_semver(shown(table_.version));
  if (!version || !(*version == manifest_.version)) {
    return refused(reason::kAbiMismatch, format("its entry says version {}, its manifest says {}",
                                                shown(table_.version), manifest_.version.text()));
  }
  return std::nullopt;
}

Plugin::Step Plugin::choose_device() {
  std::array<belay_device_t, kMaxDevices> devices{};
  for (belay_device_t& device : devices) device.struct_size = sizeof device;
  std::uint64_t count = 0;
  belay_error_t error = empty_error();
  const belay_status_t status = table_.probe(&host_, devices.data(), devices.size(), &count, &error);
  if (status != BELAY_OK) return failed("probe", status, error);
  const std::uint64_t filled = std::min<std::uint64_t>(count, devices.size());
  if (filled == 0) return refused(reason::kNoDevice, "it found no device");
  const auto end = devices.begin() + static_cast<std::ptrdiff_t>(filled);
  const auto found = std::find_if(devices.begin(), end,
                                  [](const belay_device_t& device) { return device.unavailable == 0; });
  if (found == end)
    return refused(reason::kNoDevice, format("no usable device: {}", shown(devices.front().reason)));
  device_ = copied(*found);
  return std::nullopt;
}

Plugin::Step Plugin::open_device() {
  belay_open_t options{};
  options.struct_size = sizeof options;
  options.device_index = device_.index;
  belay_error_t error = empty_error();
  const belay_status_t status = table_.open(&host_, &options, &instance_, &error);
  if (status != BELAY_OK) {
    instance_ = nullptr;  // whatever it wrote there is not ours to close
    return failed("open", status, error);
  }
  if (instance_ == nullptr) return refused(reason::kOpenFailed, "open succeeded and gave no instance");
  return std::nullopt;
}

Plugin::Step Plugin::fetch_interfaces() {
  compute_ = static_cast<const belay_compute_t*>(interface(BELAY_COMPUTE_1));
  if (compute_ != nullptr && !complete(*compute_)) return incomplete(BELAY_COMPUTE_1);
  storage_ = static_cast<const belay_storage_t*>(interface(BELAY_STORAGE_1));
  if (storage_ != nullptr && !complete(*storage_)) return incomplete(BELAY_STORAGE_1);
  return std::nullopt;
}

Plugin::~Plugin() {
  if (instance_ == nullptr) return;
  belay_error_t error = empty_error();
  const std::uint64_t deadline = host_.now_ns(host_.context) + kDrainNs;
  const belay_status_t status = table_.drain(instance_, deadline, &error);
  if (status != BELAY_OK) log(LogLevel::kWarn, "{}: {}", manifest_.id, failed_call("drain", status, error));
  if (status != BELAY_TIMEOUT)
    table_.close(instance_);  // work in flight still uses it: better left than freed
}

const void* Plugin::interface(std::string_view id) const {
  return table_.get_interface(instance_, abi_string(id));
}

void Plugin::mark_in_use() {
  if (state_ == State::kOpen) state_ = State::kInUse;
}

void Plugin::quarantine(std::string why) {
  state_ = State::kQuarantined;
  quarantine_reason_ = std::move(why);
}

}  // namespace belay::registry
