#include "core/runtime/engine.hpp"

#include "core/base/format.hpp"

namespace belay::runtime {

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
                                               const dispatch::DispatchOptions& options) {
  std::unique_ptr<Engine> engine(new Engine(model, std::move(plan), std::move(backends), options));
  BELAY_TRY(engine->body_.confirm());
  BELAY_TRY(engine->head_.confirm());
  if (engine->vision_) BELAY_TRY(engine->vision_->confirm());
  engine->replan();
  return engine;
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

Status Engine::bind() {
  // The head first: its matrix is the largest, and while it is packed it is there twice.
  BELAY_TRY(head_.bind(kHeadRows));
  BELAY_TRY(body_.bind(plan_.memory.chunk));
  plan_.memory.use.packed_bytes = body_.bytes() + head_.bytes();
  return {};
}

Result<std::unique_ptr<Session>> Engine::session(threading::Pool& pool, const Stop& stop) {
  return Session::create(model_.decoder, body_, head_, pool,
                         {plan_.memory.context, plan_.memory.chunk, plan_.memory.cache, trace_,
                          weights_.get(), spill_ ? &*spill_ : nullptr},
                         stop);
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

std::map<std::string, std::uint64_t> Engine::calls() const {
  std::map<std::string, std::uint64_t> calls;
  for (const auto& backend : backends_) {
    if (backend->calls() > 0) calls[backend->id()] = backend->calls();
  }
  return calls;
}

}  // namespace belay::runtime
