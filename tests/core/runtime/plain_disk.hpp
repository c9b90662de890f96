// A storage plugin whose reads bring nothing, for tests of when and how much is read.
#pragma once

#include "core/dispatch/storage.hpp"

#include <cstdint>
#include <functional>

namespace belay::test {

// One at a time: the ABI's functions have no other way to it.
class PlainDisk {
 public:
  explicit PlainDisk(std::uint64_t file_bytes) : file_bytes_(file_bytes) { current() = this; }
  PlainDisk(const PlainDisk&) = delete;
  PlainDisk& operator=(const PlainDisk&) = delete;
  ~PlainDisk() { current() = nullptr; }

  std::function<void(const belay_extent_t&)> on_read = [](const belay_extent_t&) {};
  std::function<void()> on_wait = [] {};
  std::function<void()> on_end = [] {};

  [[nodiscard]] dispatch::Storage& storage() { return storage_; }

 private:
  static PlainDisk*& current() {
    static PlainDisk* disk = nullptr;
    return disk;
  }
  static belay_storage_t make_table() {
    belay_storage_t table = {};
    table.struct_size = sizeof table;
    table.file_open = [](belay_instance_t*, belay_str_t, belay_file_t** file, belay_error_t*) {
      *file = reinterpret_cast<belay_file_t*>(current());
      return belay_status_t{BELAY_OK};
    };
    table.file_close = [](belay_file_t*) {};
    table.info = [](const belay_file_t*, belay_storage_info_t* info, belay_error_t*) {
      info->file_bytes = current()->file_bytes_;
      info->block_bytes = 4096;
      info->method = BELAY_STR("plain");
      return belay_status_t{BELAY_OK};
    };
    table.read = [](belay_file_t*, const belay_extent_t* extent, std::uint64_t, belay_read_t** read,
                    belay_error_t*) {
      current()->on_read(*extent);
      *read = reinterpret_cast<belay_read_t*>(current());
      return belay_status_t{BELAY_OK};
    };
    table.read_sync = [](belay_read_t*, std::uint64_t, belay_error_t*) {
      current()->on_wait();
      return belay_status_t{BELAY_OK};
    };
    table.read_end = [](belay_read_t*) { current()->on_end(); };
    table.prepare = [](belay_instance_t*, void*, std::uint64_t, belay_error_t*) {
      return belay_status_t{BELAY_OK};
    };
    return table;
  }

  std::uint64_t file_bytes_;
  belay_storage_t table_ = make_table();
  dispatch::Storage storage_{"plain", [this] { return dispatch::StorageTable{&table_, nullptr}; }};
};

}  // namespace belay::test
