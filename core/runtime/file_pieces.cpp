#include "core/runtime/file_pieces.hpp"

#include <algorithm>
#include <cstring>

namespace belay::runtime {
namespace {

// In steps of this memory is used. Larger pages would add to the bound.
constexpr std::uint64_t kPage = 4096;

// The table of the embedding, when it lies in a file.
std::optional<graph::WeightId> table_of(const graph::Graph& body) {
  const std::size_t embed = graph::first_node(body, graph::Op::kEmbed);
  if (embed == body.nodes.size()) return std::nullopt;
  const graph::WeightId table = body.nodes[embed].weights[0];
  return body.weights[table].home == graph::Home::kFile ? std::optional(table) : std::nullopt;
}

std::uint64_t row_bytes_of(const graph::Weight& table) {
  return table.data.size() / static_cast<std::uint64_t>(std::max<std::int64_t>(table.shape[0], 1));
}

}  // namespace

std::uint64_t FilePieces::bytes_of_step(const graph::Graph& body, std::uint64_t tokens) {
  const auto id = table_of(body);
  if (!id) return 0;
  const graph::Weight& table = body.weights[*id];
  const std::uint64_t pages_of_row = (row_bytes_of(table) + 2 * kPage - 2) / kPage;  // wherever it begins
  return std::min(tokens * pages_of_row * kPage, table.data.size() + kPage);
}

Status FilePieces::copy_small(graph::Graph& graph, const models::ModelFile& file) {
  constexpr std::size_t kSmall = std::size_t{1} << 20U;
  const auto room = [](const graph::Weight& weight) {
    return (weight.data.size() + memory::kAlignment - 1) / memory::kAlignment * memory::kAlignment;
  };
  std::vector<graph::Weight*> small;
  std::uint64_t bytes = 0;
  for (graph::Weight& weight : graph.weights) {
    if (weight.home != graph::Home::kFile || weight.data.size() > kSmall || weight.shape.size() != 1 ||
        !file.place_of(weight.data))
      continue;
    small.push_back(&weight);
    bytes += room(weight);
  }
  BELAY_TRY_ASSIGN(memory::Buffer copy, memory::Buffer::allocate(bytes, "norms and biases"));
  std::byte* to = copy.data();
  for (graph::Weight* weight : small) {
    std::memcpy(to, weight->data.data(), weight->data.size());
    forget_pages(weight->data);
    weight->data = {to, weight->data.size()};
    weight->home = graph::Home::kMemory;
    to += room(*weight);
  }
  copies_.push_back(std::move(copy));
  return {};
}

Status FilePieces::embed_by_rows(graph::Graph& body, const models::ModelFile& file) {
  const auto id = table_of(body);
  if (!id) return {};
  graph::Weight& weight = body.weights[*id];
  const auto place = file.place_of(weight.data);
  if (!place || file.made().find(weight.name) != nullptr) return {};
  BELAY_TRY_ASSIGN(table_, memory::Buffer::allocate(weight.data.size(), "the rows of the embedding"));
  embed_ = graph::first_node(body, graph::Op::kEmbed);
  place_ = *place;
  row_bytes_ = row_bytes_of(weight);
  weight.data = {table_.data(), table_.size()};
  weight.home = graph::Home::kRing;
  return {};
}

Status FilePieces::bring(std::span<const std::int32_t> rows) {
  const std::uint64_t count = table_.size() / row_bytes_;
  for (const std::int32_t row : rows) {
    if (row < 0 || static_cast<std::uint64_t>(row) >= count) continue;
    const std::uint64_t at = static_cast<std::uint64_t>(row) * row_bytes_;
    BELAY_TRY(read_range(place_.file, place_.offset + at, {table_.data() + at, row_bytes_}));
  }
  return {};
}

}  // namespace belay::runtime
