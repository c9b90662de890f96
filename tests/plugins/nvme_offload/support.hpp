// A host, files, memory and a storage to read them with, for the tests of nvme_offload.
#pragma once

#include "tests/plugins/nvme_offload/fake_system.hpp"

#include <belay/cpp/host.hpp>
#include <belay/ext/storage.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay::nvme::test {

// What a plugin needs of a host; keeps what was said.
class StorageHost {
 public:
  explicit StorageHost(std::string wanted = "");
  StorageHost(const StorageHost&) = delete;
  StorageHost& operator=(const StorageHost&) = delete;
  [[nodiscard]] const belay_host_t* table() const { return &table_; }

  std::string method;  // the setting; empty: not set
  std::vector<std::string> warnings;
  bool cancelled = false;

 private:
  belay_host_t table_{};
};

// A folder that is gone with the object.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // A file with that many bytes, which differ from place to place.
  [[nodiscard]] std::filesystem::path file(std::uint64_t bytes, std::string_view name = "data") const;

 private:
  std::filesystem::path path_;
};

// What such a file holds at an offset.
[[nodiscard]] std::byte byte_at(std::uint64_t offset);

// Memory in whole pages, full of kPoison.
class Memory {
 public:
  static constexpr std::byte kPoison{0xA5};
  explicit Memory(std::uint64_t bytes);
  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  void poison() const;
  [[nodiscard]] bool poisoned() const;

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::uint64_t size_;
  std::unique_ptr<std::byte, Free> data_;
};

// The bytes of the extent that are wrong, of those in front of the end of the file.
[[nodiscard]] std::uint64_t wrong_bytes(const belay_extent_t& extent, std::uint64_t file_bytes);

// belay.storage/1 of some instance, and an error to give to its calls.
struct Storage {
  const belay_storage_t* table = nullptr;
  belay_instance_t* instance = nullptr;
  belay_error_t error{};

  Storage(const belay_storage_t* functions, belay_instance_t* of);
  [[nodiscard]] belay_status_t open(const std::filesystem::path& path, belay_file_t** file);
  [[nodiscard]] belay_storage_info_t info(const belay_file_t* file);
  [[nodiscard]] std::string method(const belay_file_t* file);
  [[nodiscard]] belay_status_t read(belay_file_t* file, const std::vector<belay_extent_t>& extents,
                                    belay_read_t** read);
  // Starts, waits and ends.
  [[nodiscard]] belay_status_t read_all(belay_file_t* file, const std::vector<belay_extent_t>& extents);
};

// An instance of the sources, on the fake system or, without a script, on the real one.
class Sample {
 public:
  explicit Sample(Script* script, std::string method = "");
  ~Sample();
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  StorageHost host;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;

 public:
  Storage storage;
};

}  // namespace belay::nvme::test
