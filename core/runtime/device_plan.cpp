#include "core/runtime/device_plan.hpp"

#include "core/base/format.hpp"
#include "core/memory/kv_cache.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/memory_plan.hpp"
#include "core/runtime/session.hpp"

#include <algorithm>

namespace belay::runtime {
namespace {

using dispatch::Backend;
using dispatch::Dispatcher;

constexpr std::string_view kNoRoom = "its device has no room for this layer";

Backend* first_with_device(std::span<Backend* const> heads) {
  const auto found =
      std::find_if(heads.begin(), heads.end(), [](const Backend* head) { return head->device() != nullptr; });
  return found == heads.end() ? nullptr : *found;
}

// What some nodes of a graph take on a device.
struct Share {
  bool whole = true;  // one plugin heads all of them
  std::uint64_t weights_bytes = 0;
  std::uint64_t replaced_bytes = 0;
};

// The tries of one placement.
class Placing {
 public:
  Placing(const models::Model& model, Backend& backend, const DeviceRequest& request)
      : model_(model), backend_(backend) {
    use_.plugin = backend.id();
    use_.free_bytes = backend.device()->free_bytes();
    choose_chunk(request.chunk);
    const models::DecoderConfig& config = model.decoder.config;
    layer_kv_bytes_ =
        memory::kv_cache_bytes({1, config.n_kv_heads, config.head_dim, request.context, model.decoder.cache})
            .value_or(~std::uint64_t{0});
  }

  void place_body(Dispatcher& body, bool may_place) {
    const graph::Graph& graph = model_.decoder.body;
    std::vector<Share> shares(model_.decoder.config.n_layers);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].layer >= 0)
        add(shares[static_cast<std::size_t>(graph.nodes[i].layer)], graph, i, body);
    }
    while (may_place && use_.layers < shares.size() && take(shares[use_.layers], layer_kv_bytes_))
      ++use_.layers;
    use_.kv_bytes = use_.layers * layer_kv_bytes_;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const int layer = graph.nodes[i].layer;
      if (layer < 0 || static_cast<std::size_t>(layer) >= use_.layers) body.leave_devices(i, kNoRoom);
    }
  }

  void place_head(Dispatcher& head) {
    const bool behind_it = use_.layers == model_.decoder.config.n_layers;
    use_.head = place_whole(model_.decoder.head, head, 0, behind_it);
  }

  void place_vision(Dispatcher& vision, std::uint64_t patches) {
    const std::uint64_t scratch = kWithWorkspace * runtime::scratch_bytes(model_.vision->graph, patches);
    use_.vision = place_whole(model_.vision->graph, vision, scratch, patches > 0);
    if (use_.vision) use_.scratch_bytes += scratch;
  }

  [[nodiscard]] const DeviceUse& use() const { return use_; }

 private:
  // What workspaces take is known when everything is bound; they hold another form of what scratch holds.
  static constexpr std::uint64_t kWithWorkspace = 2;
  static constexpr std::uint64_t kMostOfScratch = 4;  // a fourth of the device

  void choose_chunk(std::uint64_t wanted) {
    use_.chunk = wanted;
    const auto scratch = [&] {
      return kWithWorkspace * (runtime::scratch_bytes(model_.decoder.body, use_.chunk) +
                               runtime::scratch_bytes(model_.decoder.head, kHeadRows));
    };
    while (use_.chunk / 2 >= kLeastChunk && scratch() > use_.free_bytes / kMostOfScratch) use_.chunk /= 2;
    use_.scratch_bytes = scratch();
  }

  void add(Share& share, const graph::Graph& graph, std::size_t node, Dispatcher& dispatcher) {
    share.whole = share.whole && dispatcher.head(node) == &backend_;
    share.weights_bytes += dispatcher.device_bytes(node);
    for (const graph::WeightId id : graph.nodes[node].weights) {
      if (graph.weights[id].home == graph::Home::kFile) share.replaced_bytes += graph.weights[id].data.size();
    }
  }

  bool take(const Share& share, std::uint64_t further_bytes) {
    const std::uint64_t taken = use_.weights_bytes + use_.scratch_bytes + use_.layers * layer_kv_bytes_;
    const std::uint64_t room = use_.free_bytes - std::min(use_.free_bytes, taken);
    if (!share.whole || share.weights_bytes > room || further_bytes > room - share.weights_bytes)
      return false;
    use_.weights_bytes += share.weights_bytes;
    use_.replaced_bytes += share.replaced_bytes;
    return true;
  }

  bool place_whole(const graph::Graph& graph, Dispatcher& dispatcher, std::uint64_t further_bytes,
                   bool may_place) {
    Share all;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) add(all, graph, i, dispatcher);
    if (may_place && take(all, further_bytes)) return true;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) dispatcher.leave_devices(i, kNoRoom);
    return false;
  }

  const models::Model& model_;
  Backend& backend_;
  std::uint64_t layer_kv_bytes_ = 0;
  DeviceUse use_;
};

}  // namespace

std::optional<DeviceUse> place_on_device(const models::Model& model, const ModelDispatchers& dispatchers,
                                         const DeviceRequest& request) {
  Backend* backend = first_with_device(dispatchers.body.heads());
  if (backend == nullptr) return std::nullopt;
  Placing placing(model, *backend, request);
  placing.place_body(dispatchers.body, !request.kv_spilled);
  placing.place_head(dispatchers.head);
  if (dispatchers.vision != nullptr) placing.place_vision(*dispatchers.vision, request.image_patches);
  return placing.use();
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
