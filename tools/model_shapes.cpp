#include "tools/model_shapes.hpp"

#include "core/base/format.hpp"
#include "tools/synthetic_vocabulary.hpp"

#include <algorithm>
#include <cmath>

namespace belay::make_model {
namespace {

constexpr std::uint32_t kQwenVocab = 151936;
constexpr float kEpsilon = 1e-6F;
constexpr std::uint32_t kPatch = 16;
constexpr std::uint32_t kMerge = 2;  // by 2 patches make one token

constexpr std::array<ModelShape, 4> kShapes = {{
    {"qwen3-1.7b", {"qwen3", 2048, 6144, 28, 16, 8, 128, kQwenVocab, 40960, 1e6F, {}}, std::nullopt},
    {"qwen3vl-2b",
     {"qwen3vl", 2048, 6144, 28, 16, 8, 128, kQwenVocab, 262144, 5e6F, {24, 20, 20, 0}},
     VisionShape{1024, 4096, 24, 16, 48, 2048, {5, 11, 17}}},
    {"small", {"qwen3", 512, 2048, 4, 8, 4, 64, 512, 4096, 1e6F, {}}, std::nullopt},
    {"tiny",
     {"qwen3vl", 256, 512, 4, 4, 2, 64, 512, 4096, 5e6F, {12, 10, 10, 0}},
     VisionShape{64, 128, 4, 4, 8, 256, {0, 1, 2}}},
}};

constexpr std::array<WeightTypes, 4> kTypes = {{
    {"f16", 1, DType::kF16, DType::kF16},
    {"q8_0", 7, DType::kQ8_0, DType::kQ8_0},
    {"q4_0", 2, DType::kQ4_0, DType::kQ4_0},
    {"q4_k_m", 15, DType::kQ4_K, DType::kQ6_K},
}};

template <class Rows>
auto find_named(const Rows& rows, std::string_view name) {
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return at == rows.end() ? std::nullopt : std::optional(*at);
}

template <class Rows>
std::string names_of(const Rows& rows) {
  std::string names;
  for (const auto& row : rows) names += format("{}{}", names.empty() ? "" : ", ", row.name);
  return names;
}

// llama.cpp's choice for Q4_K_M: the first and the last eighth of the layers and every third between, half of
// them.
bool matters_more(std::uint32_t layer, std::uint32_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// Values of inputs' size 1 keep it: deviation 1 / sqrt(inputs).
PlannedTensor matrix(std::string name, DType dtype, std::vector<std::uint64_t> shape) {
  std::uint64_t inputs = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) inputs *= shape[i];
  return {std::move(name), dtype, std::move(shape), 0, 1 / std::sqrt(static_cast<float>(inputs))};
}

PlannedTensor norm(std::string name, std::uint64_t size) {
  return {std::move(name), DType::kF32, {size}, 1, 0.05F};
}

PlannedTensor bias(std::string name, std::uint64_t size) {
  return {std::move(name), DType::kF32, {size}, 0, 0.02F};
}

void add_text_layer(std::vector<PlannedTensor>& tensors, const TextShape& shape, const WeightTypes& types,
                    std::uint32_t layer) {
  const auto name = [&](std::string_view part) { return format("blk.{}.{}.weight", layer, part); };
  const std::uint64_t q = std::uint64_t{shape.heads} * shape.head_dim;
  const std::uint64_t kv = std::uint64_t{shape.kv_heads} * shape.head_dim;
  const DType better = matters_more(layer, shape.layers) ? types.better : types.most;
  tensors.push_back(norm(name("attn_norm"), shape.width));
  tensors.push_back(matrix(name("attn_q"), types.most, {q, shape.width}));
  tensors.push_back(matrix(name("attn_k"), types.most, {kv, shape.width}));
  tensors.push_back(matrix(name("attn_v"), better, {kv, shape.width}));
  tensors.push_back(matrix(name("attn_output"), types.most, {shape.width, q}));
  tensors.push_back(norm(name("attn_q_norm"), shape.head_dim));
  tensors.push_back(norm(name("attn_k_norm"), shape.head_dim));
  tensors.push_back(norm(name("ffn_norm"), shape.width));
  tensors.push_back(matrix(name("ffn_gate"), types.most, {shape.ffn, shape.width}));
  tensors.push_back(matrix(name("ffn_up"), types.most, {shape.ffn, shape.width}));
  tensors.push_back(matrix(name("ffn_down"), better, {shape.width, shape.ffn}));
}

// A matrix in F16 with its bias.
void add_linear(std::vector<PlannedTensor>& tensors, const std::string& name, std::uint64_t rows,
                std::uint64_t cols) {
  tensors.push_back(matrix(name + ".weight", DType::kF16, {rows, cols}));
  tensors.push_back(bias(name + ".bias", rows));
}

void add_layer_norm(std::vector<PlannedTensor>& tensors, const std::string& name, std::uint64_t size) {
  tensors.push_back(norm(name + ".weight", size));
  tensors.push_back(bias(name + ".bias", size));
}

void add_vision_layer(std::vector<PlannedTensor>& tensors, const VisionShape& shape, std::uint32_t layer) {
  const auto name = [&](std::string_view part) { return format("v.blk.{}.{}", layer, part); };
  add_layer_norm(tensors, name("ln1"), shape.width);
  add_layer_norm(tensors, name("ln2"), shape.width);
  add_linear(tensors, name("attn_qkv"), std::uint64_t{3} * shape.width, shape.width);
  add_linear(tensors, name("attn_out"), shape.width, shape.width);
  add_linear(tensors, name("ffn_up"), shape.ffn, shape.width);
  add_linear(tensors, name("ffn_down"), shape.width, shape.ffn);
}

}  // namespace

std::optional<ModelShape> find_shape(std::string_view name) { return find_named(kShapes, name); }
std::string shape_names() { return names_of(kShapes); }
std::optional<WeightTypes> find_types(std::string_view name) { return find_named(kTypes, name); }
std::string type_names() { return names_of(kTypes); }

std::vector<PlannedTensor> text_tensors(const TextShape& shape, const WeightTypes& types) {
  std::vector<PlannedTensor> tensors;
  // Tied: it is the output layer, too.
  tensors.push_back(matrix("token_embd.weight", types.better, {shape.vocab, shape.width}));
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) add_text_layer(tensors, shape, types, layer);
  tensors.push_back(norm("output_norm.weight", shape.width));
  return tensors;
}

std::vector<PlannedTensor> vision_tensors(const VisionShape& shape) {
  std::vector<PlannedTensor> tensors;
  for (const char* name : {"v.patch_embd.weight", "v.patch_embd.weight.1"})  // the two frames of a patch
    tensors.push_back(matrix(name, DType::kF16, {shape.width, 3, kPatch, kPatch}));
  tensors.push_back(bias("v.patch_embd.bias", shape.width));
  tensors.push_back(
      matrix("v.position_embd.weight", DType::kF16, {std::uint64_t{shape.side} * shape.side, shape.width}));
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) add_vision_layer(tensors, shape, layer);
  const std::uint64_t merged = std::uint64_t{kMerge} * kMerge * shape.width;
  add_layer_norm(tensors, "v.post_ln", shape.width);
  add_linear(tensors, "mm.0", merged, merged);
  add_linear(tensors, "mm.2", shape.out, merged);
  for (const std::uint32_t layer : shape.deepstack) {
    const std::string name = format("v.deepstack.{}", layer);
    add_layer_norm(tensors, name + ".norm", merged);
    add_linear(tensors, name + ".fc1", merged, merged);
    add_linear(tensors, name + ".fc2", shape.out, merged);
  }
  return tensors;
}

void add_text_keys(formats::GgufWriter& writer, const ModelShape& shape, const WeightTypes& types) {
  const TextShape& text = shape.text;
  const auto key = [&](std::string_view name) { return format("{}.{}", text.arch, name); };
  writer.add_string("general.architecture", text.arch);
  writer.add_string("general.type", "model");
  writer.add_string("general.name", format("synthetic-{}", shape.name));
  writer.add_u32("general.file_type", types.file_type);
  writer.add_u32(key("block_count"), text.layers);
  writer.add_u32(key("context_length"), text.context);
  writer.add_u32(key("embedding_length"), text.width);
  writer.add_u32(key("feed_forward_length"), text.ffn);
  writer.add_u32(key("attention.head_count"), text.heads);
  writer.add_u32(key("attention.head_count_kv"), text.kv_heads);
  writer.add_u32(key("attention.key_length"), text.head_dim);
  writer.add_u32(key("attention.value_length"), text.head_dim);
  writer.add_f32(key("attention.layer_norm_rms_epsilon"), kEpsilon);
  writer.add_f32(key("rope.freq_base"), text.rope_theta);
  writer.add_u32(key("rope.dimension_count"), text.head_dim);
  writer.add_u32(key("vocab_size"), text.vocab);
  if (shape.vision) {
    writer.add_i32s(key("rope.dimension_sections"), text.rope_sections);
    writer.add_u32(key("n_deepstack_layers"), static_cast<std::uint32_t>(shape.vision->deepstack.size()));
  }
  add_vocabulary(writer, text.vocab);
}

void add_vision_keys(formats::GgufWriter& writer, const VisionShape& shape) {
  writer.add_string("general.architecture", "clip");
  writer.add_string("general.type", "mmproj");
  writer.add_u32("general.file_type", 1);
  writer.add_bool("clip.has_vision_encoder", true);
  writer.add_string("clip.projector_type", "qwen3vl_merger");
  writer.add_bool("clip.use_gelu", true);
  writer.add_u32("clip.vision.image_size", shape.side * kPatch);
  writer.add_u32("clip.vision.patch_size", kPatch);
  writer.add_u32("clip.vision.embedding_length", shape.width);
  writer.add_u32("clip.vision.feed_forward_length", shape.ffn);
  writer.add_u32("clip.vision.projection_dim", shape.out);
  writer.add_u32("clip.vision.block_count", shape.layers);
  writer.add_u32("clip.vision.attention.head_count", shape.heads);
  writer.add_f32("clip.vision.attention.layer_norm_epsilon", kEpsilon);
  constexpr std::array<float, 3> kHalves = {0.5F, 0.5F, 0.5F};
  writer.add_f32s("clip.vision.image_mean", kHalves);
  writer.add_f32s("clip.vision.image_std", kHalves);
  writer.add_u32("clip.vision.spatial_merge_size", kMerge);
  std::vector<bool> is_deepstack(shape.layers, false);
  for (const std::uint32_t layer : shape.deepstack) is_deepstack[layer] = true;
  writer.add_bools("clip.vision.is_deepstack_layers", is_deepstack);
}

}  // namespace belay::make_model
