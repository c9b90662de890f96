// A tiny model on the disk; it and what streaming keeps beside it are gone at the end.
#pragma once

#include "core/memory/tile_hashes.hpp"
#include "tests/support/tiny_model.hpp"

#include <filesystem>
#include <fstream>

namespace belay::test {

class TinyModelFile {
 public:
  TinyModelFile(std::filesystem::path path, const TinyModelSpec& spec) : path_(std::move(path)) {
    const auto bytes = make_tiny_model(spec);
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  TinyModelFile(const TinyModelFile&) = delete;
  TinyModelFile& operator=(const TinyModelFile&) = delete;
  ~TinyModelFile() {
    std::filesystem::remove(path_);
    std::filesystem::remove(memory::TileHashes::kept_beside(path_));
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace belay::test
