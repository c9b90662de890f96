#include "tests/reference/ops.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace belay::reference {

Values absolute(View values) {
  Values result(values.begin(), values.end());
  for (double& value : result) value = std::fabs(value);
  return result;
}

Values embed(View table, std::size_t width, std::span<const std::int32_t> ids) {
  Values result;
  for (const std::int32_t id : ids) {
    if (id == -1) {
      result.insert(result.end(), width, 0.0);
      continue;
    }
    const View row = table.subspan(static_cast<std::size_t>(id) * width, width);
    result.insert(result.end(), row.begin(), row.end());
  }
  return result;
}

Values linear(View x, View weight, View bias, const LinearSize& size) {
  Values result;
  for (std::size_t m = 0; m < size.m; ++m) {
    for (std::size_t n = 0; n < size.n; ++n) {
      double sum = 0.0;
      for (std::size_t i = 0; i < size.k; ++i) sum += x[m * size.k + i] * weight[n * size.k + i];
      result.push_back(bias.empty() ? sum : sum + bias[n]);
    }
  }
  return result;
}

namespace {

constexpr std::size_t kActivationBlock = 32;
constexpr double kNearlyDenormal = 1e-36;  // floats have few bits left near 2^-126

void quantise_block(View block, QuantisedActivations& to) {
  double largest = 0.0;
  bool finite = true;
  for (const double value : block) {
    finite = finite && std::isfinite(value);
    largest = std::max(largest, std::fabs(value));
  }
  // Float arithmetic of an implementation moves x / scale by about 127 * 2^-23.
  constexpr double kTieWidth = 1e-4;
  const double scale = largest / 127.0;
  for (const double value : block) {
    const double steps = scale == 0.0 ? 0.0 : value / scale;
    const double distance = std::fabs(std::fabs(steps - std::trunc(steps)) - 0.5);
    to.values.push_back(finite ? scale * std::nearbyint(steps) : std::numeric_limits<double>::quiet_NaN());
    if (largest < kNearlyDenormal) {
      to.doubt.push_back(largest);
    } else {
      to.doubt.push_back(distance < kTieWidth ? scale : 0.0);
    }
  }
}

}  // namespace

QuantisedActivations quantise_activations(View x, std::size_t k) {
  QuantisedActivations result;
  for (std::size_t row = 0; row < x.size(); row += k) {
    for (std::size_t i = 0; i < k; i += kActivationBlock) {
      quantise_block(x.subspan(row + i, std::min(kActivationBlock, k - i)), result);
    }
  }
  return result;
}

Values q16_doubt(View x, std::size_t k) {
  Values doubt;
  for (std::size_t row = 0; row < x.size(); row += k) {
    for (std::size_t i = 0; i < k; i += kActivationBlock) {
      double largest = 0.0;
      const View block = x.subspan(row + i, std::min(kActivationBlock, k - i));
      for (const double value : block) largest = std::max(largest, std::abs(value));
      doubt.insert(doubt.end(), block.size(), largest < kNearlyDenormal ? largest : largest * 0x1p-15);
    }
  }
  return doubt;
}

Values rms_norm(View x, View weight, double epsilon) {
  Values result;
  const std::size_t d = weight.size();
  for (std::size_t row = 0; row < x.size(); row += d) {
    double squares = 0.0;
    for (std::size_t i = 0; i < d; ++i) squares += x[row + i] * x[row + i];
    const double root = std::sqrt(squares / static_cast<double>(d) + epsilon);
    for (std::size_t i = 0; i < d; ++i) result.push_back(x[row + i] / root * weight[i]);
  }
  return result;
}

Values layer_norm(View x, View weight, View bias, double epsilon) {
  Values result;
  const std::size_t d = weight.size();
  for (std::size_t row = 0; row < x.size(); row += d) {
    double sum = 0.0;
    for (std::size_t i = 0; i < d; ++i) sum += x[row + i];
    const double mean = sum / static_cast<double>(d);
    double squares = 0.0;
    for (std::size_t i = 0; i < d; ++i) squares += (x[row + i] - mean) * (x[row + i] - mean);
    const double root = std::sqrt(squares / static_cast<double>(d) + epsilon);
    for (std::size_t i = 0; i < d; ++i) result.push_back((x[row + i] - mean) / root * weight[i] + bias[i]);
  }
  return result;
}

std::size_t rope_axis(const Rope& rope, std::size_t pair) {
  const auto& sections = rope.sections;
  if (std::all_of(sections.begin(), sections.end(), [](std::uint32_t size) { return size == 0; })) return 0;
  if (rope.interleaved) {
    if (pair % 3 == 1 && pair < 3 * std::size_t{sections[1]}) return 1;
    if (pair % 3 == 2 && pair < 3 * std::size_t{sections[2]}) return 2;
    return 0;
  }
  std::size_t end = 0;
  for (std::size_t axis = 0; axis < sections.size(); ++axis) {
    end += sections[axis];
    if (pair < end) return axis;
  }
  return 0;
}

Values rope(const Rope& rope, View x, std::size_t heads, std::size_t d,
            std::span<const std::int32_t> positions, std::size_t tokens, View freq_factors) {
  Values result(x.begin(), x.end());
  const std::size_t pairs = rope.rotary_dim / 2;
  for (std::size_t row = 0; row < tokens * heads; ++row) {
    const std::size_t token = row / heads;
    for (std::size_t i = 0; i < pairs; ++i) {
      const double p = positions[rope_axis(rope, i) * tokens + token];
      const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(rope.rotary_dim);
      const double factor = freq_factors.empty() ? 1.0 : freq_factors[i];
      const double angle = rope.position_scale * p * std::pow(rope.theta, exponent) / factor;
      const std::size_t first = row * d + (rope.adjacent ? 2 * i : i);
      const std::size_t second = row * d + (rope.adjacent ? 2 * i + 1 : i + pairs);
      result[first] = x[first] * std::cos(angle) - x[second] * std::sin(angle);
      result[second] = x[second] * std::cos(angle) + x[first] * std::sin(angle);
    }
  }
  return result;
}

std::size_t cache_index(std::size_t kv_head, std::size_t position, std::size_t blocks, std::size_t d) {
  return ((kv_head * blocks + position / 64) * 64 + position % 64) * d;
}

void kv_write(View x, std::size_t kv_heads, std::size_t d, std::size_t position, Values& cache) {
  const std::size_t blocks = cache.size() / (kv_heads * 64 * d);
  const std::size_t tokens = x.size() / (kv_heads * d);
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t head = 0; head < kv_heads; ++head) {
      const std::size_t at = cache_index(head, position + token, blocks, d);
      for (std::size_t i = 0; i < d; ++i) cache[at + i] = x[(token * kv_heads + head) * d + i];
    }
  }
}

namespace {

struct Scores {
  Values weights;  // softmax over the visible keys
  double magnitude = 0.0;
};

Scores attend(const Attention& shape, View q, View k_cache, std::size_t kv_head, std::size_t blocks,
              std::size_t visible) {
  Scores result;
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t p = 0; p < visible; ++p) {
    const std::size_t at = cache_index(kv_head, p, blocks, shape.d);
    double score = 0.0;
    double magnitude = 0.0;
    for (std::size_t i = 0; i < shape.d; ++i) {
      score += q[i] * k_cache[at + i];
      magnitude += std::fabs(q[i] * k_cache[at + i]);
    }
    result.weights.push_back(score * shape.scale);
    result.magnitude = std::max(result.magnitude, magnitude * std::fabs(shape.scale));
    largest = std::max(largest, result.weights.back());
  }
  double sum = 0.0;
  for (double& weight : result.weights) sum += weight = std::exp(weight - largest);
  for (double& weight : result.weights) weight /= sum;
  return result;
}

}  // namespace

AttentionResult attention(const Attention& shape, View q, View k_cache, View v_cache) {
  const std::size_t d = shape.d;
  const std::size_t tokens = q.size() / (shape.heads * d);
  const std::size_t blocks = k_cache.size() / (shape.kv_heads * 64 * d);
  AttentionResult result;
  for (std::size_t row = 0; row < tokens * shape.heads; ++row) {
    const std::size_t token = row / shape.heads;
    const std::size_t kv_head = row % shape.heads / (shape.heads / shape.kv_heads);
    const std::size_t visible = shape.position + (shape.causal ? token + 1 : tokens);
    const Scores scores = attend(shape, q.subspan(row * d, d), k_cache, kv_head, blocks, visible);
    for (std::size_t i = 0; i < d; ++i) {
      double sum = 0.0;
      for (std::size_t p = 0; p < visible; ++p)
        sum += scores.weights[p] * v_cache[cache_index(kv_head, p, blocks, d) + i];
      result.output.push_back(sum);
    }
    result.score_magnitude.push_back(scores.magnitude);
  }
  return result;
}

double silu(double x) { return x / (1.0 + std::exp(-x)); }

double gelu_erf(double x) { return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2)); }

double gelu_tanh(double x) {
  const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(inner));
}

Values silu_mul(View gate, View up) {
  Values result;
  for (std::size_t i = 0; i < gate.size(); ++i) result.push_back(silu(gate[i]) * up[i]);
  return result;
}

Values add(View a, View b) {
  Values result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(a[i] + b[i]);
  return result;
}

}  // namespace belay::reference
