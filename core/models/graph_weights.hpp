// A model's tensors as weights of one graph that is being built, by GGUF's names. A tensor that is missing is
// the builder's mistake and gets an empty stand-in.
#pragma once

#include "core/graph/builder.hpp"
#include "core/models/tensors.hpp"

#include <optional>
#include <string_view>

namespace belay::models {

class GraphWeights {
 public:
  // `name` is the model's, for messages. All must outlive this object.
  GraphWeights(const Tensors& tensors, graph::Builder& build, std::string_view name)
      : tensors_(tensors), build_(build), name_(name) {}

  graph::WeightId operator()(std::string_view tensor);
  std::optional<graph::WeightId> optional(std::string_view tensor);
  // `count` rows of a matrix, or elements of a vector, from `first` on: a view.
  graph::WeightId rows(std::string_view tensor, std::int64_t first, std::int64_t count);

 private:
  const graph::Weight& required(std::string_view tensor);

  const Tensors& tensors_;
  graph::Builder& build_;
  std::string_view name_;
};

}  // namespace belay::models
