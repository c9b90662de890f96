#include "core/hardware/topology.hpp"

#include <hwloc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>

namespace belay::hardware {
namespace {

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using TopologyHandle = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, DestroyTopology>;

// A variable of the environment for as long as this lives, unless the user set it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(std::getenv(name) == nullptr ? name : nullptr) {
    if (name_ != nullptr) ::setenv(name_, value, 1);
  }
  ~Variable() {
    if (name_ != nullptr) ::unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;  // null: it is the user's
};

// While hwloc is at work it finds no plugin folder, and does not print: where there is no /sys, what it would
// say is an unknown fact to us.
struct QuietHwloc {
  Variable no_plugins{"HWLOC_PLUGINS_PATH", "/dev/null"};
  Variable no_words{"HWLOC_HIDE_ERRORS", "2"};
};

// An initialised topology that looks for cores and data caches only, or null.
TopologyHandle make_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  TopologyHandle topology(raw);
  // hwloc's x86 component binds to every CPU in turn to run CPUID there; under an emulator that tells a wrong
  // story.
  hwloc_topology_set_components(raw, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
  hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  for (const hwloc_obj_type_t type :
       std::array{HWLOC_OBJ_CORE, HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE}) {
    hwloc_topology_set_type_filter(raw, type, HWLOC_TYPE_FILTER_KEEP_ALL);
  }
  const unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |
                              HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
  hwloc_topology_set_flags(raw, flags);
  return topology;
}

Known<std::uint64_t> cache_bytes(hwloc_topology_t topology, hwloc_obj_t core, hwloc_obj_type_t type) {
  for (hwloc_obj_t object = core; object != nullptr; object = object->parent) {
    if (object->type == type && object->attr->cache.size > 0) return object->attr->cache.size;
  }
  // A cache that lies below its core: one of the core's hyper-threads has it.
  hwloc_obj_t below = hwloc_get_next_obj_inside_cpuset_by_type(topology, core->cpuset, type, nullptr);
  if (below != nullptr && below->attr->cache.size > 0) return below->attr->cache.size;
  return std::nullopt;
}

std::optional<unsigned> number_of(const hwloc_info_s* infos, unsigned count, std::string_view name) {
  for (unsigned i = 0; i < count; ++i) {
    if (infos[i].name != name) continue;
    const std::string_view text = infos[i].value;
    unsigned value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) return value;
  }
  return std::nullopt;
}

bool says(const hwloc_info_s* infos, unsigned count, std::string_view name, std::string_view value) {
  return std::any_of(infos, infos + count,
                     [&](const hwloc_info_s& info) { return info.name == name && info.value == value; });
}

// Which CPUs belong to slow cores: Intel's Atom kind, or (where the kernel ranks by capacity) clearly below
// the fastest. Small differences of capacity are favoured cores of one kind.
class EfficiencyCores {
 public:
  explicit EfficiencyCores(hwloc_topology_t topology)
      : set_(hwloc_bitmap_alloc()), kind_(hwloc_bitmap_alloc()) {
    const int kinds = std::max(0, hwloc_cpukinds_get_nr(topology, 0));
    unsigned fastest = 0;
    for (int i = 0; i < kinds; ++i) fastest = std::max(fastest, capacity(topology, i).value_or(0));
    for (int i = 0; i < kinds; ++i) {
      const bool slow = capacity(topology, i).value_or(fastest) * 4 < fastest * 3 || atom(topology, i);
      if (slow) hwloc_bitmap_or(set_, set_, kind_);
    }
  }
  ~EfficiencyCores() {
    hwloc_bitmap_free(set_);
    hwloc_bitmap_free(kind_);
  }
  EfficiencyCores(const EfficiencyCores&) = delete;
  EfficiencyCores& operator=(const EfficiencyCores&) = delete;

  [[nodiscard]] bool contains(unsigned cpu) const { return hwloc_bitmap_isset(set_, cpu) != 0; }

 private:
  // Both leave the CPUs of kind `index` in kind_.
  std::optional<unsigned> capacity(hwloc_topology_t topology, int index) {
    load(topology, index);
    return number_of(infos_, info_count_, "LinuxCapacity");
  }
  bool atom(hwloc_topology_t topology, int index) {
    load(topology, index);
    return says(infos_, info_count_, "CoreType", "IntelAtom");
  }
  void load(hwloc_topology_t topology, int index) {
    int efficiency = 0;
    info_count_ = 0;
    hwloc_cpukinds_get_info(topology, static_cast<unsigned>(index), kind_, &efficiency, &info_count_, &infos_,
                            0);
  }

  hwloc_bitmap_t set_;
  hwloc_bitmap_t kind_;
  hwloc_info_s* infos_ = nullptr;
  unsigned info_count_ = 0;
};

// The CPUs below `object`, a core or (where cores are not told) a lone CPU.
void append_core(hwloc_topology_t topology, hwloc_obj_t object, const EfficiencyCores& slow, Topology& out) {
  const auto core = static_cast<std::uint32_t>(out.cores.size());
  out.cores.push_back({cache_bytes(topology, object, HWLOC_OBJ_L1CACHE),
                       cache_bytes(topology, object, HWLOC_OBJ_L2CACHE),
                       cache_bytes(topology, object, HWLOC_OBJ_L3CACHE)});
  std::uint32_t thread = 0;
  int cpu = -1;
  while ((cpu = hwloc_bitmap_next(object->cpuset, cpu)) >= 0) {
    const auto index = static_cast<std::uint32_t>(cpu);
    out.cpus.push_back({index, core, thread++, slow.contains(index)});
  }
}

std::optional<Topology> convert(hwloc_topology_t topology) {
  const EfficiencyCores slow(topology);
  const bool has_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0;
  const hwloc_obj_type_t type = has_cores ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  Topology out;
  out.cores_known = has_cores;
  for (hwloc_obj_t object = nullptr;
       (object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;) {
    append_core(topology, object, slow, out);
  }
  if (out.cpus.empty()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Topology> read_topology() {
  const QuietHwloc quiet;
  const TopologyHandle topology = make_topology();
  if (topology == nullptr || hwloc_topology_load(topology.get()) != 0) return std::nullopt;
  return convert(topology.get());
}

std::optional<Topology> read_topology_xml(std::string_view xml) {
  const QuietHwloc quiet;
  const TopologyHandle topology = make_topology();
  const std::string text(xml);
  if (topology == nullptr ||
      hwloc_topology_set_xmlbuffer(topology.get(), text.c_str(), static_cast<int>(text.size()) + 1) != 0 ||
      hwloc_topology_load(topology.get()) != 0) {
    return std::nullopt;
  }
  return convert(topology.get());
}

}  // namespace belay::hardware
