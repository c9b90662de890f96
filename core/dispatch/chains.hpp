// From the selected plugins to an ordered chain for every node. Pure.
#pragma once

#include "core/dispatch/dispatcher.hpp"
#include "core/manifest/manifest.hpp"

#include <map>
#include <span>

namespace belay::dispatch {

// Whether a manifest advertises an operator for a weight or activation type.
[[nodiscard]] bool provides(const manifest::Manifest& manifest, graph::Op op, DType dtype);

// For each node of the graph, the plugins that advertise it, in the order of `selected` (best first).
[[nodiscard]] Chains build_chains(const graph::Graph& graph,
                                  std::span<const manifest::Manifest* const> selected);

// "linear/q4_1" -> ids, best first: a chain for each operator and type, for output.
using ChainTable = std::map<std::string, std::vector<std::string>>;

// As build_chains made them. Nodes of one group have one chain.
void add_chains(ChainTable& table, const graph::Graph& graph, const Chains& chains,
                std::span<const manifest::Manifest* const> selected);

// As they stand after the plugins were asked. A node whose chain differs from its group's is listed with its
// name.
void add_chains(ChainTable& table, const graph::Graph& graph, const Dispatcher& dispatcher);

}  // namespace belay::dispatch
