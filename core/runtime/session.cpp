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
  std::unique_ptr<Session> session(new Session(decoder, pool, std::move(cache), options.chunk));
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
  std::iota(positions_.begin(), positions_.begin() + static_cast<std::ptrdiff_t>(tokens.size()),
            static_cast<std::int32_t>(position_));
  const std::array<const void*, 2> inputs = {tokens.data(), positions_.data()};
  BELAY_TRY(body_->run(tokens.size(), position_, inputs));
  const std::uint64_t wanted = sink ? tokens.size() : (last ? 1 : 0);
  const std::uint64_t vocab = decoder_.config.vocab_size;
  for (std::uint64_t row = tokens.size() - wanted; row < tokens.size(); row += kHeadRows) {
    const std::uint64_t rows = std::min<std::uint64_t>(kHeadRows, tokens.size() - row);
    BELAY_TRY(compute_logits(row, rows));
    for (std::uint64_t i = 0; sink && i < rows; ++i) {
      BELAY_TRY(sink(position_ + row + i, head_->output().subspan(i * vocab, vocab)));
    }
    logits_ = head_->output().subspan((rows - 1) * vocab, vocab);
  }
  position_ += tokens.size();
  return {};
}

Status Session::compute_logits(std::uint64_t first_row, std::uint64_t rows) {
  const float* hidden = body_->output().data() + first_row * decoder_.config.width;
  const std::array<const void*, 1> inputs = {hidden};
  return head_->run(rows, 0, inputs);
}

}  // namespace belay::runtime
