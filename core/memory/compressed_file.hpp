// A copy of weights in fewer bytes: tiles as compressed_tile.hpp makes them, one behind the other, each with
// the hash of what it was made of. It is written whole or not at all, and can be made again.
#pragma once

#include "core/base/status.hpp"
#include "core/base/xxh3.hpp"
#include "core/formats/replace_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::memory {

struct CompressedTile {
  std::uint64_t offset = 0;  // in its part
  std::uint64_t bytes = 0;   // in the file
  Xxh3 hash = {};            // of the tile itself
};

struct CompressedPart {
  std::uint64_t offset = 0;      // of the first tile in the file
  std::size_t number_bytes = 1;  // that are put apart (compressed_tile.hpp)
  std::vector<CompressedTile> tiles;
  [[nodiscard]] std::uint64_t bytes() const {
    return tiles.empty() ? 0 : tiles.back().offset + tiles.back().bytes;
  }
};

class CompressedFile {
 public:
  static constexpr std::uint64_t kAlignment = 4096;  // of parts: no drive's block is larger

  // `description` says what must be in it. An error when there is no such file, it holds something else, or
  // it is damaged: then it may be written anew.
  [[nodiscard]] static Result<CompressedFile> open(const std::filesystem::path& path,
                                                   std::string_view description);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::string& note() const { return note_; }  // of who made it
  // Null when it is not there. Lives as long as this object, wherever that is moved.
  [[nodiscard]] const CompressedPart* find(std::string_view name) const;
  [[nodiscard]] std::uint64_t bytes() const;  // of all parts

 private:
  std::filesystem::path path_;
  std::string note_;
  std::map<std::string, CompressedPart, std::less<>> parts_;
};

// Writes one, part by part. One thread at a time. Failures are those of formats::Replacement.
class CompressedFileWriter {
 public:
  // kUsage, too, while another process writes the same file.
  [[nodiscard]] static Result<CompressedFileWriter> begin(const std::filesystem::path& path,
                                                          std::string description, std::string note);

  // The tiles that follow are of this part.
  [[nodiscard]] Status begin_part(std::string name, std::size_t number_bytes);
  [[nodiscard]] Status append(std::span<const std::byte> packed, const Xxh3& hash);
  // Puts the file into its place.
  [[nodiscard]] Status commit();

 private:
  CompressedFileWriter(formats::Replacement file, std::string description, std::string note)
      : file_(std::move(file)), description_(std::move(description)), note_(std::move(note)) {}
  Status write(std::span<const std::byte> bytes);

  formats::Replacement file_;
  std::string description_;
  std::string note_;
  std::vector<std::pair<std::string, CompressedPart>> parts_;
  std::uint64_t written_ = 0;
  std::uint64_t unsettled_ = 0;  // of these, bytes that the system may still hold in its cache
};

}  // namespace belay::memory
