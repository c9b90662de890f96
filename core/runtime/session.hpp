// One conversation with a model: the tokens that it has seen, as a KV cache, and the logits behind the last
// of them. Tokens count only when their step succeeded. One thread at a time.
#pragma once

#include "core/memory/kv_cache.hpp"
#include "core/models/decoder.hpp"
#include "core/monitoring/trace.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/image_rows.hpp"
#include "core/threading/pool.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace belay::runtime {

struct SessionOptions {
  std::uint64_t context = 0;    // positions that the cache has room for
  std::uint64_t chunk = 512;    // most tokens of one step
  std::uint64_t head_rows = 1;  // of logits at once
  DType cache = DType::kF32;
  monitoring::Trace* trace = nullptr;        // gets a span for every step
  WeightStream* weights = nullptr;           // of the body, when some may be streamed
  FilePieces* pieces = nullptr;              // of the body, when it reads its file by the piece
  const KvStream::Parts* spill = nullptr;    // for a KV cache that has no place in memory
  std::function<Status()> before_step = {};  // may move weights
  // Told when a device has no memory for a step: how many tokens the longest has from here on.
  std::function<void(std::uint64_t)> on_shorter_steps = {};
};

// Called with the logits behind one position. Valid during the call.
using LogitsSink = std::function<Status(std::uint64_t position, std::span<const float> logits)>;

// Tokens with images among them: each run of `image_token` stands for the next of `images` and is as long as
// its grid has tokens.
struct MixedTokens {
  std::span<const std::int32_t> tokens;
  std::int32_t image_token = -1;
  std::span<const ImageRows> images;
};

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
  [[nodiscard]] Status feed(std::span<const std::int32_t> tokens, const LogitsSink& sink = {}) {
    return feed(MixedTokens{tokens, -1, {}}, sink);
  }
  // The same with images; kBadInput, too, when the runs and the grids do not match, or for images to a
  // model that takes none.
  [[nodiscard]] Status feed(const MixedTokens& input, const LogitsSink& sink = {});

  [[nodiscard]] std::span<const float> logits() const { return logits_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t capacity() const { return spilled_ ? spilled_->capacity() : cache_.capacity(); }
  // What the KV cache did on the disk; null when it is in memory.
  [[nodiscard]] const KvUse* spilled() const { return spilled_ ? &spilled_->use() : nullptr; }
  // Forgets everything after the first `position` tokens, and all of an image that this would cut in two.
  void rewind(std::uint64_t position);
  // The position of the next token on every axis minus its place in the sequence: images take fewer positions
  // than they have tokens.
  [[nodiscard]] std::int64_t position_delta() const { return images_.empty() ? 0 : images_.back().delta; }

 private:
  // An image that was fed: its tokens, and position_delta() behind it.
  struct FedImage {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::int64_t delta = 0;
  };
  // What is fed, part of it done.
  struct Feed {
    explicit Feed(const MixedTokens& tokens) : input(tokens) {}
    const MixedTokens& input;
    std::size_t done = 0;                 // tokens
    std::vector<std::int32_t> positions;  // (axes, tokens), only when there are images
    std::vector<FedImage> images;         // places in the sequence
  };

  Session(const models::Decoder& decoder, threading::Pool& pool, const SessionOptions& options)
      : decoder_(decoder),
        pool_(pool),
        chunk_(options.chunk),
        head_rows_(options.head_rows),
        trace_(options.trace),
        weights_(options.weights),
        before_step_(options.before_step),
        on_shorter_steps_(options.on_shorter_steps) {}

  Status make_cache(const SessionOptions& options);
  Status make_room();
  Status check(std::span<const std::int32_t> tokens) const;
  [[nodiscard]] bool fits(const ImageRows& image) const;
  [[nodiscard]] Result<Feed> prepare(const MixedTokens& input) const;
  Status step(Feed& feed, std::size_t count, const LogitsSink& sink);
  Status run(const Feed& feed, std::size_t count, const LogitsSink& sink);
  Status run_body(const Feed& feed, std::size_t count, Executor::Outputs outputs);
  Status try_body(std::size_t count, Executor::Outputs outputs);
  [[nodiscard]] bool is_shortened(const Status& done, std::size_t count) const;
  Status run_both(const Feed& feed, std::size_t count);
  void remember(const Feed& feed, std::size_t count);
  Status see_again();
  Status see_once_more();
  void fill_inputs(const Feed& feed, std::size_t count);
  void fill_image_rows(const Feed& feed, std::size_t count);
  Status hand_out_logits(std::uint64_t tokens, const LogitsSink& sink);
  Status compute_logits(std::uint64_t first_row, std::uint64_t rows);

  [[nodiscard]] std::size_t axes() const { return decoder_.config.takes_images ? models::kPositionAxes : 1; }

  const models::Decoder& decoder_;
  threading::Pool& pool_;
  memory::KvCache cache_;              // empty when it is
  std::unique_ptr<KvStream> spilled_;  // to the disk
  std::uint64_t chunk_;  // most tokens of a step; fewer than there is room for once a device had no memory
  std::uint64_t head_rows_;
  monitoring::Trace* trace_;
  WeightStream* weights_;
  std::function<Status()> before_step_;
  std::function<void(std::uint64_t)> on_shorter_steps_;
  std::optional<Executor> body_;
  std::optional<Executor> head_;
  // The inputs of a step.
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> positions_;
  memory::Buffer image_rows_;  // (1 + n_deepstack, chunk, width) of a model that takes images
  bool image_rows_are_zero_ = true;
  std::vector<const void*> inputs_;

  std::span<const float> logits_;
  std::uint64_t position_ = 0;
  std::vector<FedImage> images_;  // in the sequence so far

  // What was seen, so that a cache that went with a device can be computed again. Empty without devices.
  struct Seen {
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> positions;  // (tokens, axes)
    std::vector<ImageRows> images;        // as images_
  };
  Seen seen_;
};

}  // namespace belay::runtime
