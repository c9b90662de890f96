#include "core/runtime/device_plan.hpp"

#include "core/base/format.hpp"
#include "core/memory/kv_cache.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/memory_plan.hpp"

#include <algorithm>

namespace belay::runtime {
namespace {

// What some nodes of a graph take on a device.
struct Share {
  bool whole = true;  // one plugin heads all of them
  std::uint64_t weights_bytes = 0;
  std::uint64_t replaced_bytes = 0;
};

// A placement in the making.
class Placing {
 public:
  Placing(const models::Model& model, const DeviceOffer& offer, const DeviceRequest& request)
      : model_(model) {
    use_.plugin = offer.plugin;
    use_.free_bytes = offer.free_bytes;
    use_.chunk = request.chunk;
    use_.scratch_bytes = kWithWorkspace * (runtime::scratch_bytes(model_.decoder.body, use_.chunk) +
                                           runtime::scratch_bytes(model_.decoder.head, kMostHeadRows));
    const models::DecoderConfig& config = model.decoder.config;
    layer_kv_bytes_ =
        memory::kv_cache_bytes({1, config.n_kv_heads, config.head_dim, request.context, model.decoder.cache})
            .value_or(~std::uint64_t{0});
    for (const graph::Node& node : model.decoder.body.nodes) {
      if (node.layer >= 0) continue;
      for (const graph::WeightId id : node.weights)
        staying_.push_back(model.decoder.body.weights[id].data.data());
    }
  }

  void place_layers(std::span<const NodeShare> nodes) {
    const graph::Graph& graph = model_.decoder.body;
    std::vector<Share> layers(model_.decoder.config.n_layers);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].layer >= 0)
        add(layers[static_cast<std::size_t>(graph.nodes[i].layer)], graph, i, nodes[i]);
    }
    while (use_.layers < layers.size() && take(layers[use_.layers], layer_kv_bytes_)) {
      ++use_.layers;
      use_.kv_bytes += layer_kv_bytes_;
    }
  }

  void place_head(std::span<const NodeShare> nodes) {
    if (use_.layers == model_.decoder.config.n_layers) use_.head = take_whole(model_.decoder.head, nodes, 0);
  }

  void place_vision(std::span<const NodeShare> nodes, std::uint64_t patches) {
    const std::uint64_t scratch = kWithWorkspace * runtime::scratch_bytes(model_.vision->graph, patches);
    use_.vision = take_whole(model_.vision->graph, nodes, scratch);
    if (use_.vision) use_.scratch_bytes += scratch;
  }

  [[nodiscard]] const DeviceUse& use() const { return use_; }

 private:
  // What workspaces take is known when everything is bound; they hold another form of what scratch holds.
  static constexpr std::uint64_t kWithWorkspace = 2;

  void add(Share& share, const graph::Graph& graph, std::size_t index, const NodeShare& node) const {
    share.whole = share.whole && node.headed;
    share.weights_bytes += node.bytes;
    for (const graph::WeightId id : graph.nodes[index].weights) {
      const graph::Weight& weight = graph.weights[id];
      const bool stays = std::find(staying_.begin(), staying_.end(), weight.data.data()) != staying_.end();
      if (weight.home == graph::Home::kFile && !stays) share.replaced_bytes += weight.data.size();
    }
  }

  bool take(const Share& share, std::uint64_t further_bytes) {
    const std::uint64_t room = use_.free_bytes - std::min(use_.free_bytes, use_.total());
    if (!share.whole || share.weights_bytes > room || further_bytes > room - share.weights_bytes)
      return false;
    use_.weights_bytes += share.weights_bytes;
    use_.replaced_bytes += share.replaced_bytes;
    return true;
  }

  bool take_whole(const graph::Graph& graph, std::span<const NodeShare> nodes, std::uint64_t further_bytes) {
    Share all;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) add(all, graph, i, nodes[i]);
    return take(all, further_bytes);
  }

  const models::Model& model_;
  std::uint64_t layer_kv_bytes_ = 0;
  std::vector<const std::byte*> staying_;  // weights that the host needs in any case: of the embedding
  DeviceUse use_;
};

DeviceUse place_with(const models::Model& model, const DeviceOffer& offer, const DeviceRequest& request) {
  Placing placing(model, offer, request);
  if (!request.kv_spilled) placing.place_layers(offer.body);
  placing.place_head(offer.head);
  if (model.vision && request.image_patches > 0) placing.place_vision(offer.vision, request.image_patches);
  return placing.use();
}

}  // namespace

// With steps as long as they may be while no layer loses its place by it. Below 64 tokens a step is less than
// a device does at once.
DeviceUse place_on_device(const models::Model& model, const DeviceOffer& offer,
                          const DeviceRequest& request) {
  constexpr std::uint64_t kLeast = 64;
  DeviceUse best = place_with(model, offer, request);
  DeviceRequest shorter = request;
  while (!best.head && shorter.chunk / 2 >= kLeast) {
    shorter.chunk /= 2;
    const DeviceUse use = place_with(model, offer, shorter);
    if (use.layers > best.layers || use.head) best = use;
  }
  return best;
}

std::string device_text(const DeviceUse& use) {
  const auto mib = [](std::uint64_t bytes) {
    return format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  };
  return format("{}: {} layers{}{}, weights {} + KV cache {} + scratch and workspace {} = {} of {}",
                use.plugin, use.layers, use.head ? " and the head" : "",
                use.vision ? " and the vision encoder" : "", mib(use.weights_bytes), mib(use.kv_bytes),
                mib(use.scratch_bytes), mib(use.total()), mib(use.free_bytes));
}

}  // namespace belay::runtime
