// A selected plugin that reads files ahead of need (belay.storage/1), as streaming sees it: opened when it is
// first needed, and taken out of use when it fails too often. One thread at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/dispatch/failure.hpp"

#include <belay/ext/storage.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace belay::dispatch {

// What an opened plugin offers; lives until the process ends.
struct StorageTable {
  const belay_storage_t* table = nullptr;
  belay_instance_t* instance = nullptr;
};

// Reads in flight of one or more extents. Ends with this object, after which nothing writes to their memory.
class StorageRead {
 public:
  StorageRead(const belay_storage_t* table, belay_read_t* read)
      : read_(read, table->read_end), table_(table) {}
  // Waits until all is there, or until the deadline on the host's clock: BELAY_TIMEOUT, and it goes on.
  [[nodiscard]] Trouble wait(std::uint64_t deadline_ns);

 private:
  std::unique_ptr<belay_read_t, void (*)(belay_read_t*)> read_;
  const belay_storage_t* table_;
};

// An open file, until this object ends; its reads end before.
class StorageFile {
 public:
  struct Info {
    std::uint64_t block_bytes = 1;
    std::uint64_t file_bytes = 0;
    std::string method;
  };

  StorageFile(StorageTable storage, belay_file_t* file)
      : file_(file, storage.table->file_close), storage_(storage) {}

  // As it is read at the moment; blocks and size stay what they are.
  [[nodiscard]] Result<Info> info() const;
  // Starts reading; `read` is set when that went well.
  [[nodiscard]] Trouble read(std::span<const belay_extent_t> extents, std::optional<StorageRead>& read);

 private:
  std::unique_ptr<belay_file_t, void (*)(belay_file_t*)> file_;
  StorageTable storage_;
};

class Storage {
 public:
  Storage(std::string id, std::function<Result<StorageTable>()> open)
      : id_(std::move(id)), open_(std::move(open)) {}

  [[nodiscard]] const std::string& id() const { return id_; }

  // Opens a file that is read in multiples of `unit` bytes, and says how in `info`. An error, too, when the
  // plugin's blocks do not fit into that.
  [[nodiscard]] Result<StorageFile> open(const std::filesystem::path& file, std::uint64_t unit,
                                         StorageFile::Info& info);
  // Announces the memory that reads will go to; nothing ends that.
  void prepare(std::span<std::byte> memory);

  // False after three failures in a row, or one that took the plugin with it.
  [[nodiscard]] bool healthy() const { return healthy_; }
  void count_success() { failures_ = 0; }
  void count_failure(const Failure& failure);

 private:
  static constexpr std::uint32_t kFailuresAllowed = 3;

  [[nodiscard]] Result<StorageTable> table();

  std::string id_;
  std::function<Result<StorageTable>()> open_;
  std::optional<StorageTable> table_;
  bool healthy_ = true;
  std::uint32_t failures_ = 0;
};

}  // namespace belay::dispatch
