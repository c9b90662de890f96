#include "core/runtime/engine.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"

#include <algorithm>

namespace belay::runtime {
namespace {

// Nodes for which `stays` says no are headed by the first plugin without a device from here on.
template <class Stays>
Status keep_on_device(dispatch::Dispatcher& dispatcher, const graph::Graph& graph, Stays stays) {
  for (bool left = true; left;) {  // who is opened by confirm() may have a device, too
    left = false;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (stays(graph.nodes[i]) || dispatcher.head(i)->device() == nullptr) continue;
      left = dispatcher.leave_devices(i, "its device has no room for this layer") || left;
    }
    BELAY_TRY(dispatcher.confirm());
  }
  return {};
}

}  // namespace

Engine::Engine(const models::Model& model, Plan plan,
               std::vector<std::unique_ptr<dispatch::Backend>> backends,
               const dispatch::DispatchOptions& options)
    : model_(model),
      plan_(std::move(plan)),
      trace_(options.trace),
      backends_(std::move(backends)),
      body_(model.decoder.body, backends_, plan_.body_chains, fallbacks_, options),
      head_(model.decoder.head, backends_, plan_.head_chains, fallbacks_, options) {
  if (model.vision) vision_.emplace(model.vision->graph, backends_, plan_.vision_chains, fallbacks_, options);
}

Result<std::unique_ptr<Engine>> Engine::create(const models::Model& model, Plan plan,
                                               std::vector<std::unique_ptr<dispatch::Backend>> backends,
                                               const dispatch::DispatchOptions& options,
                                               std::uint64_t image_patches) {
  std::unique_ptr<Engine> engine(new Engine(model, std::move(plan), std::move(backends), options));
  BELAY_TRY(engine->body_.confirm());
  BELAY_TRY(engine->head_.confirm());
  if (engine->vision_) BELAY_TRY(engine->vision_->confirm());
  BELAY_TRY(engine->place_devices(image_patches));
  engine->replan();
  return engine;
}

// What has no place on a device is asked of the next in its chain.
Status Engine::place_devices(std::uint64_t image_patches) {
  const auto heads = body_.heads();
  const auto backend = std::find_if(heads.begin(), heads.end(),
                                    [](const dispatch::Backend* head) { return head->device() != nullptr; });
  if (backend == heads.end()) return {};
  const auto shares = [&](dispatch::Dispatcher& dispatcher, const graph::Graph& graph) {
    std::vector<NodeShare> nodes;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      nodes.push_back({dispatcher.head(i) == *backend, dispatcher.device_bytes(i)});
    return nodes;
  };
  DeviceOffer offer = {(*backend)->id(),
                       (*backend)->device()->free_bytes(),
                       shares(body_, model_.decoder.body),
                       shares(head_, model_.decoder.head),
                       {}};
  if (vision_) offer.vision = shares(*vision_, model_.vision->graph);
  plan_.device = place_on_device(
      model_, offer,
      {plan_.memory.context, plan_.memory.chunk, image_patches, plan_.memory.kv_spilled_bytes > 0});
  const DeviceUse& use = *plan_.device;
  BELAY_TRY(keep_on_device(body_, model_.decoder.body,
                           [&](const auto& node) { return stays_on_device(use, node); }));
  BELAY_TRY(keep_on_device(head_, model_.decoder.head, [&](const auto&) { return use.head; }));
  if (!vision_) return {};
  return keep_on_device(*vision_, model_.vision->graph, [&](const auto&) { return use.vision; });
}

// The plan as it stands now that the plugins have answered.
void Engine::replan() {
  plan_.chains.clear();
  dispatch::add_chains(plan_.chains, model_.decoder.body, body_);
  dispatch::add_chains(plan_.chains, model_.decoder.head, head_);
  if (vision_) dispatch::add_chains(plan_.chains, model_.vision->graph, *vision_);
  std::vector<std::string> heads;
  for (std::size_t i = 0; i < model_.decoder.body.nodes.size(); ++i) heads.push_back(body_.chain(i).front());
  plan_.placement = place_layers(model_.decoder.body, heads);
}

void Engine::stream(std::unique_ptr<WeightStream> weights, Relief relief) {
  weights_ = std::move(weights);
  relief_ = std::move(relief);
}

bool Engine::embeds_on_a_device() const {
  const graph::Graph& body = model_.decoder.body;
  const std::size_t embed = graph::first_node(body, graph::Op::kEmbed);
  return embed < body.nodes.size() && body_.head(embed)->device() != nullptr;
}

std::uint64_t Engine::workspace_bytes() {
  return body_.workspace_bytes(plan_.memory.chunk) + head_.workspace_bytes(plan_.memory.head_rows);
}

Status Engine::bind() {
  const memory::LayerPlacement& layers = plan_.memory.layers;
  if (layers.streamed_bytes > 0)
    BELAY_TRY(weights_->lay_out({.first_layer = layers.pinned, .ring_bytes = layers.ring_bytes}));
  const auto is_unmade = [](const graph::Weight& weight) { return weight.home == graph::Home::kUnmade; };
  if (std::ranges::any_of(model_.decoder.body.weights, is_unmade) ||
      std::ranges::any_of(model_.decoder.head.weights, is_unmade))
    return fail(ErrorCode::kGeneral, "weights that are to be made were not: Assembly::bind() does that");
  const auto pack =
      plan_.memory.may_pack_made ? dispatch::Dispatcher::Pack::kAll : dispatch::Dispatcher::Pack::kFromFiles;
  // The head first: its matrix is the largest, and nothing else has its memory yet.
  BELAY_TRY(head_.bind(plan_.memory.head_rows, pack));
  BELAY_TRY(body_.bind(plan_.memory.chunk, pack));
  plan_.memory.use.packed_bytes = body_.bytes() + head_.bytes();
  bound_ = plan_.memory;
  return {};
}

// Before a step: when the machine runs short of memory, the last of the pinned layers are streamed from here
// on, until it has enough of it again. The bits stay the same, and the run goes on, slower.
Status Engine::relieve() {
  constexpr std::chrono::milliseconds kBetweenLooks{250};
  const memory::LayerPlacement& layers = plan_.memory.layers;
  const bool has_given_up = layers.pinned < bound_.layers.pinned;
  if (relief_.keep_free == 0 || plan_.memory.layer_bytes.empty() || (layers.pinned == 0 && !has_given_up))
    return {};
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < kBetweenLooks) return {};
  looked_ = now;
  const auto available = relief_.available();
  if (!available) return {};
  if (*available < relief_.keep_free) return give_up_layers(relief_.keep_free - *available);
  return has_given_up ? take_layers_back(*available) : Status();
}

Status Engine::give_up_layers(std::uint64_t missing) {
  short_ = looked_;
  const memory::LayerPlacement& layers = plan_.memory.layers;
  const memory::LayerPlacement wanted = memory::unpin_layers(plan_.memory.layer_bytes, layers, missing);
  if (wanted.pinned == layers.pinned) return {};
  log(LogLevel::kWarn,
      "memory is short: {} MiB are left on this machine; {} more layers are read from the disk from here on",
      (relief_.keep_free - missing) >> 20U, layers.pinned - wanted.pinned);
  return move_layers(wanted);
}

// All at once, so that a machine at its limit does not move layers to and fro.
Status Engine::take_layers_back(std::uint64_t available) {
  const memory::LayerPlacement& layers = plan_.memory.layers;
  const std::uint64_t needed = memory::taken(bound_.layers) - memory::taken(layers);
  if (available < relief_.keep_free + relief_.keep_free / 2 + needed) short_ = looked_;
  if (looked_ - short_ < relief_.calm) return {};
  log(LogLevel::kWarn, "memory is there again: {} layers are kept in it from here on",
      bound_.layers.pinned - layers.pinned);
  return move_layers(bound_.layers);
}

Status Engine::move_layers(const memory::LayerPlacement& wanted) {
  const graph::Graph& body = model_.decoder.body;
  const auto is_in_ring = [&](std::size_t node) {
    const auto& weights = body.nodes[node].weights;
    return !weights.empty() && body.weights[weights[0]].home == graph::Home::kRing;
  };
  std::vector<bool> moves(body.nodes.size());
  for (std::size_t i = 0; i < moves.size(); ++i) moves[i] = is_in_ring(i);
  BELAY_TRY(weights_->lay_out({.first_layer = wanted.pinned, .ring_bytes = wanted.ring_bytes}));
  std::vector<std::size_t> moved;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (moves[i] || is_in_ring(i)) moved.push_back(i);
  }
  MemoryUse& use = plan_.memory.use;
  const std::uint64_t given_up = wanted.streamed_bytes - bound_.layers.streamed_bytes;
  use.weights_bytes = bound_.use.weights_bytes - std::min(bound_.use.weights_bytes, given_up);
  use.ring_bytes = wanted.ring_bytes;
  plan_.memory.layers = wanted;
  return body_.rebind(moved);
}

SessionOptions Engine::session_options() {
  SessionOptions options;
  options.context = plan_.memory.context;
  options.chunk = plan_.memory.chunk;
  options.head_rows = plan_.memory.head_rows;
  options.cache = plan_.memory.cache;
  options.trace = trace_;
  options.weights = weights_.get();
  options.pieces = pieces_ ? &*pieces_ : nullptr;
  options.spill = spill_ ? &*spill_ : nullptr;
  options.before_step = [this] { return relieve(); };
  options.on_shorter_steps = [this](std::uint64_t tokens) {
    plan_.memory.chunk = std::min(plan_.memory.chunk, tokens);
  };
  return options;
}

Result<std::unique_ptr<Session>> Engine::session(threading::Pool& pool, const Stop& stop) {
  for (;;) {
    auto session = Session::create(model_.decoder, body_, head_, pool, session_options(), stop);
    if (session.ok() || !plan_.device) return session;
    BELAY_TRY(ask_less(session.error()));
  }
}

// Of a device that cannot do what was planned: shorter steps, or nothing.
Status Engine::ask_less(const Error& refusal) {
  std::uint64_t& chunk = plan_.memory.chunk;
  if (refusal.code != ErrorCode::kOutOfMemory || chunk / 2 < kLeastChunk) return leave_device(refusal);
  chunk /= 2;
  log(LogLevel::kWarn, "{}; steps have {} tokens at most from here on", refusal.message, chunk);
  return {};
}

// Everything is bound again to what computes in host memory.
Status Engine::leave_device(const Error& why) {
  log(LogLevel::kWarn, "{} is not used: {}", plan_.device->plugin, why.message);
  plan_.device.reset();
  const auto leave = [&](dispatch::Dispatcher& dispatcher, std::size_t nodes) -> Status {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < nodes; ++i) {
      if (dispatcher.head(i)->device() == nullptr) continue;
      dispatcher.leave_devices(i, why.message);
      left.push_back(i);
    }
    BELAY_TRY(dispatcher.confirm());
    return dispatcher.rebind(left);
  };
  BELAY_TRY(leave(body_, model_.decoder.body.nodes.size()));
  BELAY_TRY(leave(head_, model_.decoder.head.nodes.size()));
  replan();
  return {};
}

Result<std::unique_ptr<VisionEncoder>> Engine::vision_encoder(const models::Tensors& tensors,
                                                              threading::Pool& pool, const Stop& stop) {
  const graph::Weight* table = tensors.find(models::kPositionTable);
  const std::uint64_t side = model_.vision->config.table_side;
  if (table == nullptr || table->data.size() != side * side * model_.vision->config.width * sizeof(float)) {
    return fail(ErrorCode::kBadInput, "tensor \"{}\" is missing, or no table of {} x {} rows of {} values",
                models::kPositionTable, side, side, model_.vision->config.width);
  }
  // Grows with the first image. An image has many rows at a time, for which a packed weight is hardly faster.
  BELAY_TRY(vision_->bind(1, dispatch::Dispatcher::Pack::kFromFiles));
  const std::span<const float> rows(reinterpret_cast<const float*>(table->data.data()),
                                    table->data.size() / sizeof(float));
  return std::make_unique<VisionEncoder>(*model_.vision, rows, *vision_, pool, stop);
}

std::map<std::string, std::vector<dispatch::Reading>> Engine::readings() const {
  std::map<std::string, std::vector<dispatch::Reading>> all;
  for (const auto& backend : backends_) {
    if (auto readings = backend->readings(); !readings.empty()) all[backend->id()] = std::move(readings);
  }
  return all;
}

std::map<std::string, std::uint64_t> Engine::calls() const {
  std::map<std::string, std::uint64_t> calls;
  for (const auto& backend : backends_) {
    if (backend->calls() > 0) calls[backend->id()] = backend->calls();
  }
  return calls;
}

}  // namespace belay::runtime
