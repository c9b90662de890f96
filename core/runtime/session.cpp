#include "core/runtime/session.hpp"

#include "core/base/format.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace belay::runtime {

Result<std::unique_ptr<Session>> Session::create(const models::Decoder& decoder, dispatch::Dispatcher& body,
                                                 dispatch::Dispatcher& head, threading::Pool& pool,
                                                 const SessionOptions& options, const Stop& stop) {
  const models::DecoderConfig& config = decoder.config;
  BELAY_TRY_ASSIGN(memory::KvCache cache,
                   memory::KvCache::create({config.n_layers, config.n_kv_heads, config.head_dim,
                                            options.context, options.cache}));
  std::unique_ptr<Session> session(new Session(decoder, pool, std::move(cache), options));
  BELAY_TRY_ASSIGN(session->body_,
                   Executor::create(decoder.body, body, options.chunk, &session->cache_, stop));
  BELAY_TRY_ASSIGN(session->head_, Executor::create(decoder.head, head, kHeadRows, nullptr, stop));
  session->positions_.resize(options.chunk);
  return session;
}

Status Session::check(std::span<const std::int32_t> tokens) const {
  if (tokens.size() > capacity() - position_) {
    return fail(ErrorCode::kBadInput,
                "{} more tokens do not fit: {} of {} positions of the context are taken", tokens.size(),
                position_, capacity());
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || std::int64_t{tokens[i]} >= std::int64_t{decoder_.config.vocab_size}) {
      return fail(ErrorCode::kBadInput, "token {} at place {} is not in the model's vocabulary of {}",
                  tokens[i], i, decoder_.config.vocab_size);
    }
  }
  return {};
}

Status Session::feed(std::span<const std::int32_t> tokens, const LogitsSink& sink) {
  BELAY_TRY(check(tokens));
  const threading::Pool::Step awake(pool_);
  while (!tokens.empty()) {
    const auto now = tokens.first(std::min<std::size_t>(tokens.size(), chunk_));
    tokens = tokens.subspan(now.size());
    BELAY_TRY(step(now, tokens.empty(), sink));
  }
  return {};
}

Status Session::step(std::span<const std::int32_t> tokens, bool last, const LogitsSink& sink) {
  const monitoring::Span span(trace_, "step", {}, tokens.size());
  std::iota(positions_.begin(), positions_.begin() + static_cast<std::ptrdiff_t>(tokens.size()),
            static_cast<std::int32_t>(position_));
  const std::array<const void*, 2> inputs = {tokens.data(), positions_.data()};
  BELAY_TRY(body_->run(tokens.size(), position_, inputs));
  if (sink) {
    BELAY_TRY(hand_out_logits(tokens.size(), sink));
  } else if (last) {
    BELAY_TRY(compute_logits(tokens.size() - 1, 1));
  }
  position_ += tokens.size();
  return {};
}

// Every row of the step, in order; kHeadRows of them are computed at once.
Status Session::hand_out_logits(std::uint64_t tokens, const LogitsSink& sink) {
  const std::uint64_t vocab = decoder_.config.vocab_size;
  for (std::uint64_t row = 0; row < tokens; ++row) {
    const std::uint64_t place = row % kHeadRows;
    if (place == 0) BELAY_TRY(compute_logits(row, std::min<std::uint64_t>(kHeadRows, tokens - row)));
    BELAY_TRY(sink(position_ + row, head_->output().subspan(place * vocab, vocab)));
  }
  return {};
}

// Of some rows of the body's output; logits_ are those of the last of them.
Status Session::compute_logits(std::uint64_t first_row, std::uint64_t rows) {
  const float* hidden = body_->output().data() + first_row * decoder_.config.width;
  const std::array<const void*, 1> inputs = {hidden};
  BELAY_TRY(head_->run(rows, 0, inputs));
  logits_ = head_->output().last(decoder_.config.vocab_size);
  return {};
}

}  // namespace belay::runtime
