#include "core/registry/known_storage.hpp"

#include "core/base/format.hpp"
#include "core/memory/buffer.hpp"
#include "core/registry/abi_text.hpp"
#include "core/registry/temporary_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace belay::registry {
namespace {

using Problem = std::optional<std::string>;

constexpr std::uint64_t kMostBlock = 65536;  // storage.h
constexpr std::uint64_t kFileBytes =
    5 * kMostBlock - 77;  // whatever the block, some whole ones and a part of one
constexpr std::byte kUntouched{0x5A};

// Not the same at two places that a wrong offset or a swapped block could confuse.
std::byte known_byte(std::uint64_t offset) {
  return static_cast<std::byte>((offset * 0x9E3779B97F4A7C15U) >> 56U);
}

std::vector<std::byte> known_bytes() {
  std::vector<std::byte> bytes(kFileBytes);
  for (std::uint64_t i = 0; i < kFileBytes; ++i) bytes[i] = known_byte(i);
  return bytes;
}

// Two reads of one file, in flight together. Everything is ended and closed with it.
class StorageTrial {
 public:
  explicit StorageTrial(const Plugin& plugin) : storage_(*plugin.storage()), instance_(plugin.instance()) {}
  StorageTrial(const StorageTrial&) = delete;
  StorageTrial& operator=(const StorageTrial&) = delete;
  ~StorageTrial() {
    for (belay_read_t* read : reads_) storage_.read_end(read);
    storage_.file_close(file_);
    storage_.prepare(instance_, nullptr, 0, nullptr);
  }

  [[nodiscard]] Problem open(const std::string& path) {
    if (const auto status = storage_.file_open(instance_, abi_string(path), &file_, &error_);
        status != BELAY_OK) {
      file_ = nullptr;
      return failed_call("file_open", status, error_);
    }
    if (file_ == nullptr) return "file_open succeeded and gave no file";
    belay_storage_info_t info{};
    info.struct_size = sizeof info;
    if (const auto status = storage_.info(file_, &info, &error_); status != BELAY_OK)
      return failed_call("info", status, error_);
    if (!std::has_single_bit(info.block_bytes) || info.block_bytes > kMostBlock)
      return format("its blocks have {} bytes", info.block_bytes);
    if (info.file_bytes != kFileBytes)
      return format("it says that a file of {} bytes has {}", kFileBytes, info.file_bytes);
    block_ = info.block_bytes;
    return lay_out();
  }

  [[nodiscard]] Problem read() {
    // A refusal is no fault; reads must work with it and without.
    storage_.prepare(instance_, extents_[0].front().to, block_, &error_);
    for (std::size_t i = 0; i < reads_.size(); ++i) {
      const auto& extents = extents_[i];
      if (const auto status = storage_.read(file_, extents.data(), extents.size(), &reads_[i], &error_);
          status != BELAY_OK) {
        reads_[i] = nullptr;
        return failed_call("read", status, error_);
      }
      if (reads_[i] == nullptr) return "read succeeded and gave no read";
    }
    for (const std::size_t i : {1, 0}) {
      if (const auto status = storage_.read_sync(reads_[i], 0, &error_); status != BELAY_OK)
        return failed_call("read_sync", status, error_);
    }
    return std::nullopt;
  }

  [[nodiscard]] Problem compare() const {
    for (const auto& extents : extents_) {
      for (const belay_extent_t& extent : extents) {
        const auto* got = static_cast<const std::byte*>(extent.to);
        const std::uint64_t count = std::min(extent.bytes, kFileBytes - extent.offset);
        for (std::uint64_t i = 0; i < count; ++i) {
          if (got[i] != known_byte(extent.offset + i))
            return format("byte {} of the file is wrong in an extent of {} bytes at {}", extent.offset + i,
                          extent.bytes, extent.offset);
        }
        if (std::any_of(got + extent.bytes, got + extent.bytes + block_,
                        [](std::byte byte) { return byte != kUntouched; })) {
          return format("it wrote behind the memory of an extent of {} bytes", extent.bytes);
        }
      }
    }
    return std::nullopt;
  }

 private:
  // The first block, two in the middle and the one with the end of the file; and the whole file. A block of
  // memory behind each must stay as it is.
  [[nodiscard]] Problem lay_out() {
    const std::uint64_t blocks = (kFileBytes + block_ - 1) / block_;
    extents_ = {std::vector<belay_extent_t>{{0, block_, nullptr},
                                            {2 * block_, 2 * block_, nullptr},
                                            {(blocks - 1) * block_, block_, nullptr}},
                std::vector<belay_extent_t>{{0, blocks * block_, nullptr}}};
    auto memory = memory::Buffer::allocate((blocks + 9) * block_, "known answers");
    if (!memory) return memory.error().message;
    memory_ = std::move(*memory);
    std::memset(memory_.data(), std::to_integer<int>(kUntouched), memory_.size());
    void* at = memory_.data();
    std::size_t room = memory_.size();
    auto* next = static_cast<std::byte*>(std::align(block_, block_, at, room));
    for (auto& extents : extents_) {
      for (belay_extent_t& extent : extents) {
        extent.to = next;
        next += extent.bytes + block_;
      }
    }
    return std::nullopt;
  }

  const belay_storage_t& storage_;
  belay_instance_t* instance_;
  belay_error_t error_ = empty_error();
  belay_file_t* file_ = nullptr;
  std::uint64_t block_ = 0;
  memory::Buffer memory_;
  std::array<std::vector<belay_extent_t>, 2> extents_;
  std::array<belay_read_t*, 2> reads_{};
};

}  // namespace

std::optional<std::string> try_storage(const Plugin& plugin) {
  auto file = TemporaryFile::create(known_bytes());
  if (!file.ok()) return file.error().message;
  StorageTrial trial(plugin);
  if (auto problem = trial.open(file->path())) return problem;
  if (auto problem = trial.read()) return problem;
  return trial.compare();
}

}  // namespace belay::registry
