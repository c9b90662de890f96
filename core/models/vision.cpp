#include "core/models/vision.hpp"

#include "core/base/format.hpp"
#include "core/graph/builder.hpp"
#include "core/models/graph_weights.hpp"

#include <algorithm>
#include <cmath>

namespace belay::models {
namespace {

constexpr double kRopeTheta = 10000.0;  // the same in every published model, and in none of their files

// Rows and columns turn the first and the second half of a head's pairs, each with the same wavelengths. With
// theta 1, wavelengths as factors say just that.
std::vector<float> wavelengths(std::uint32_t head_dim) {
  const std::uint32_t pairs = head_dim / 2;
  std::vector<float> factors(pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const std::uint32_t of_axis = i % (pairs / 2);
    factors[i] = static_cast<float>(std::pow(kRopeTheta, 2.0 * of_axis / pairs));
  }
  return factors;
}

belay_rope_attributes_t rotation(std::uint32_t head_dim) {
  belay_rope_attributes_t rope = {};
  rope.struct_size = sizeof rope;
  rope.style = BELAY_ROPE_HALVES;
  rope.theta = 1.0F;
  rope.position_scale = 1.0F;
  rope.rotary_dim = head_dim;
  rope.sections[0] = rope.sections[1] = head_dim / 4;
  return rope;
}

// The encoder being built.
struct Encoder {
  const VisionConfig& config;
  graph::Builder build;
  GraphWeights weight;
  graph::ValueId coordinates = 0;
  graph::WeightId wavelengths = 0;
  std::int64_t head_dim;

  Encoder(const VisionConfig& vision, const Tensors& tensors, std::string_view name)
      : config(vision), weight(tensors, build, name), head_dim(vision.width / vision.n_heads) {}

  graph::ValueId linear(const std::string& name, graph::ValueId x) {
    return build.linear(name, x, {weight(name + ".weight"), weight(name + ".bias")});
  }
  graph::ValueId norm(const std::string& name, graph::ValueId x) {
    return build.layer_norm(name, x, weight(name + ".weight"), weight(name + ".bias"), config.norm_epsilon);
  }

  // Part 0, 1 or 2 of the joined projection: q, k or v. (P, width) -> (P, heads, head_dim)
  graph::ValueId heads(const std::string& prefix, graph::ValueId x, int part) {
    const std::string name = prefix + "attn_qkv";
    const std::int64_t width = config.width;
    const graph::ValueId projected = build.linear(format("{}.{}", name, "qkv"[part]), x,
                                                  {weight.rows(name + ".weight", part * width, width),
                                                   weight.rows(name + ".bias", part * width, width)});
    return build.reshape(projected, {graph::kTokens, config.n_heads, head_dim});
  }

  graph::ValueId attention(const std::string& prefix, graph::ValueId x) {
    const graph::ValueId h = norm(prefix + "ln1", x);
    const belay_rope_attributes_t rope = rotation(static_cast<std::uint32_t>(head_dim));
    const auto turned = [&](int part, const char* name) {
      return build.rope(prefix + name, heads(prefix, h, part), coordinates, rope, wavelengths);
    };
    const graph::ValueId q = turned(0, "rope_q");
    const graph::ValueId k = turned(1, "rope_k");
    const graph::ValueId seen = build.attend_all(prefix + "attention", {q, k, heads(prefix, h, 2)});
    return linear(prefix + "attn_out", build.reshape(seen, {graph::kTokens, config.width}));
  }

  graph::ValueId feed_forward(const std::string& prefix, graph::ValueId x) {
    const graph::ValueId hidden = linear(prefix + "ffn_up", norm(prefix + "ln2", x));
    return linear(prefix + "ffn_down", build.gelu(prefix + "ffn_act", hidden, BELAY_GELU_TANH));
  }

  // (P/4, 4 * width) -> (P/4, output_width)
  graph::ValueId project(const std::string& first, const std::string& second, graph::ValueId groups) {
    return linear(second, build.gelu(first + ".act", linear(first, groups), BELAY_GELU_ERF));
  }
  graph::ValueId grouped(graph::ValueId x) {
    return build.reshape(x, {graph::kGroups, graph::kGroupTokens * std::int64_t{config.width}});
  }

  // The last rows are normed patch by patch and then joined; those of a level are joined first.
  graph::ValueId merged(graph::ValueId x) { return project("mm.0", "mm.2", grouped(norm("v.post_ln", x))); }
  graph::ValueId level(std::uint32_t layer, graph::ValueId x) {
    const std::string prefix = format("v.deepstack.{}.", layer);
    return project(prefix + "fc1", prefix + "fc2", norm(prefix + "norm", grouped(x)));
  }
};

Result<graph::Graph> build_encoder(Encoder encoder, std::span<const float> factors) {
  const VisionConfig& config = encoder.config;
  graph::Builder& build = encoder.build;
  const graph::ValueId patches = build.input("patches", DType::kF32, {graph::kTokens, kPatchValues});
  const graph::ValueId positions = build.input("position_rows", DType::kF32, {graph::kTokens, config.width});
  encoder.coordinates = build.input("coordinates", DType::kI32, {2, graph::kTokens});
  encoder.wavelengths =
      build.weight({"wavelengths", DType::kF32, {std::ssize(factors)}, std::as_bytes(factors)});
  graph::ValueId x = build.add("v.positions", encoder.linear("v.patch_embd", patches), positions);
  std::vector<graph::ValueId> levels;
  for (std::uint32_t layer = 0; layer < config.depth; ++layer) {
    const std::string prefix = format("v.blk.{}.", layer);
    build.set_layer(static_cast<int>(layer));
    x = build.add(prefix + "attn_residual", x, encoder.attention(prefix, x));
    x = build.add(prefix + "ffn_residual", x, encoder.feed_forward(prefix, x));
    const auto& marked = config.deepstack_layers;
    if (std::find(marked.begin(), marked.end(), layer) != marked.end())
      levels.push_back(encoder.level(layer, x));
  }
  build.set_layer(-1);
  levels.insert(levels.begin(), encoder.merged(x));
  return std::move(build).finish(std::move(levels));
}

// Calls take(row, column) for each patch, 2 x 2 block by block.
template <class Take>
void for_patches(const PatchGrid& grid, Take&& take) {
  for (std::uint32_t block_row = 0; block_row < grid.rows; block_row += kMergeSide) {
    for (std::uint32_t block_column = 0; block_column < grid.columns; block_column += kMergeSide) {
      for (std::uint32_t i = 0; i < kMergeSide * kMergeSide; ++i)
        take(block_row + i / kMergeSide, block_column + i % kMergeSide);
    }
  }
}

// A place between two rows (or columns) of the table.
struct Tap {
  std::uint32_t low;
  std::uint32_t high;
  float weight;  // of `high`
};

std::vector<Tap> taps(std::uint32_t count, std::uint32_t side) {
  std::vector<Tap> all(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const float at =
        static_cast<float>(i) * static_cast<float>(side - 1) / static_cast<float>(std::max(count - 1, 1U));
    const auto low = static_cast<std::uint32_t>(at);
    all[i] = {low, std::min(low + 1, side - 1), at - static_cast<float>(low)};
  }
  return all;
}

}  // namespace

Result<Vision> build_vision(const VisionConfig& config, const Tensors& tensors, std::string_view name) {
  Vision vision;
  vision.config = config;
  vision.wavelengths = wavelengths(config.width / config.n_heads);
  BELAY_TRY_ASSIGN(vision.graph, build_encoder(Encoder(config, tensors, name), vision.wavelengths));
  for (const graph::ValueId output : vision.graph.outputs) {
    const std::int64_t width = vision.graph.values[output].shape.back();
    if (width == std::int64_t{config.output_width}) continue;
    return fail(ErrorCode::kBadInput, "{}: {} makes rows of {} values; the decoder takes {}", name,
                vision.graph.values[output].name, width, config.output_width);
  }
  return vision;
}

std::vector<std::int32_t> patch_coordinates(const PatchGrid& grid) {
  std::vector<std::int32_t> coordinates;
  coordinates.reserve(2 * grid.patches());
  for_patches(
      grid, [&](std::uint32_t row, std::uint32_t) { coordinates.push_back(static_cast<std::int32_t>(row)); });
  for_patches(grid, [&](std::uint32_t, std::uint32_t column) {
    coordinates.push_back(static_cast<std::int32_t>(column));
  });
  return coordinates;
}

std::vector<float> position_rows(std::span<const float> table, std::uint32_t side, std::uint32_t width,
                                 const PatchGrid& grid) {
  const std::vector<Tap> vertical = taps(grid.rows, side);
  const std::vector<Tap> horizontal = taps(grid.columns, side);
  std::vector<float> rows(grid.patches() * width);
  float* out = rows.data();
  for_patches(grid, [&](std::uint32_t row, std::uint32_t column) {
    const Tap& y = vertical[row];
    const Tap& x = horizontal[column];
    const auto at = [&](std::uint32_t r, std::uint32_t c) {
      return table.data() + (std::size_t{r} * side + c) * width;
    };
    const float* corners[4] = {at(y.low, x.low), at(y.low, x.high), at(y.high, x.low), at(y.high, x.high)};
    const float weights[4] = {(1 - y.weight) * (1 - x.weight), (1 - y.weight) * x.weight,
                              y.weight * (1 - x.weight), y.weight * x.weight};
    for (std::uint32_t i = 0; i < width; ++i) {
      *out++ = corners[0][i] * weights[0] + corners[1][i] * weights[1] + corners[2][i] * weights[2] +
               corners[3][i] * weights[3];
    }
  });
  return rows;
}

}  // namespace belay::models
