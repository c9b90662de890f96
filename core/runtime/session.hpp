// One conversation with a model: the tokens that it has seen, as a KV cache, and the logits behind the last
// of them. Tokens count only when their step succeeded. One thread at a time.
#pragma once

#include "core/memory/kv_cache.hpp"
#include "core/models/decoder.hpp"
#include "core/monitoring/trace.hpp"
#include "core/runtime/executor.hpp"
#include "core/threading/pool.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace belay::runtime {

struct SessionOptions {
  std::uint64_t context = 0;  // positions that the cache has room for
  std::uint64_t chunk = 512;  // most tokens of one step
  DType cache = DType::kF32;
  monitoring::Trace* trace = nullptr;  // gets a span for every step
};

// Most rows of logits computed at once; a row is as wide as the vocabulary.
inline constexpr std::uint64_t kHeadRows = 16;

// Called with the logits behind one position. Valid during the call.
using LogitsSink = std::function<Status(std::uint64_t position, std::span<const float> logits)>;

class Session {
 public:
  // Everything given must outlive the session.
  [[nodiscard]] static Result<std::unique_ptr<Session>> create(
      const models::Decoder& decoder, dispatch::Dispatcher& body, dispatch::Dispatcher& head,
      threading::Pool& pool, const SessionOptions& options, const Stop& stop);

  // Runs tokens at the end of what was seen. Afterwards logits() are those behind the last of them; with a
  // sink, those behind every one of them are computed and handed out in order. kBadInput for an id that the
  // vocabulary does not have or when the context is full; after any error the session stands where the last
  // whole step left it.
  [[nodiscard]] Status feed(std::span<const std::int32_t> tokens, const LogitsSink& sink = {});

  [[nodiscard]] std::span<const float> logits() const { return logits_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t capacity() const { return cache_.capacity(); }
  // Forgets everything after the first `position` tokens.
  void rewind(std::uint64_t position) { position_ = std::min(position, position_); }

 private:
  Session(const models::Decoder& decoder, threading::Pool& pool, memory::KvCache cache,
          const SessionOptions& options)
      : decoder_(decoder),
        pool_(pool),
        cache_(std::move(cache)),
        chunk_(options.chunk),
        trace_(options.trace) {}

  Status check(std::span<const std::int32_t> tokens) const;
  Status step(std::span<const std::int32_t> tokens, bool last, const LogitsSink& sink);
  Status hand_out_logits(std::uint64_t tokens, const LogitsSink& sink);
  Status compute_logits(std::uint64_t first_row, std::uint64_t rows);

  const models::Decoder& decoder_;
  threading::Pool& pool_;
  memory::KvCache cache_;
  std::uint64_t chunk_;
  monitoring::Trace* trace_;
  std::optional<Executor> body_;
  std::optional<Executor> head_;
  std::vector<std::int32_t> positions_;
  std::span<const float> logits_;
  std::uint64_t position_ = 0;
};

}  // namespace belay::runtime
