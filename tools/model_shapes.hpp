// The models that make_model makes: their sizes, and from these every key and tensor of their files. Pure.
#pragma once

#include "core/base/dtype.hpp"
#include "core/formats/gguf_writer.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::make_model {

struct TextShape {
  std::string_view arch;
  std::uint32_t width, ffn, layers, heads, kv_heads, head_dim, vocab, context;
  float rope_theta;
  std::array<std::int32_t, 4> rope_sections;  // qwen3vl only
};

struct VisionShape {
  std::uint32_t width, ffn, layers, heads;
  std::uint32_t side;                      // of the square table of positions
  std::uint32_t out;                       // width of the text model
  std::array<std::uint32_t, 3> deepstack;  // layers whose output joins the text model's first layers
};

struct ModelShape {
  std::string_view name;
  TextShape text;
  std::optional<VisionShape> vision;
};

[[nodiscard]] std::optional<ModelShape> find_shape(std::string_view name);
[[nodiscard]] std::string shape_names();  // for messages

// What --type names: the type of every matrix, or llama.cpp's mix Q4_K_M.
struct WeightTypes {
  std::string_view name;
  std::uint32_t file_type;  // llama.cpp's number, general.file_type
  DType most;
  DType better;  // of the matrices that matter most
};

[[nodiscard]] std::optional<WeightTypes> find_types(std::string_view name);
[[nodiscard]] std::string type_names();

struct PlannedTensor {
  std::string name;
  DType dtype;
  std::vector<std::uint64_t> shape;  // slowest first
  float mean, spread;                // of its values
};

[[nodiscard]] std::vector<PlannedTensor> text_tensors(const TextShape& shape, const WeightTypes& types);
[[nodiscard]] std::vector<PlannedTensor> vision_tensors(const VisionShape& shape);

// All keys, the tokenizer's included.
void add_text_keys(formats::GgufWriter& writer, const ModelShape& shape, const WeightTypes& types);
void add_vision_keys(formats::GgufWriter& writer, const VisionShape& shape);

}  // namespace belay::make_model
