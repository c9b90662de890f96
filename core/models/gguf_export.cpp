#include "core/models/gguf_export.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/formats/gguf_writer.hpp"
#include "core/models/patch_weight.hpp"
#include "core/models/quantize_weights.hpp"
#include "core/models/vision.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace belay::models {
namespace {

using formats::GgufWriter;

bool is_of_vision(std::string_view name) { return name.starts_with("v.") || name.starts_with("mm."); }

void add_decoder_config(GgufWriter& out, const DecoderConfig& config) {
  const std::string p = config.architecture + ".";
  out.add_string("general.architecture", config.architecture);
  out.add_string("general.name", config.name);
  out.add_u32(p + "block_count", config.n_layers);
  out.add_u32(p + "context_length", config.context_length);
  out.add_u32(p + "embedding_length", config.width);
  out.add_u32(p + "feed_forward_length", config.ffn_width);
  out.add_u32(p + "attention.head_count", config.n_heads);
  out.add_u32(p + "attention.head_count_kv", config.n_kv_heads);
  out.add_u32(p + "attention.key_length", config.head_dim);
  out.add_u32(p + "attention.value_length", config.head_dim);
  out.add_f32(p + "attention.layer_norm_rms_epsilon", config.rms_epsilon);
  out.add_u32(p + "vocab_size", config.vocab_size);
  out.add_f32(p + "rope.freq_base", config.rope.theta);
  out.add_u32(p + "rope.dimension_count", config.rope.rotary_dim);
  if (config.rope.position_scale != 1.0F) {
    out.add_string(p + "rope.scaling.type", "linear");
    out.add_f32(p + "rope.scaling.factor", 1.0F / config.rope.position_scale);
  }
  if (!config.takes_images) return;
  std::vector<std::int32_t> sections;
  for (const std::uint32_t section : config.rope.sections)
    sections.push_back(static_cast<std::int32_t>(section));
  out.add_i32s(p + "rope.dimension_sections", sections);
  out.add_u32(p + "n_deepstack_layers", config.n_deepstack);
}

void add_vocabulary(GgufWriter& out, const tokenizer::TokenizerData& data) {
  const auto texts = [](const std::vector<std::string_view>& views) {
    return std::vector<std::string>(views.begin(), views.end());
  };
  std::vector<std::int32_t> types;
  for (const tokenizer::TokenType type : data.types) types.push_back(static_cast<std::int32_t>(type));
  out.add_string("tokenizer.ggml.model", "gpt2");
  out.add_string("tokenizer.ggml.pre", tokenizer::pre_tokenizer_name(data.pre));
  out.add_strings("tokenizer.ggml.tokens", texts(data.tokens));
  out.add_i32s("tokenizer.ggml.token_type", types);
  out.add_strings("tokenizer.ggml.merges", texts(data.merges));
  const auto add_id = [&](std::string_view key, std::optional<std::int32_t> id) {
    if (id) out.add_u32(format("tokenizer.ggml.{}_token_id", key), static_cast<std::uint32_t>(*id));
  };
  // What the folder lists apart as the ends of an answer; the first is the one that GGUF has a place for.
  const auto first_end = data.ends.empty() ? std::nullopt : std::optional(data.ends.front());
  add_id("bos", data.bos);
  add_id("eos", data.eos ? data.eos : first_end);
  add_id("eot", data.eot);
  add_id("padding", data.pad);
  add_id("unknown", data.unknown);
  out.add_bool("tokenizer.ggml.add_bos_token", data.add_bos);
}

void add_vision_config(GgufWriter& out, const VisionConfig& config, const std::string& name) {
  out.add_string("general.architecture", "clip");
  out.add_string("general.type", "mmproj");
  out.add_string("general.name", name);
  out.add_bool("clip.has_vision_encoder", true);
  out.add_string("clip.projector_type", "qwen3vl_merger");
  out.add_bool("clip.use_gelu", true);
  const std::string p = "clip.vision.";
  out.add_u32(p + "image_size", config.table_side * kPatchSide);
  out.add_u32(p + "patch_size", kPatchSide);
  out.add_u32(p + "embedding_length", config.width);
  out.add_u32(p + "feed_forward_length", config.ffn_width);
  out.add_u32(p + "projection_dim", config.output_width);
  out.add_u32(p + "block_count", config.depth);
  out.add_u32(p + "attention.head_count", config.n_heads);
  out.add_f32(p + "attention.layer_norm_epsilon", config.norm_epsilon);
  out.add_u32(p + "spatial_merge_size", kMergeSide);
  out.add_f32s(p + "image_mean", config.preprocess.mean);
  out.add_f32s(p + "image_std", config.preprocess.std);
  out.add_u64(p + "image_min_pixels", config.preprocess.limits.min_pixels);
  out.add_u64(p + "image_max_pixels", config.preprocess.limits.max_pixels);
  std::vector<bool> flags(config.depth);
  for (const std::uint32_t layer : config.deepstack_layers) flags[layer] = true;
  out.add_bools(p + "is_deepstack_layers", flags);
}

// A tensor of the file, made when its turn comes.
struct Entry {
  const graph::Weight* weight;
  std::string name;
  DType dtype;
  std::vector<std::uint64_t> shape;
};

// "blk.12.attn_q.weight" lies behind "blk.3.": by number, and what is outside the layers in front.
int layer_of(std::string_view name) {
  const std::size_t at = name.find("blk.");
  int layer = -1;
  if (at != std::string_view::npos) std::from_chars(name.data() + at + 4, name.data() + name.size(), layer);
  return layer;
}

// A file being written.
class Export {
 public:
  Export(const ModelFile& model, const ExportOptions& options) : model_(model), options_(options) {
    threading::PoolOptions threads;
    threads.threads = static_cast<std::uint32_t>(options.threads);
    if (options.quantize) pool_.emplace(threads);
  }

  GgufWriter& description() { return description_; }

  Status write(bool vision, const std::filesystem::path& path) {
    list(vision);
    for (const Entry& entry : entries_)
      BELAY_TRY(description_.declare_tensor(entry.name, entry.dtype, entry.shape));
    BELAY_TRY_ASSIGN(formats::GgufFileWriter file, formats::GgufFileWriter::begin(path, description_));
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (options_.on_tensor) BELAY_TRY(options_.on_tensor(i, entries_.size()));
      BELAY_TRY(append(entries_[i], file));
    }
    return file.finish();
  }

 private:
  Status append(const Entry& entry, formats::GgufFileWriter& file) {
    BELAY_TRY_ASSIGN(const std::span<const std::byte> bytes, bytes_of(entry));
    BELAY_TRY(file.append(entry.name, bytes));
    if (entry.weight->home == graph::Home::kFile) forget_pages(entry.weight->data);
    return {};
  }

  void list(bool vision) {
    for (const auto& [name, weight] : model_.tensors().all()) {
      if (is_of_vision(name) != vision) continue;
      Entry entry{&weight, name, weight.dtype, {weight.shape.begin(), weight.shape.end()}};
      if (options_.quantize)
        entry.dtype = quantized_type(name, weight.shape, weight.dtype, *options_.quantize);
      if (name == kPatchWeight) {
        entry.shape = {entry.shape[0], 3, kPatchSide, kPatchSide};
        entries_.push_back(entry);
        entry.name = kSecondTap;
      }
      entries_.push_back(std::move(entry));
    }
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return layer_of(a.name) < layer_of(b.name); });
  }

  // The bytes of a tensor as the file has them; valid until the next call.
  Result<std::span<const std::byte>> bytes_of(const Entry& entry) {
    const graph::Weight& weight = *entry.weight;
    if (weight.name == kPatchWeight) return half_of(weight);
    const bool turned = is_rotated(entry.name);
    if (entry.dtype == weight.dtype && !turned) return weight.data;
    buffer_.resize(*row_bytes(entry.dtype, entry.shape.back()) *
                   (entry.shape.size() == 2 ? entry.shape[0] : 1));
    if (entry.dtype == weight.dtype) {
      std::copy(weight.data.begin(), weight.data.end(), buffer_.begin());
    } else {
      BELAY_TRY(quantize(weight, entry.dtype, buffer_, *pool_));
    }
    if (turned) pair_rows(weight);
    return std::span<const std::byte>(buffer_);
  }

  // One matrix stands for both taps; each gets half of it, which adds up to the same bits.
  std::span<const std::byte> half_of(const graph::Weight& weight) {
    buffer_.resize(weight.data.size());
    const auto* from = reinterpret_cast<const float*>(weight.data.data());
    auto* to = reinterpret_cast<float*>(buffer_.data());
    for (std::size_t i = 0; i < buffer_.size() / sizeof(float); ++i) to[i] = from[i] / 2;
    return buffer_;
  }

  // GGUF's llama rotates adjacent rows of a query or key head, Hugging Face's the two halves.
  [[nodiscard]] bool is_rotated(std::string_view name) const {
    const bool is_q_or_k =
        name.find(".attn_q.") != std::string_view::npos || name.find(".attn_k.") != std::string_view::npos;
    return is_q_or_k && model_.config().architecture == "llama" &&
           model_.config().rope.style == BELAY_ROPE_HALVES;
  }
  void pair_rows(const graph::Weight& weight) {
    const std::vector<std::byte> halves = buffer_;
    const std::size_t row = halves.size() / static_cast<std::size_t>(weight.shape[0]);
    const std::size_t pairs = model_.config().head_dim / 2;
    for (std::size_t from = 0; from < static_cast<std::size_t>(weight.shape[0]); ++from) {
      const std::size_t in_head = from % (2 * pairs);
      const std::size_t to = from - in_head + 2 * (in_head % pairs) + in_head / pairs;
      std::memcpy(buffer_.data() + to * row, halves.data() + from * row, row);
    }
  }

  const ModelFile& model_;
  const ExportOptions& options_;
  GgufWriter description_;
  std::vector<Entry> entries_;
  std::vector<std::byte> buffer_;
  std::optional<threading::Pool> pool_;
};

}  // namespace

Status export_decoder(const ModelFile& model, const std::filesystem::path& path,
                      const ExportOptions& options) {
  Export out(model, options);
  add_decoder_config(out.description(), model.config());
  BELAY_TRY_ASSIGN(const tokenizer::HfTokenizer vocabulary, model.vocabulary());
  add_vocabulary(out.description(), vocabulary.data);
  if (model.chat_template()) out.description().add_string("tokenizer.chat_template", *model.chat_template());
  return out.write(false, path);
}

Status export_vision(const ModelFile& model, const std::filesystem::path& path,
                     const ExportOptions& options) {
  Export out(model, options);
  add_vision_config(out.description(), *model.vision(), model.config().name);
  return out.write(true, path);
}

}  // namespace belay::models
