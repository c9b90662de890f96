// Builds a GGUF file (version 3) from metadata and tensors: in memory, or as a file on disk that is never in
// memory as a whole. One thread at a time.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"
#include "core/formats/gguf_types.hpp"
#include "core/formats/replace_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
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
  void add_bools(std::string_view key, const std::vector<bool>& values);

  // Shape slowest first. kGeneral when GGUF has no such type or shape. The data comes later, through a
  // GgufFileWriter.
  [[nodiscard]] Status declare_tensor(std::string_view name, DType dtype,
                                      std::span<const std::uint64_t> shape);
  // The same with the data, for to_bytes(): a view that outlives it. kGeneral, too, when the number of bytes
  // is not the shape's.
  [[nodiscard]] Status add_tensor(std::string_view name, DType dtype, std::span<const std::uint64_t> shape,
                                  std::span<const std::byte> data);

  // Everything in front of the first tensor's data, padded to the alignment. The data follows in the order of
  // the calls, each tensor padded to the alignment.
  [[nodiscard]] std::vector<std::byte> header() const;
  // The whole file; only when every tensor came with its data.
  [[nodiscard]] std::vector<std::byte> to_bytes() const;

 private:
  friend class GgufFileWriter;

  struct Tensor {
    std::string name;
    std::uint64_t bytes = 0;
    std::span<const std::byte> data;  // empty when it is only declared
  };

  void add_head(std::string_view key, GgufType type);
  void add_array_head(std::string_view key, GgufType element, std::size_t count);

  std::uint32_t alignment_;
  std::uint64_t n_entries_ = 0;
  std::vector<std::byte> entries_;  // as they stand in the file
  std::vector<std::byte> infos_;    // the tensor table as it stands in the file
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;  // of the data section so far, padded
};

// Writes the file that a GgufWriter describes, its tensors' data one after another. The file appears at its
// path when it is complete, in place of what was there; until then, and without finish(), nothing changes.
class GgufFileWriter {
 public:
  // Writes the header. The description is copied. kOutOfMemory when the disk has no room for the file, kUsage
  // when it cannot be written.
  [[nodiscard]] static Result<GgufFileWriter> begin(const std::filesystem::path& path,
                                                    const GgufWriter& description);

  // The data of a tensor, or its next part. Tensors come in the order in which they were declared. kGeneral
  // when it is another one's turn or there are more bytes than the tensor has.
  [[nodiscard]] Status append(std::string_view name, std::span<const std::byte> data);

  // kGeneral when data is missing.
  [[nodiscard]] Status finish();

 private:
  GgufFileWriter(Replacement file, const GgufWriter& description);
  // What comes next, for a message.
  [[nodiscard]] std::string missing() const;

  Replacement file_;
  std::uint32_t alignment_;
  std::vector<GgufWriter::Tensor> tensors_;
  std::size_t current_ = 0;    // the tensor whose data comes next
  std::uint64_t written_ = 0;  // bytes of it
};

}  // namespace belay::formats
