#include "core/hardware/profile_toml.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/base/toml.hpp"
#include "core/hardware/cpu_features.hpp"
#include "core/hardware/native_cpu.hpp"
#include "core/hardware/words.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace belay::hardware {
namespace {

// A machine with a thousand CPUs has some thousand lines; a path may be as long as the kernel allows.
constexpr toml::Limits kLimits = {
    .max_bytes = std::size_t{4} << 20U, .max_line_bytes = 5000, .max_keys = 65536};

constexpr auto kStorageKinds =
    std::to_array<std::string_view>({"hdd", "memory", "network", "nvme", "ssd", "virtual"});

std::string hint(std::string_view given, std::span<const std::string_view> known) {
  for (const std::string_view name : known) {
    if (edit_distance(given.substr(0, 64), name) <= 2) return format("; did you mean '{}'?", name);
  }
  return format("; known: {}", join(known, ", "));
}

// Reads the keys of one table. Remembers the first error; what stands behind it is not looked at any more.
class TableReader {
 public:
  TableReader(const toml::Table& table, std::string path, std::string_view file)
      : table_(table), path_(std::move(path)), file_(file) {}

  void text(std::string_view key, Known<std::string>& out) {
    if (const toml::Value* value = take(key)) {
      if (const std::string* string = value->string()) {
        out = *string;
      } else {
        wrong_type(key, *value, "string");
      }
    }
  }

  void flag(std::string_view key, Known<bool>& out) {
    if (const toml::Value* value = take(key)) {
      if (const bool* boolean = value->boolean()) {
        out = *boolean;
      } else {
        wrong_type(key, *value, "boolean");
      }
    }
  }

  template <class T>
  void count(std::string_view key, Known<T>& out, T least = 0) {
    const toml::Value* value = take(key);
    if (value == nullptr) return;
    const std::int64_t* integer = value->integer();
    if (integer == nullptr) return wrong_type(key, *value, "integer");
    const auto fitting = narrow<T>(*integer);
    if (!fitting || *fitting < least) {
      return error(value->at, key,
                   format("{} is out of range, it must be at least {} and at most {}", *integer, least,
                          std::min<std::uint64_t>(std::numeric_limits<T>::max(),
                                                  std::numeric_limits<std::int64_t>::max())));
    }
    out = *fitting;
  }

  // The table under `key`, or null.
  const toml::Table* table(std::string_view key) {
    const toml::Value* value = take(key);
    if (value == nullptr) return nullptr;
    if (value->table() == nullptr) wrong_type(key, *value, "table");
    return value->table();
  }

  // The array under `key`, or null.
  const toml::Array* array(std::string_view key) {
    const toml::Value* value = take(key);
    if (value == nullptr) return nullptr;
    if (value->array() == nullptr) wrong_type(key, *value, "array");
    return value->array();
  }

  void wrong_type(std::string_view key, const toml::Value& value, std::string_view expected) {
    const bool version = value.floating() != nullptr && expected == "string";
    error(value.at, key,
          format("expected {}, found {}{}", expected, toml::type_name(value),
                 version ? "; quote it: \"6.1\"" : ""));
  }

  void error(toml::Position at, std::string_view key, std::string_view message) {
    if (!status_.ok()) return;
    status_ = fail(ErrorCode::kUsage, "{}:{}:{}: {}: {}", file_, at.line, at.column, full(key), message);
  }

  // After all keys were read: the first error, or a key that nobody asked for.
  [[nodiscard]] Status finish() {
    for (const toml::Entry& entry : table_) {
      if (std::find(asked_.begin(), asked_.end(), entry.key) != asked_.end()) continue;
      error(entry.at, entry.key, format("unknown key{}", hint(entry.key, asked_)));
    }
    return status_;
  }

  // Where the value of a key stands.
  [[nodiscard]] toml::Position position(std::string_view key) const {
    const toml::Value* value = toml::find(table_, key);
    return value != nullptr ? value->at : toml::Position{};
  }

  [[nodiscard]] std::string full(std::string_view key) const {
    const std::string shown = printable(key, 60);
    return path_.empty() ? shown : format("{}.{}", path_, shown);
  }

 private:
  const toml::Value* take(std::string_view key) {
    asked_.push_back(key);
    return status_.ok() ? toml::find(table_, key) : nullptr;
  }

  const toml::Table& table_;
  std::string path_;
  std::string_view file_;
  std::vector<std::string_view> asked_;
  Status status_;
};

// Calls `read(TableReader&)` for each table of the array under `key`.
template <class Read>
Status read_tables(TableReader& parent, std::string_view key, std::string_view file, Read read) {
  const toml::Array* array = parent.array(key);
  if (array == nullptr) return {};
  for (std::size_t i = 0; i < array->size(); ++i) {
    const toml::Value& element = (*array)[i];
    const std::string path = format("{}[{}]", parent.full(key), i);
    if (element.table() == nullptr) {
      return fail(ErrorCode::kUsage, "{}:{}:{}: {}: expected table, found {}", file, element.at.line,
                  element.at.column, path, toml::type_name(element));
    }
    TableReader reader(*element.table(), path, file);
    read(reader);
    BELAY_TRY(reader.finish());
  }
  return {};
}

void read_isa(TableReader& reader, Cpu& cpu) {
  const toml::Array* array = reader.array("isa");
  if (array == nullptr) return;
  std::vector<std::string> names;
  const auto& known = known_cpu_features();
  const bool x86 = cpu.arch == "x86_64";  // the only names that Belay knows
  for (const toml::Value& element : *array) {
    const std::string* name = element.string();
    if (name == nullptr) return reader.wrong_type("isa", element, "string");
    if (x86 && !std::binary_search(known.begin(), known.end(), *name)) {
      const std::string near = nearest_cpu_feature(*name);
      return reader.error(element.at, "isa",
                          format("unknown CPU feature '{}'{}", printable(*name, 40),
                                 near.empty() ? "" : format("; did you mean '{}'?", near)));
    }
    names.push_back(*name);
  }
  std::sort(names.begin(), names.end());
  cpu.isa = x86 ? expand_isa(names) : names;
}

void read_allowed(TableReader& reader, LogicalCpu& cpu) {
  Known<std::uint32_t> os_index;
  Known<std::uint32_t> core;
  Known<std::uint32_t> thread;
  Known<bool> efficiency;
  reader.count("os_index", os_index);
  reader.count("core", core);
  reader.count("thread", thread);
  reader.flag("efficiency_core", efficiency);
  cpu = {os_index.value_or(0), core.value_or(0), thread.value_or(0), efficiency.value_or(false)};
}

Status read_cpu(const toml::Table& table, std::string_view file, Cpu& cpu) {
  TableReader reader(table, "cpu", file);
  Known<std::string> arch = cpu.arch;
  reader.text("arch", arch);
  cpu.arch = *arch;
  reader.text("vendor", cpu.vendor);
  reader.text("model", cpu.model);
  reader.count("physical_cores", cpu.physical_cores, 1U);
  reader.count("logical_cpus", cpu.logical_cpus, 1U);
  reader.count("usable_cpus", cpu.usable_cpus, 1U);
  reader.count("l1d_bytes", cpu.l1d_bytes);
  reader.count("l2_bytes", cpu.l2_bytes);
  reader.count("l3_bytes", cpu.l3_bytes);
  read_isa(reader, cpu);
  BELAY_TRY(read_tables(reader, "allowed", file,
                        [&](TableReader& element) { read_allowed(element, cpu.allowed.emplace_back()); }));
  return reader.finish();
}

Status read_memory(const toml::Table& table, std::string_view file, Memory& memory) {
  TableReader reader(table, "memory", file);
  reader.count("total_bytes", memory.total_bytes, std::uint64_t{1});
  reader.count("available_bytes", memory.available_bytes);
  reader.count("limit_bytes", memory.limit_bytes);
  return reader.finish();
}

void check_compute_capability(TableReader& reader, const Gpu& gpu) {
  if (!gpu.compute_capability) return;
  const auto parts = split(*gpu.compute_capability, ".");
  const bool two_numbers = parts.size() == 2 && number(parts[0]) && number(parts[1]);
  if (!two_numbers || std::count(gpu.compute_capability->begin(), gpu.compute_capability->end(), '.') != 1) {
    reader.error(reader.position("compute_capability"), "compute_capability",
                 format("'{}' is not of the form \"6.1\"", printable(*gpu.compute_capability, 40)));
  }
}

void read_gpu(TableReader& reader, Gpu& gpu) {
  reader.text("name", gpu.name);
  reader.text("vendor", gpu.vendor);
  reader.text("compute_capability", gpu.compute_capability);
  check_compute_capability(reader, gpu);
  reader.count("memory_bytes", gpu.memory_bytes);
  reader.count("memory_free_bytes", gpu.memory_free_bytes);
  reader.count("bandwidth_bytes_per_s", gpu.bandwidth_bytes_per_s);
  reader.flag("tensor_cores", gpu.tensor_cores);
  reader.count("sm_count", gpu.sm_count, 1U);
  reader.count("sm_clock_max_mhz", gpu.sm_clock_max_mhz);
  reader.count("memory_clock_max_mhz", gpu.memory_clock_max_mhz);
  reader.text("pcie_link", gpu.pcie_link);
  reader.text("driver", gpu.driver);
  if (!gpu.vendor && gpu.compute_capability) gpu.vendor = "nvidia";  // nobody else counts that way
}

void read_storage(TableReader& reader, Storage& storage) {
  Known<std::string> path;
  reader.text("path", path);
  storage.path = path.value_or("");
  reader.text("kind", storage.kind);
  if (storage.kind &&
      std::find(kStorageKinds.begin(), kStorageKinds.end(), *storage.kind) == kStorageKinds.end()) {
    reader.error(
        reader.position("kind"), "kind",
        format("unknown kind '{}'{}", printable(*storage.kind, 40), hint(*storage.kind, kStorageKinds)));
  }
  reader.count("block_bytes", storage.block_bytes, std::uint64_t{1});
  reader.count("free_bytes", storage.free_bytes);
  reader.count("read_bytes_per_s", storage.read_bytes_per_s);
}

Status read_gpus(TableReader& root, std::string_view file, Profile& profile) {
  Known<std::string> reason;
  Known<std::string> detail;
  root.text("gpu_reason", reason);
  root.text("gpu_detail", detail);
  profile.gpu_reason = reason.value_or("");
  profile.gpu_detail = detail.value_or("");
  BELAY_TRY(read_tables(root, "gpus", file,
                        [&](TableReader& element) { read_gpu(element, profile.gpus.emplace_back()); }));
  return {};
}

Status read_root(const toml::Table& table, std::string_view file, Profile& profile) {
  TableReader root(table, "", file);
  Known<std::string> os = profile.os;
  root.text("os", os);
  profile.os = *os;
  const toml::Table* cpu = root.table("cpu");
  const toml::Table* memory = root.table("memory");
  BELAY_TRY(read_gpus(root, file, profile));
  // `gpus = []` says that there are none; no word about GPUs leaves them unknown.
  const toml::Value* gpus = toml::find(table, "gpus");
  if (gpus != nullptr && profile.gpus.empty() && profile.gpu_reason.empty()) profile.gpu_reason = "NO_DEVICE";
  BELAY_TRY(read_tables(root, "storage", file, [&](TableReader& element) {
    read_storage(element, profile.storage.emplace_back());
  }));
  BELAY_TRY(root.finish());
  if (cpu != nullptr) BELAY_TRY(read_cpu(*cpu, file, profile.cpu));
  if (memory != nullptr) BELAY_TRY(read_memory(*memory, file, profile.memory));
  return {};
}

// A basic string of TOML.
std::string quoted(std::string_view text) {
  const std::string valid = find_invalid_utf8(text) == std::string_view::npos
                                ? std::string(text)
                                : printable(text, text.size() * 4);
  std::string out = "\"";
  for (const char c : valid) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Writer {
 public:
  void line(std::string_view text) { out_ += format("{}\n", text); }
  void text(std::string_view key, const Known<std::string>& value) {
    if (value) out_ += format("{} = {}\n", key, quoted(*value));
  }
  void flag(std::string_view key, Known<bool> value) {
    if (value) out_ += format("{} = {}\n", key, *value);
  }
  // TOML's integers end at 2^63 - 1.
  void count(std::string_view key, Known<std::uint64_t> value) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    if (value) out_ += format("{} = {}\n", key, std::min(*value, kMost));
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void write_cpu(const Cpu& cpu, Writer& out) {
  out.line("\n[cpu]");
  out.text("arch", cpu.arch);
  out.text("vendor", cpu.vendor);
  out.text("model", cpu.model);
  out.count("physical_cores", cpu.physical_cores);
  out.count("logical_cpus", cpu.logical_cpus);
  out.count("usable_cpus", cpu.usable_cpus);
  out.count("l1d_bytes", cpu.l1d_bytes);
  out.count("l2_bytes", cpu.l2_bytes);
  out.count("l3_bytes", cpu.l3_bytes);
  if (cpu.isa) {
    out.line("isa = [");
    for (const std::string& name : *cpu.isa) out.line(format("  {},", quoted(name)));
    out.line("]");
  }
  for (const LogicalCpu& logical : cpu.allowed) {
    out.line("\n[[cpu.allowed]]");
    out.count("os_index", logical.os_index);
    out.count("core", logical.core);
    out.count("thread", logical.thread);
    if (logical.efficiency_core) out.flag("efficiency_core", true);
  }
}

void write_memory(const Memory& memory, Writer& out) {
  out.line("\n[memory]");
  out.count("total_bytes", memory.total_bytes);
  out.count("available_bytes", memory.available_bytes);
  out.count("limit_bytes", memory.limit_bytes);
}

void write_gpu(const Gpu& gpu, Writer& out) {
  out.line("\n[[gpus]]");
  out.text("name", gpu.name);
  out.text("vendor", gpu.vendor);
  out.text("compute_capability", gpu.compute_capability);
  out.count("memory_bytes", gpu.memory_bytes);
  out.count("memory_free_bytes", gpu.memory_free_bytes);
  out.count("bandwidth_bytes_per_s", gpu.bandwidth_bytes_per_s);
  out.flag("tensor_cores", gpu.tensor_cores);
  out.count("sm_count", gpu.sm_count);
  out.count("sm_clock_max_mhz", gpu.sm_clock_max_mhz);
  out.count("memory_clock_max_mhz", gpu.memory_clock_max_mhz);
  out.text("pcie_link", gpu.pcie_link);
  out.text("driver", gpu.driver);
}

void write_storage(const Storage& storage, Writer& out) {
  out.line("\n[[storage]]");
  out.text("path", storage.path);
  out.text("kind", storage.kind);
  out.count("block_bytes", storage.block_bytes);
  out.count("free_bytes", storage.free_bytes);
  out.count("read_bytes_per_s", storage.read_bytes_per_s);
}

}  // namespace

Result<Profile> read_profile(std::string_view text, std::string_view name_for_messages) {
  const std::string file = printable(name_for_messages, 400);
  const auto document = toml::parse(text, kLimits);
  if (const auto* error = std::get_if<toml::ParseError>(&document)) {
    return fail(ErrorCode::kUsage, "{}:{}:{}: {}", file, error->at.line, error->at.column, error->message);
  }
  Profile profile;
  profile.cpu.arch = std::string(build_arch());
  BELAY_TRY(read_root(std::get<toml::Table>(document), file, profile));
  return profile;
}

std::string write_profile(const Profile& profile) {
  Writer out;
  out.text("os", profile.os);
  if (!profile.gpu_reason.empty()) out.text("gpu_reason", profile.gpu_reason);
  if (!profile.gpu_detail.empty()) out.text("gpu_detail", profile.gpu_detail);
  write_cpu(profile.cpu, out);
  write_memory(profile.memory, out);
  for (const Gpu& gpu : profile.gpus) write_gpu(gpu, out);
  for (const Storage& storage : profile.storage) write_storage(storage, out);
  return out.take();
}

}  // namespace belay::hardware
