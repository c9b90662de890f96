#include "core/models/decoder.hpp"

#include "core/base/format.hpp"
#include "core/graph/builder.hpp"
#include "core/models/graph_weights.hpp"
#include "core/models/mrope.hpp"

#include <optional>

namespace belay::models {
namespace {

// The activations that are nearest to the logits, of the output and of the last layer's feed-forward network,
// keep 16 bits, since nothing behind them evens out an error. They are few, and weigh much: were those of the
// network kept in 8 bits, the KL divergence of SmolLM2 from f32 activations would be 1.5 times as large.
constexpr std::int32_t kNearLogits = BELAY_NUMERICS_ACT_Q16;

// One body being built: what its layers share.
struct Body {
  const DecoderConfig& config;
  DType cache;
  graph::Builder build;
  GraphWeights weight;
  graph::ValueId positions = 0;
  std::optional<graph::WeightId> freq_factors;

  Body(const Tensors& tensors, const DecoderConfig& decoder_config, DType cache_dtype, std::string_view name)
      : config(decoder_config), cache(cache_dtype), weight(tensors, build, name) {}

  // x (M, width) -> (M, heads, head_dim)
  graph::ValueId project_heads(const std::string& name, graph::ValueId x, std::uint32_t heads) {
    const auto bias = config.qkv_bias ? std::optional(weight(name + ".bias")) : std::nullopt;
    const graph::ValueId projected = build.linear(name, x, {weight(name + ".weight"), bias});
    return build.reshape(projected, {graph::kTokens, heads, config.head_dim});
  }

  // Of each head, where the architecture has that.
  graph::ValueId norm_heads(const std::string& name, graph::ValueId heads) {
    if (!config.qk_norm) return heads;
    return build.rms_norm(name + "_norm", heads, weight(name + "_norm.weight"), config.rms_epsilon);
  }

  // x (M, width) -> what attention adds to it
  graph::ValueId attention(const std::string& prefix, graph::ValueId x) {
    const graph::ValueId h =
        build.rms_norm(prefix + "attn_norm", x, weight(prefix + "attn_norm.weight"), config.rms_epsilon);
    // The three side by side, so that a plugin can do them as one.
    graph::ValueId q = project_heads(prefix + "attn_q", h, config.n_heads);
    graph::ValueId k = project_heads(prefix + "attn_k", h, config.n_kv_heads);
    const graph::ValueId v = project_heads(prefix + "attn_v", h, config.n_kv_heads);
    q = norm_heads(prefix + "attn_q", q);
    k = norm_heads(prefix + "attn_k", k);
    const graph::ValueId turned_q = build.rope(prefix + "rope_q", q, positions, config.rope, freq_factors);
    const graph::ValueId turned_k = build.rope(prefix + "rope_k", k, positions, config.rope, freq_factors);
    const auto kv = build.kv_write(prefix + "kv_write", turned_k, v, cache);
    const graph::ValueId heads = build.attention(prefix + "attention", turned_q, kv);
    const graph::ValueId joined =
        build.reshape(heads, {graph::kTokens, std::int64_t{config.n_heads} * config.head_dim});
    return build.linear(prefix + "attn_output", joined, {weight(prefix + "attn_output.weight")});
  }

  // x (M, width) -> what the feed-forward network adds to it: down(silu(gate(h)) * up(h))
  graph::ValueId feed_forward(const std::string& prefix, graph::ValueId x, std::int32_t numerics) {
    const auto linear = [&](const char* name, graph::ValueId from) {
      return build.linear(prefix + name, from,
                          {.weight = weight(prefix + name + ".weight"), .numerics = numerics});
    };
    const graph::ValueId h =
        build.rms_norm(prefix + "ffn_norm", x, weight(prefix + "ffn_norm.weight"), config.rms_epsilon);
    const graph::ValueId gate = linear("ffn_gate", h);
    const graph::ValueId up = linear("ffn_up", h);
    return linear("ffn_down", build.silu_mul(prefix + "ffn_act", gate, up));
  }
};

// What the vision encoder saw, added to rows that are empty (-1 embeds as zeros) or text (and then zeros).
std::vector<graph::ValueId> image_inputs(Body& body) {
  std::vector<graph::ValueId> rows;
  if (!body.config.takes_images) return rows;
  for (std::uint32_t level = 0; level <= body.config.n_deepstack; ++level) {
    const std::string name = level == 0 ? "image_rows" : format("deepstack_{}", level - 1);
    rows.push_back(body.build.input(name, DType::kF32, {graph::kTokens, body.config.width}));
  }
  return rows;
}

Result<graph::Graph> build_body(Body body) {
  const DecoderConfig& config = body.config;
  graph::Builder& build = body.build;
  const graph::ValueId ids = build.input("ids", DType::kI32, {graph::kTokens});
  body.positions = config.takes_images
                       ? build.input("positions", DType::kI32, {kPositionAxes, graph::kTokens})
                       : build.input("positions", DType::kI32, {graph::kTokens});
  const std::vector<graph::ValueId> images = image_inputs(body);
  body.freq_factors = body.weight.optional("rope_freqs.weight");
  graph::ValueId x = build.embed("token_embd", ids, body.weight("token_embd.weight"));
  if (!images.empty()) x = build.add("image_rows", x, images[0]);
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    const std::string prefix = format("blk.{}.", layer);
    build.set_layer(static_cast<int>(layer));
    x = build.add(prefix + "attn_residual", x, body.attention(prefix, x));
    const bool last = layer + 1 == config.n_layers;
    x = build.add(prefix + "ffn_residual", x,
                  body.feed_forward(prefix, x, last ? kNearLogits : BELAY_NUMERICS_ACT_Q8));
    if (layer + 1 < images.size()) x = build.add(prefix + "deepstack", x, images[layer + 1]);
  }
  return std::move(build).finish({x});
}

Result<graph::Graph> build_head(const DecoderConfig& config, const Tensors& tensors, std::string_view name) {
  graph::Builder build;
  GraphWeights weight(tensors, build, name);
  const graph::ValueId hidden = build.input("hidden", DType::kF32, {graph::kTokens, config.width});
  const graph::ValueId h =
      build.rms_norm("output_norm", hidden, weight("output_norm.weight"), config.rms_epsilon);
  const auto untied = weight.optional("output.weight");
  const graph::Builder::Linear output = {.weight = untied ? *untied : weight("token_embd.weight"),
                                         .numerics = kNearLogits};
  const graph::ValueId logits = build.linear("output", h, output);
  return std::move(build).finish({logits});
}

}  // namespace

Result<std::uint32_t> vocabulary_size(const Tensors& tensors, std::uint32_t width, std::string_view name) {
  const graph::Weight* table = tensors.find("token_embd.weight");
  if (table == nullptr)
    return fail(ErrorCode::kBadInput, "{}: tensor \"token_embd.weight\" is missing", name);
  if (table->shape.size() != 2 || table->shape[1] != width || table->shape[0] <= 0 ||
      table->shape[0] > kMostVocabulary) {
    return fail(ErrorCode::kBadInput, "{}: token_embd.weight is not a table of rows of {} values", name,
                width);
  }
  return static_cast<std::uint32_t>(table->shape[0]);
}

Result<Decoder> build_decoder(const DecoderConfig& config, const Tensors& tensors, DType cache,
                              std::string_view name) {
  Decoder decoder;
  decoder.cache = cache;
  decoder.config = config;
  BELAY_TRY_ASSIGN(decoder.config.vocab_size, vocabulary_size(tensors, config.width, name));
  BELAY_TRY_ASSIGN(decoder.body, build_body(Body(tensors, config, cache, name)));
  BELAY_TRY_ASSIGN(decoder.head, build_head(config, tensors, name));
  const std::int64_t rows = decoder.head.values[decoder.head.outputs[0]].shape[1];
  if (rows != decoder.config.vocab_size) {
    return fail(ErrorCode::kBadInput, "{}: output.weight has {} rows for {} tokens", name, rows,
                decoder.config.vocab_size);
  }
  return decoder;
}

}  // namespace belay::models
