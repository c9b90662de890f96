// The tensor table of a GGUF file. Used by gguf.cpp only.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/tensor_file.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace belay::formats {

// Reads `count` tensor infos from where the reader stands and finds their data behind the table, at the next
// multiple of `alignment`. Refuses tensors that are unsupported, outside the file, unaligned or overlapping.
[[nodiscard]] Result<std::vector<TensorView>> parse_tensors(ByteReader& reader, std::uint64_t count,
                                                            std::uint32_t alignment);

// Indices into `tensors`, sorted by name. A name that occurs twice is an error.
[[nodiscard]] Result<std::vector<std::uint32_t>> index_by_name(const ByteReader& reader,
                                                               std::span<const TensorView> tensors);

}  // namespace belay::formats
