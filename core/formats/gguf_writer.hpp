// Builds a GGUF file (version 3) from metadata and tensors. The bytes of tensors are views that outlive the
// writer's use. One thread at a time.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"
#include "core/formats/gguf_types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::formats {

class GgufWriter {
 public:
  // A power of two in [8, 64 KiB]; other than the default it is written as `general.alignment`.
  explicit GgufWriter(std::uint32_t alignment = kDefaultGgufAlignment);

  // Keys are written in the order of the calls; the caller gives each only once.
  void add_u32(std::string_view key, std::uint32_t value);
  void add_u64(std::string_view key, std::uint64_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_f32s(std::string_view key, std::span<const float> values);

  // Shape slowest first. kGeneral when GGUF has no such type or shape, or the number of bytes is not the
  // shape's.
  [[nodiscard]] Status add_tensor(std::string_view name, DType dtype, std::span<const std::uint64_t> shape,
                                  std::span<const std::byte> data);

  // Everything in front of the first tensor's data, padded to the alignment. The data follows in the order of
  // the calls, each tensor padded to the alignment.
  [[nodiscard]] std::vector<std::byte> header() const;
  // The whole file.
  [[nodiscard]] std::vector<std::byte> to_bytes() const;

 private:
  void add_head(std::string_view key, GgufType type);
  void add_array_head(std::string_view key, GgufType element, std::size_t count);

  std::uint32_t alignment_;
  std::uint64_t n_entries_ = 0;
  std::vector<std::byte> entries_;  // as they stand in the file
  std::vector<std::byte> infos_;    // the tensor table as it stands in the file
  std::vector<std::span<const std::byte>> data_;
  std::uint64_t data_bytes_ = 0;  // of the data section so far, padded
};

}  // namespace belay::formats
