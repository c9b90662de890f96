#include "core/runtime/engine.hpp"

namespace belay::runtime {

Engine::Engine(const models::Decoder& decoder, Plan plan,
               std::vector<std::unique_ptr<dispatch::Backend>> backends,
               const dispatch::DispatchOptions& options)
    : decoder_(decoder),
      plan_(std::move(plan)),
      trace_(options.trace),
      backends_(std::move(backends)),
      body_(decoder.body, backends_, plan_.body_chains, fallbacks_, options),
      head_(decoder.head, backends_, plan_.head_chains, fallbacks_, options) {}

Result<std::unique_ptr<Engine>> Engine::create(const models::Decoder& decoder, Plan plan,
                                               std::vector<std::unique_ptr<dispatch::Backend>> backends,
                                               const dispatch::DispatchOptions& options) {
  std::unique_ptr<Engine> engine(new Engine(decoder, std::move(plan), std::move(backends), options));
  BELAY_TRY(engine->body_.confirm());
  BELAY_TRY(engine->head_.confirm());
  engine->replan();
  return engine;
}

// The plan as it stands now that the plugins have answered.
void Engine::replan() {
  plan_.chains.clear();
  dispatch::add_chains(plan_.chains, decoder_.body, body_);
  dispatch::add_chains(plan_.chains, decoder_.head, head_);
  std::vector<std::string> heads;
  for (std::size_t i = 0; i < decoder_.body.nodes.size(); ++i) heads.push_back(body_.chain(i).front());
  plan_.placement = place_layers(decoder_.body, heads);
}

Status Engine::bind() {
  BELAY_TRY(body_.bind(plan_.chunk));
  BELAY_TRY(head_.bind(kHeadRows));
  plan_.memory.packed_bytes = body_.bytes() + head_.bytes();
  return {};
}

Result<std::unique_ptr<Session>> Engine::session(threading::Pool& pool, const Stop& stop) {
  return Session::create(decoder_, body_, head_, pool, {plan_.context, plan_.chunk, plan_.cache, trace_},
                         stop);
}

std::map<std::string, std::uint64_t> Engine::calls() const {
  std::map<std::string, std::uint64_t> calls;
  for (const auto& backend : backends_) {
    if (backend->calls() > 0) calls[backend->id()] = backend->calls();
  }
  return calls;
}

}  // namespace belay::runtime
