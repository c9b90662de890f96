#include "core/hardware/storage.hpp"

#include "core/base/format.hpp"
#include "core/hardware/mounts.hpp"
#include "core/hardware/words.hpp"

#include <algorithm>
#include <array>

namespace belay::hardware {
namespace {

constexpr int kMaxLayers = 8;  // of device mapper and RAID above a disk

struct Magic {
  std::uint64_t number;
  std::string_view kind;
};

// File systems without a disk below: linux/magic.h, statfs(2).
constexpr auto kFileSystems = std::to_array<Magic>({
    {0x01021994, "memory"},   // tmpfs
    {0x858458F6, "memory"},   // ramfs
    {0x6969, "network"},      // NFS
    {0x517B, "network"},      // SMB
    {0xFF534D42, "network"},  // CIFS
    {0xFE534D42, "network"},  // SMB2
    {0x00C36400, "network"},  // Ceph
    {0x5346414F, "network"},  // AFS
    {0x0BD00BD0, "network"},  // Lustre
    {0x01021997, "virtual"},  // 9p, a folder of a virtual machine's host
});

struct NamePrefix {
  std::string_view prefix;
  std::string_view kind;
};

// Kernel names that say what the device is; Documentation/admin-guide/devices.txt.
constexpr auto kDeviceNames = std::to_array<NamePrefix>({
    {"nvme", "nvme"},
    {"vd", "virtual"},
    {"xvd", "virtual"},
    {"loop", "virtual"},
    {"mmcblk", "ssd"},
    {"nbd", "network"},
    {"rbd", "network"},
    {"zram", "memory"},
    {"ram", "memory"},
    {"pmem", "memory"},
});

// Makers that a virtual machine's disks claim.
constexpr auto kVirtualVendors =
    std::to_array<std::string_view>({"QEMU", "VMware", "VBOX", "Msft", "Google"});

std::string class_folder(std::string_view device) { return format("/sys/class/block/{}", device); }

// "nvme0n1" for the partition "nvme0n1p2", "sda" for "sda1".
std::string disk_of(const Source& source, std::string device) {
  if (!source.read_file(class_folder(device) + "/partition")) return device;
  const std::size_t last = device.find_last_not_of("0123456789");
  if (last == std::string::npos) return device;
  device.resize(last + 1);
  const bool p_after_digit = device.size() > 1 && device.back() == 'p' && device[device.size() - 2] >= '0' &&
                             device[device.size() - 2] <= '9';
  if (p_after_digit) device.pop_back();
  return device;
}

// The disk below mapped and RAID devices: the first of each layer.
std::string bottom_disk(const Source& source, std::string device) {
  device = disk_of(source, std::move(device));
  for (int layer = 0; layer < kMaxLayers; ++layer) {
    const auto below = source.list_folder(class_folder(device) + "/slaves");
    if (!below || below->empty()) break;
    device = disk_of(source, *std::min_element(below->begin(), below->end()));
  }
  return device;
}

// A file system with a device number of its own (btrfs, overlays) names its block device among the mounts.
std::optional<std::string> mounted_device(const Source& source, const std::string& number) {
  constexpr std::string_view kPrefix = "/dev/";
  for (const Mount& mount : read_mounts(source)) {
    if (mount.device != number || !mount.source.starts_with(kPrefix)) continue;
    std::string name = mount.source.substr(kPrefix.size());
    if (name.find('/') == std::string::npos) return name;
  }
  return std::nullopt;
}

std::optional<std::string> device_name(const Source& source, const FolderFacts& facts) {
  const std::string number = format("{}:{}", facts.device_major, facts.device_minor);
  const std::string uevent = source.read_file(format("/sys/dev/block/{}/uevent", number)).value_or("");
  for (const std::string_view line : lines(uevent)) {
    constexpr std::string_view kKey = "DEVNAME=";
    if (!line.starts_with(kKey)) continue;
    const std::string_view name = line.substr(kKey.size());
    if (!name.empty() && name.find("..") == std::string_view::npos) return std::string(name);
  }
  return mounted_device(source, number);
}

Known<std::string> kind_of_disk(const Source& source, const std::string& disk) {
  for (const NamePrefix& row : kDeviceNames) {
    if (disk.starts_with(row.prefix)) return std::string(row.kind);
  }
  const std::string vendor = source.read_file(class_folder(disk) + "/device/vendor").value_or("");
  if (std::any_of(kVirtualVendors.begin(), kVirtualVendors.end(),
                  [&](auto name) { return vendor.starts_with(name); })) {
    return "virtual";
  }
  const auto rotational = source.read_file(class_folder(disk) + "/queue/rotational");
  const auto value = rotational ? first_number(*rotational) : std::nullopt;
  if (!value) return std::nullopt;
  return *value == 0 ? "ssd" : "hdd";
}

void probe_device(const Source& source, const FolderFacts& facts, Storage& out) {
  const auto device = device_name(source, facts);
  if (!device) return;
  const std::string disk = bottom_disk(source, *device);
  out.kind = kind_of_disk(source, disk);
  const auto block = source.read_file(class_folder(disk) + "/queue/logical_block_size");
  if (const auto bytes = block ? first_number(*block) : std::nullopt; bytes && *bytes > 0)
    out.block_bytes = *bytes;
}

}  // namespace

Storage probe_storage(const Source& source, const std::string& folder) {
  Storage out;
  out.path = folder;
  const auto facts = source.folder(folder);
  if (!facts) return out;
  out.free_bytes = facts->free_bytes;
  if (facts->block_bytes > 0) out.block_bytes = facts->block_bytes;
  for (const Magic& row : kFileSystems) {
    if (row.number == facts->filesystem_magic) out.kind = std::string(row.kind);
  }
  if (!out.kind) probe_device(source, *facts, out);
  return out;
}

}  // namespace belay::hardware
