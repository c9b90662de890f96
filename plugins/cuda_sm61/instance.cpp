#include "plugins/cuda_sm61/instance.hpp"

#include "plugins/cuda_sm61/memory_interface.hpp"

#include <belay/cpp/struct.hpp>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

namespace belay::cuda {
namespace {

constexpr std::size_t kMostDevices = 16;
constexpr std::uint32_t kPackedLayout = 1;  // weights/pack.hpp

// The texts of probe, which live as long as the library. Devices do not change while a process runs, so a
// text is written once.
belay_str_t kept(int device, std::size_t field, const std::string& text) {
  static std::mutex mutex;
  static auto& texts = *new std::array<std::array<std::string, 3>, kMostDevices>;
  const std::lock_guard lock(mutex);
  std::string& place = texts[static_cast<std::size_t>(device)][field];
  if (place.empty()) place = text;
  return sdk::str(place);
}

belay_device_t described(const Driver& driver, int ordinal) {
  const DeviceFacts facts = device_facts(driver, ordinal);
  const std::string against = reason_against(facts);
  belay_device_t device{};
  device.kind = BELAY_DEVICE_GPU;
  device.index = static_cast<std::uint32_t>(ordinal);
  device.unavailable = against.empty() ? 0 : 1;
  device.id = kept(ordinal, 0, facts.bus_id);
  device.name = kept(ordinal, 1, facts.name);
  device.reason = kept(ordinal, 2, against);
  device.memory_bytes = facts.memory_bytes;
  return device;
}

const OpRow& accepted(const Instance& instance, const belay_op_t& op) {
  const sdk::Support answer = instance.supports(op);
  if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
  return *find_op(sdk::view(op.id));
}

std::uint64_t packed_bytes(const OpRow& row, const belay_op_t& op) {
  return row.packed_bytes != nullptr ? row.packed_bytes(op) : 0;
}

void check_size(const char* call, std::uint64_t bytes, std::uint64_t needed) {
  if (needed > 0 && bytes >= needed) return;
  throw sdk::Error(BELAY_INVALID_ARGUMENT, "%s: %llu bytes of packed weights, %llu are needed", call,
                   static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(needed));
}

}  // namespace

const OpRow* find_op(std::string_view id) {
  static constexpr const OpRow* kRows[] = {&kEmbed,   &kLinear,    &kRmsNorm, &kLayerNorm, &kRope,
                                           &kKvWrite, &kAttention, &kSiluMul, &kGelu,      &kAdd};
  for (const OpRow* row : kRows) {
    if (row->id == id) return row;
  }
  return nullptr;
}

Instance::Instance(sdk::Host host, const belay_open_t& options)
    : host_(host), device_(static_cast<int>(options.device_index)) {
  const DeviceFacts& facts = device_.facts();
  constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;
  host.log(BELAY_LOG_INFO, "cuda_sm61: %s, compute capability %d.%d, %s, up to %llu MiB of its memory",
           facts.name.c_str(), facts.capability.major, facts.capability.minor,
           device_.image() == ImageKind::kSass ? "machine code for sm_61" : "PTX compiled by the driver",
           static_cast<unsigned long long>(device_.arena().budget() / kMib));
}

belay_status_t Instance::probe(sdk::Host /*host*/, belay_device_t* devices, std::uint64_t capacity,
                               std::uint64_t* count, belay_error_t* /*error*/) {
  const Driver driver;
  const int found = device_count(driver);
  *count = static_cast<std::uint64_t>(found);
  for (int i = 0; i < found && static_cast<std::uint64_t>(i) < capacity && i < static_cast<int>(kMostDevices);
       ++i) {
    sdk::write(&sdk::at(devices, static_cast<std::uint64_t>(i)), described(driver, i));
  }
  return BELAY_OK;
}

sdk::Support Instance::supports(const belay_op_t& op) const {
  sdk::Support answer;
  const OpRow* row = find_op(sdk::view(op.id));
  if (row == nullptr) {
    answer.no(BELAY_UNSUPPORTED, "the operator is not offered");
  } else {
    answer.determinism = BELAY_DETERMINISM_BITWISE;
    answer.confidence_permille = 100;  // rates of a data sheet, not measured
    row->supports(op, answer);
  }
  return answer;
}

belay_packed_t Instance::packed(const belay_op_t& op) const {
  const std::uint64_t bytes = packed_bytes(accepted(*this, op), op);
  const bool packs = bytes > 0;
  return {sizeof(belay_packed_t),
          packs ? kPackedLayout : std::uint32_t{BELAY_LAYOUT_ROW},
          bytes,
          Arena::kAlignment,
          1,
          packs ? 1U : 0U};
}

void Instance::pack(const belay_op_t& op, void* buffer, std::uint64_t bytes) const {
  const OpRow& row = accepted(*this, op);
  check_size("pack", bytes, packed_bytes(row, op));
  const belay_status_t status = row.pack(host_, op, buffer);
  if (status != BELAY_OK) throw sdk::Error(status, "pack: the host's threads failed");
}

sdk::KernelPtr Instance::bind(const belay_op_t& op, const void* buffer, std::uint64_t bytes) {
  const OpRow& row = accepted(*this, op);
  const bool is_packed = buffer != nullptr && packed_bytes(row, op) > 0;
  if (is_packed) check_size("bind", bytes, packed_bytes(row, op));
  return row.bind(host_, device_, op, {is_packed ? buffer : nullptr, 0});
}

sdk::KernelPtr Instance::bind_device(const belay_op_t& op, std::uint64_t buffer, std::uint64_t offset,
                                     std::uint64_t bytes) {
  const OpRow& row = accepted(*this, op);
  check_size("bind_device", bytes, packed_bytes(row, op));
  Buffer found;
  const bool fits = device_.buffers().find(buffer, found) && found.type == kDeviceBuffer &&
                    offset <= found.bytes && bytes <= found.bytes - offset && offset % Arena::kAlignment == 0;
  if (!fits) throw sdk::Error(BELAY_INVALID_ARGUMENT, "bind_device: no such part of a device buffer");
  return row.bind(host_, device_, op, {nullptr, found.device + offset});
}

const void* Instance::get_interface(std::string_view id) {
  if (id == BELAY_MEMORY_1) return memory_table();
  if (id == BELAY_TELEMETRY_1) return telemetry_table();
  return nullptr;
}

belay_status_t Instance::drain(std::uint64_t deadline_ns, belay_error_t* error) {
  Result result = device_.streams().query();
  while (result == kNotReady) {
    if (deadline_ns != 0 && host_.now_ns() >= deadline_ns) {
      return sdk::fail(error, BELAY_TIMEOUT, "drain: the device is not done at the deadline");
    }
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    result = device_.streams().query();
  }
  // What is lost is not in flight any more.
  return result == kSuccess || is_sticky(result) ? BELAY_OK : fail(error, result, "drain");
}

}  // namespace belay::cuda
