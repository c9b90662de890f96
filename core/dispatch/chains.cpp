#include "core/dispatch/chains.hpp"

#include "core/base/format.hpp"

#include <algorithm>

namespace belay::dispatch {
namespace {

// "q8_0*f32" is about q8_0 weights, "f32" about f32.
bool covers(std::string_view claim, DType dtype) {
  return claim.substr(0, claim.find('*')) == to_string(dtype);
}

std::string group_name(const graph::Graph& graph, const graph::Node& node) {
  return format("{}/{}", graph::op_name(node.op), to_string(graph::grouping_dtype(graph, node)));
}

}  // namespace

bool provides(const manifest::Manifest& manifest, graph::Op op, DType dtype) {
  return std::any_of(
      manifest.provides.begin(), manifest.provides.end(), [&](const manifest::Provides& entry) {
        const auto about_dtype = [&](const std::string& claim) { return covers(claim, dtype); };
        return entry.op == graph::op_id(op) &&
               std::any_of(entry.dtypes.begin(), entry.dtypes.end(), about_dtype);
      });
}

Chains build_chains(const graph::Graph& graph, std::span<const manifest::Manifest* const> selected) {
  Chains chains(graph.nodes.size());
  for (std::size_t i = 0; i < chains.size(); ++i) {
    const graph::Node& node = graph.nodes[i];
    for (std::size_t p = 0; p < selected.size(); ++p) {
      if (provides(*selected[p], node.op, graph::grouping_dtype(graph, node))) {
        chains[i].push_back(static_cast<std::uint8_t>(p));
      }
    }
  }
  return chains;
}

void add_chains(ChainTable& table, const graph::Graph& graph, const Chains& chains,
                std::span<const manifest::Manifest* const> selected) {
  for (std::size_t i = 0; i < chains.size(); ++i) {
    std::vector<std::string> ids;
    for (const std::uint8_t p : chains[i]) ids.push_back(selected[p]->id);
    table.try_emplace(group_name(graph, graph.nodes[i]), std::move(ids));
  }
}

void add_chains(ChainTable& table, const graph::Graph& graph, const Dispatcher& dispatcher) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    std::vector<std::string> ids = dispatcher.chain(i);
    const auto [group, added] = table.try_emplace(group_name(graph, graph.nodes[i]), ids);
    if (!added && group->second != ids)
      table[format("{} ({})", group->first, graph.nodes[i].name)] = std::move(ids);
  }
}

}  // namespace belay::dispatch
