// Collects tensors and writes them as one safetensors file that appears whole or not at all. Values are
// copied when they are added. One thread at a time.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::formats {

class SafetensorsWriter {
 public:
  // Shape slowest first; an empty one is a scalar. kGeneral when the name is taken or no valid name, or the
  // number of values is not the shape's.
  [[nodiscard]] Status add(std::string_view name, std::span<const std::uint64_t> shape,
                           std::span<const float> values);
  [[nodiscard]] Status add(std::string_view name, std::span<const std::uint64_t> shape,
                           std::span<const std::int32_t> values);
  [[nodiscard]] Status add(std::string_view name, std::span<const std::uint64_t> shape,
                           std::span<const std::int64_t> values);
  [[nodiscard]] Status add(std::string_view name, std::span<const std::uint64_t> shape,
                           std::span<const std::uint8_t> values);
  // Raw bytes of a plain type (no block type).
  [[nodiscard]] Status add_bytes(std::string_view name, DType dtype, std::span<const std::uint64_t> shape,
                                 std::span<const std::byte> bytes);

  // An entry of `__metadata__`; a key given again replaces its text.
  void set_attribute(std::string_view key, std::string_view text);

  [[nodiscard]] bool empty() const { return tensors_.empty(); }

  // The header with its length, padded so that the data starts at a multiple of 8. The data follows in the
  // same order.
  [[nodiscard]] std::string header() const;
  // Replaces the file at `path`, through a temporary file beside it.
  [[nodiscard]] Status write(const std::filesystem::path& path) const;

 private:
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<std::uint64_t> shape;
    std::vector<std::byte> bytes;
  };

  std::vector<Tensor> tensors_;  // widest element first, so that every tensor is aligned to its element
  std::vector<std::pair<std::string, std::string>> attributes_;
};

}  // namespace belay::formats
