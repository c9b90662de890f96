#include "core/models/graph_weights.hpp"

#include "core/base/format.hpp"

namespace belay::models {

const graph::Weight& GraphWeights::required(std::string_view tensor) {
  static const graph::Weight nothing = {"", DType::kF32, {0, 0}, {}};
  if (const graph::Weight* found = tensors_.find(tensor)) return *found;
  build_.refuse(fail(ErrorCode::kBadInput, "{}: tensor \"{}\" is missing", name_, tensor));
  return nothing;
}

graph::WeightId GraphWeights::operator()(std::string_view tensor) { return build_.weight(required(tensor)); }

std::optional<graph::WeightId> GraphWeights::optional(std::string_view tensor) {
  const graph::Weight* found = tensors_.find(tensor);
  return found != nullptr ? std::optional(build_.weight(*found)) : std::nullopt;
}

graph::WeightId GraphWeights::rows(std::string_view tensor, std::int64_t first, std::int64_t count) {
  graph::Weight part = required(tensor);
  if (first + count > part.shape[0]) {
    build_.refuse(fail(ErrorCode::kBadInput, "{}: tensor \"{}\" has {} rows, fewer than {}", name_, tensor,
                       part.shape[0], first + count));
    return build_.weight(std::move(part));
  }
  const std::size_t row = part.data.size() / static_cast<std::size_t>(part.shape[0]);
  part.data = part.data.subspan(static_cast<std::size_t>(first) * row, static_cast<std::size_t>(count) * row);
  part.shape[0] = count;
  return build_.weight(std::move(part));
}

}  // namespace belay::models
