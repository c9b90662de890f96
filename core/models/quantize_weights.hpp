// Which of a model's tensors become blocks of which type, and making them. What stays as the file has it:
// vectors, the vision encoder (its widths are no whole blocks, and it reads its weights once an image, not
// once a token), and matrices whose rows are no whole blocks of any type.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"
#include "core/graph/graph.hpp"
#include "core/models/tensors.hpp"
#include "core/threading/pool.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace belay::models {

// The types that are asked for by name: q8_0, q4_0 and q4_k.
[[nodiscard]] bool can_quantize_to(DType dtype);

// The type of the tensor `name` (GGUF's) when `wanted` is asked for: another one only for matrices of the
// decoder. The vision encoder reads its weights once an image, not once a token; it has a rule of its own.
// The embedding table and the output layer of a 4-bit model have more bits, as in the files of llama.cpp:
// Q6_K, or Q8_0 where rows are no blocks of 256.
[[nodiscard]] DType quantized_type(std::string_view name, const graph::Shape& shape, DType from,
                                   DType wanted);

// The rows of `weight` (f32, f16 or bf16) as `to`, on all threads of the pool; `out` has the bytes for it.
// kBadInput, naming the tensor and the row, counted from `first_row`, when a value is not finite.
[[nodiscard]] Status quantize(const graph::Weight& weight, DType to, std::span<std::byte> out,
                              threading::Pool& pool, std::uint64_t first_row = 0);

// The matrices of a vision encoder as Q8_0, which multiply faster than floats. They are declared at once, so
// that a plan counts them, and made when the encoder is first needed: who shows no image does not wait for
// them.
class VisionBlocks {
 public:
  // Replaces them in `tensors`, which must outlive this object and the file's bytes it.
  [[nodiscard]] static Result<VisionBlocks> declare(Tensors& tensors);
  // Fills them in, once.
  [[nodiscard]] Status make(threading::Pool& pool);

 private:
  struct Pending {
    graph::Weight source;
    std::span<std::byte> blocks;
  };
  VisionBlocks() = default;

  std::vector<Pending> pending_;
};

}  // namespace belay::models
