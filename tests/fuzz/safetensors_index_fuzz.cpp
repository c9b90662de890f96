// Any bytes as an index of safetensors files: refused with an error, or every name in it is a plain file
// name.
#include "core/formats/safetensors_index.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto index =
      belay::formats::parse_safetensors_index({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  if (!index.ok()) return 0;
  for (const std::string& shard : index->shards) {
    if (shard.find('/') != std::string::npos || shard.starts_with('.')) std::abort();
  }
  for (const auto& entry : index->entries) {
    if (entry.shard >= index->shards.size() || entry.tensor.empty()) std::abort();
  }
  return 0;
}
