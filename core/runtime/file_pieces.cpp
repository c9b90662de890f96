#include "core/runtime/file_pieces.hpp"

#include <algorithm>
#include <cstring>

namespace belay::runtime {
namespace {

constexpr std::uint64_t kPage =
    4096;  // in steps of which memory is used; a larger one only adds to the bound

const graph::Node* embed_of(const graph::Graph& body) {
  const auto found = std::find_if(body.nodes.begin(), body.nodes.end(),
                                  [](const graph::Node& node) { return node.op == graph::Op::kEmbed; });
  return found != body.nodes.end() && body.weights[found->weights[0]].home == graph::Home::kFile ? &*found
                                                                                                 : nullptr;
}

std::uint64_t row_bytes_of(const graph::Weight& table) {
  return table.data.size() / static_cast<std::uint64_t>(std::max<std::int64_t>(table.shape[0], 1));
}

}  // namespace

std::uint64_t FilePieces::bytes_of_step(const graph::Graph& body, std::uint64_t tokens) {
  const graph::Node* embed = embed_of(body);
  if (embed == nullptr) return 0;
  const graph::Weight& table = body.weights[embed->weights[0]];
  const std::uint64_t pages_of_row = (row_bytes_of(table) + 2 * kPage - 2) / kPage;  // wherever it begins
  return std::min(tokens * pages_of_row * kPage, table.data.size() + kPage);
}

Status FilePieces::copy_small(graph::Graph& graph, const models::ModelFile& file) {
  constexpr std::size_t kSmall = std::size_t{1} << 20U;
  constexpr std::uint64_t kAlignment = memory::kAlignment;
  std::vector<graph::Weight*> small;
  std::uint64_t bytes = 0;
  for (graph::Weight& weight : graph.weights) {
    if (weight.home != graph::Home::kFile || weight.data.size() > kSmall || weight.shape.size() != 1 ||
        !file.place_of(weight.data))
      continue;
    small.push_back(&weight);
    bytes += (weight.data.size() + kAlignment - 1) / kAlignment * kAlignment;
  }
  BELAY_TRY_ASSIGN(memory::Buffer copy, memory::Buffer::allocate(bytes, "norms and biases"));
  std::byte* to = copy.data();
  for (graph::Weight* weight : small) {
    std::memcpy(to, weight->data.data(), weight->data.size());
    forget_pages(weight->data);
    weight->data = {to, weight->data.size()};
    weight->home = graph::Home::kMemory;
    to += (weight->data.size() + kAlignment - 1) / kAlignment * kAlignment;
  }
  copies_.push_back(std::move(copy));
  return {};
}

Status FilePieces::embed_by_rows(graph::Graph& body, const models::ModelFile& file) {
  const graph::Node* embed = embed_of(body);
  if (embed == nullptr) return {};
  graph::Weight& weight = body.weights[embed->weights[0]];
  const auto place = file.place_of(weight.data);
  if (!place || file.made().find(weight.name) != nullptr) return {};
  BELAY_TRY_ASSIGN(table_, memory::Buffer::allocate(weight.data.size(), "the rows of the embedding"));
  embed_ = static_cast<std::size_t>(embed - body.nodes.data());
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
