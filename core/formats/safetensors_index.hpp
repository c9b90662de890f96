// model.safetensors.index.json, which says in which file (shard) each tensor of a split checkpoint lies. Read
// event by event: no tree is built, so it costs little more memory than its text. Used by
// safetensors_folder.cpp only.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay::formats {

// An index of 300 000 tensors has about 30 MB.
inline constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20U;

struct SafetensorsIndex {
  struct Entry {
    std::string tensor;
    std::uint32_t shard = 0;  // into `shards`
  };
  std::vector<std::string> shards;  // each once, in the order of the text; plain names of .safetensors files
  std::vector<Entry> entries;       // sorted by tensor, each once; at least one
};

// `file` is for messages. kBadInput when the text is no such index, or a name in it is no plain file name.
[[nodiscard]] Result<SafetensorsIndex> parse_safetensors_index(std::string_view text, std::string_view file);

}  // namespace belay::formats
