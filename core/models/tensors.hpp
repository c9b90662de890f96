// The tensors of a model under GGUF's names, whatever its files call them, as the graphs take them: matrices
// are the file's own bytes, or blocks made of them; vectors and small tables are f32. Owns what was made, not
// the files. One thread while it is filled, then any.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/tensor_file.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/buffer.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace belay::models {

class Tensors {
 public:
  // The bytes as they are: a view, or a copy where they are not aligned for their elements.
  [[nodiscard]] Status add(std::string name, const formats::TensorView& tensor);
  // As f32: a view where the file has f32, else converted. kBadInput for a type that is no plain float.
  [[nodiscard]] Status add_f32(std::string name, const formats::TensorView& tensor);
  // Room for a tensor that the caller fills in.
  [[nodiscard]] Result<std::span<std::byte>> make(std::string name, DType dtype, graph::Shape shape,
                                                  graph::Home home = graph::Home::kMemory);
  // Says where a tensor lies that was unmade: as many bytes as before.
  void place(std::string_view name, std::span<const std::byte> data, graph::Home home);

  [[nodiscard]] const graph::Weight* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, graph::Weight, std::less<>>& all() const { return by_name_; }
  [[nodiscard]] std::uint64_t bytes() const;  // of all tensors

 private:
  std::map<std::string, graph::Weight, std::less<>> by_name_;
  std::vector<memory::Buffer> made_;
};

}  // namespace belay::models
