#include "tests/plugins/nvme_offload/support.hpp"

#include "plugins/nvme_offload/instance.hpp"
#include "plugins/nvme_offload/storage.hpp"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace belay::nvme::test {
namespace {

StorageHost& host_of(void* context) { return *static_cast<StorageHost*>(context); }

std::uint64_t now_ns(void* /*context*/) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

belay_status_t config(void* context, belay_str_t key, belay_str_t* value) {
  const StorageHost& host = host_of(context);
  if (sdk::view(key) != "method" || host.method.empty()) return BELAY_UNSUPPORTED;
  *value = sdk::str(host.method);
  return BELAY_OK;
}

constexpr std::uint64_t kPage = 4096;

}  // namespace

StorageHost::StorageHost(std::string wanted) : method(std::move(wanted)) {
  table_.struct_size = sizeof table_;
  table_.abi_major = BELAY_ABI_MAJOR;
  table_.max_minor = BELAY_ABI_MINOR;
  table_.context = this;
  table_.log = [](void* context, std::int32_t level, belay_str_t message) {
    if (level >= BELAY_LOG_WARN) host_of(context).warnings.emplace_back(sdk::view(message));
  };
  table_.now_ns = now_ns;
  table_.cancelled = [](void* context) -> std::uint32_t { return host_of(context).cancelled ? 1 : 0; };
  table_.config = config;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "belay_nvme_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path Folder::file(std::uint64_t bytes, std::string_view name) const {
  std::vector<std::byte> content(bytes);
  for (std::uint64_t i = 0; i < bytes; ++i) content[i] = byte_at(i);
  std::filesystem::path path = path_ / name;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(bytes));
  return path;
}

std::byte byte_at(std::uint64_t offset) {
  return static_cast<std::byte>((offset * 0x9E3779B97F4A7C15U + offset / 512) >> 56U);
}

Memory::Memory(std::uint64_t bytes)
    : size_((bytes + kPage - 1) / kPage * kPage),
      data_(static_cast<std::byte*>(std::aligned_alloc(kPage, std::max(size_, kPage)))) {
  poison();
}

void Memory::Free::operator()(std::byte* memory) const { std::free(memory); }

void Memory::poison() const { std::fill_n(data(), size_, kPoison); }

bool Memory::poisoned() const {
  return std::all_of(data(), data() + size_, [](std::byte byte) { return byte == kPoison; });
}

std::uint64_t wrong_bytes(const belay_extent_t& extent, std::uint64_t file_bytes) {
  const auto* got = static_cast<const std::byte*>(extent.to);
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < extent.bytes && extent.offset + i < file_bytes; ++i) {
    if (got[i] != byte_at(extent.offset + i)) ++wrong;
  }
  return wrong;
}

Storage::Storage(const belay_storage_t* functions, belay_instance_t* of) : table(functions), instance(of) {
  error.struct_size = sizeof error;
}

belay_status_t Storage::open(const std::filesystem::path& path, belay_file_t** file) {
  return table->file_open(instance, sdk::str(path.native()), file, &error);
}

belay_storage_info_t Storage::info(const belay_file_t* file) {
  belay_storage_info_t info{};
  info.struct_size = sizeof info;
  if (table->info(file, &info, &error) != BELAY_OK) throw std::runtime_error(error.message);
  return info;
}

std::string Storage::method(const belay_file_t* file) { return std::string(sdk::view(info(file).method)); }

belay_status_t Storage::read(belay_file_t* file, const std::vector<belay_extent_t>& extents,
                             belay_read_t** read) {
  return table->read(file, extents.data(), extents.size(), read, &error);
}

belay_status_t Storage::read_all(belay_file_t* file, const std::vector<belay_extent_t>& extents) {
  belay_read_t* started = nullptr;
  belay_status_t status = read(file, extents, &started);
  if (status != BELAY_OK) return status;
  status = table->read_sync(started, 0, &error);
  table->read_end(started);
  return status;
}

struct Sample::Impl {
  Instance instance;
  Impl(const StorageHost& host, Script* script)
      : instance(sdk::Host(host.table()), script != nullptr ? std::make_unique<FakeSystem>(*script)
                                                            : std::make_unique<PosixSystem>()) {}
};

Sample::Sample(Script* script, std::string method)
    : host(std::move(method)),
      impl_(std::make_unique<Impl>(host, script)),
      storage(storage_table(), reinterpret_cast<belay_instance_t*>(&impl_->instance)) {}

Sample::~Sample() = default;

}  // namespace belay::nvme::test
