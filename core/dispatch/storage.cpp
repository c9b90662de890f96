#include "core/dispatch/storage.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <bit>

namespace belay::dispatch {
namespace {

constexpr std::uint32_t kMostBlockBytes = 65536;  // by the ABI

}  // namespace

Trouble StorageRead::wait(std::uint64_t deadline_ns) {
  belay_error_t error = empty_error();
  return trouble_of(table_->read_sync(read_.get(), deadline_ns, &error), error);
}

Result<StorageFile::Info> StorageFile::info() const {
  belay_error_t error = empty_error();
  belay_storage_info_t said = {};
  said.struct_size = sizeof said;
  const belay_status_t status = storage_.table->info(file_.get(), &said, &error);
  if (status != BELAY_OK) return Error{ErrorCode::kGeneral, text(describe(status, error))};
  if (!std::has_single_bit(said.block_bytes) || said.block_bytes > kMostBlockBytes)
    return fail(ErrorCode::kGeneral, "blocks of {} bytes; the ABI allows powers of two up to {}",
                said.block_bytes, kMostBlockBytes);
  return Info{said.block_bytes, said.file_bytes,
              printable(std::string_view(said.method.data, said.method.size), 100)};
}

Trouble StorageFile::read(std::span<const belay_extent_t> extents, std::optional<StorageRead>& read) {
  belay_error_t error = empty_error();
  belay_read_t* started = nullptr;
  const belay_status_t status =
      storage_.table->read(file_.get(), extents.data(), extents.size(), &started, &error);
  if (status != BELAY_OK) return describe(status, error);
  if (started == nullptr) return Failure{BELAY_CONTRACT, BELAY_SCOPE_CONTRACT, "read: OK, and no read"};
  read.emplace(storage_.table, started);
  return {};
}

Result<StorageTable> Storage::table() {
  if (!table_) {
    auto opened = open_();
    if (!opened.ok()) {
      healthy_ = false;
      return opened.error();
    }
    table_ = *opened;
  }
  return *table_;
}

Result<StorageFile> Storage::open(const std::filesystem::path& file, std::uint64_t unit,
                                  StorageFile::Info& info) {
  BELAY_TRY_ASSIGN(const StorageTable storage, table());
  belay_error_t error = empty_error();
  belay_file_t* opened = nullptr;
  const std::string& path = file.native();
  const belay_status_t status =
      storage.table->file_open(storage.instance, {path.data(), path.size()}, &opened, &error);
  if (status != BELAY_OK) return Error{ErrorCode::kGeneral, text(describe(status, error))};
  if (opened == nullptr) return Error{ErrorCode::kGeneral, "file_open: OK, and no file"};
  StorageFile made(storage, opened);
  BELAY_TRY_ASSIGN(info, made.info());
  if (unit % info.block_bytes != 0)
    return fail(ErrorCode::kGeneral, "its blocks have {} bytes, what is read has {}", info.block_bytes, unit);
  return made;
}

void Storage::prepare(std::span<std::byte> memory) {
  const auto storage = table();
  if (!storage.ok()) return;
  belay_error_t error = empty_error();  // a refusal costs speed, and the plugin says so itself
  storage->table->prepare(storage->instance, memory.data(), memory.size(), &error);
}

void Storage::count_failure(const Failure& failure) {
  if (++failures_ >= kFailuresAllowed || failure.scope >= BELAY_SCOPE_DEVICE) healthy_ = false;
}

}  // namespace belay::dispatch
