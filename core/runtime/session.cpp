#include "core/runtime/session.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/dispatch/canary.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace belay::runtime {

Result<std::unique_ptr<Session>> Session::create(const models::Decoder& decoder, dispatch::Dispatcher& body,
                                                 dispatch::Dispatcher& head, threading::Pool& pool,
                                                 const SessionOptions& options, const Stop& stop) {
  std::unique_ptr<Session> session(new Session(decoder, pool, options));
  BELAY_TRY(session->make_cache(options));
  BELAY_TRY_ASSIGN(
      session->body_,
      Executor::create(decoder.body, body, options.chunk,
                       {&session->cache_, session->spilled_.get(), options.weights, options.pieces}, stop));
  BELAY_TRY_ASSIGN(session->head_, Executor::create(decoder.head, head, options.head_rows, {}, stop));
  BELAY_TRY(session->make_room());
  if (session->body_->uses_devices()) {
    session->seen_.tokens.reserve(session->capacity());
    session->seen_.positions.reserve(session->capacity() * session->axes());
  }
  return session;
}

Status Session::make_cache(const SessionOptions& options) {
  const models::DecoderConfig& config = decoder_.config;
  const memory::KvCacheShape shape = {config.n_layers, config.n_kv_heads, config.head_dim, options.context,
                                      options.cache};
  if (options.spill != nullptr) {
    BELAY_TRY_ASSIGN(spilled_, KvStream::create(decoder_.body, shape, *options.spill));
  } else {
    BELAY_TRY_ASSIGN(cache_, memory::KvCache::create(shape));
  }
  return {};
}

Status Session::make_room() {
  ids_.resize(chunk_);
  positions_.resize(axes() * chunk_);
  inputs_ = {ids_.data(), positions_.data()};
  if (!decoder_.config.takes_images) return {};
  const std::uint64_t levels = std::uint64_t{1} + decoder_.config.n_deepstack;
  const std::uint64_t level_bytes = chunk_ * decoder_.config.width * sizeof(float);
  BELAY_TRY_ASSIGN(image_rows_, memory::Buffer::allocate(levels * level_bytes, "the rows of images"));
  for (std::uint64_t level = 0; level < levels; ++level)
    inputs_.push_back(image_rows_.data() + level * level_bytes);
  return {};
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

bool Session::fits(const ImageRows& image) const {
  const std::uint64_t floats = image.grid.tokens() * decoder_.config.width;
  return image.levels.size() == std::size_t{1} + decoder_.config.n_deepstack &&
         std::all_of(image.levels.begin(), image.levels.end(),
                     [&](const auto& rows) { return rows.size() == floats; });
}

// Finds the images among the tokens, and the positions of all.
Result<Session::Feed> Session::prepare(const MixedTokens& input) const {
  if (!input.images.empty() && !decoder_.config.takes_images)
    return fail(ErrorCode::kBadInput, "a model of architecture {} takes no images",
                decoder_.config.architecture);
  Feed feed(input);
  std::vector<models::TokenGrid> grids;
  const auto begin = input.tokens.begin();
  auto at = begin;
  for (const ImageRows& image : input.images) {
    at = std::find(at, input.tokens.end(), input.image_token);
    const auto length = static_cast<std::ptrdiff_t>(image.grid.tokens());
    const bool whole = input.tokens.end() - at >= length &&
                       std::all_of(at, at + length, [&](std::int32_t id) { return id == input.image_token; });
    if (!whole) {
      return fail(ErrorCode::kBadInput,
                  "image {} of {} has {} tokens, and the prompt has no place of that size", grids.size() + 1,
                  input.images.size(), length);
    }
    const auto first = position_ + static_cast<std::uint64_t>(at - begin);
    feed.images.push_back({first, first + image.grid.tokens(), 0});
    if (!fits(image))
      return fail(ErrorCode::kGeneral, "image {} has rows of another model", grids.size() + 1);
    grids.push_back(image.grid);
    at += length;
  }
  if (feed.images.empty()) return feed;
  const auto start = static_cast<std::int64_t>(position_) + position_delta();
  feed.positions.resize(models::kPositionAxes * input.tokens.size());
  models::fill_positions(input.tokens, input.image_token, grids, static_cast<std::int32_t>(start),
                         feed.positions);
  std::int64_t delta = position_delta();
  for (std::size_t i = 0; i < grids.size(); ++i) {
    delta += std::int64_t{std::max(grids[i].rows, grids[i].columns)} -
             static_cast<std::int64_t>(grids[i].tokens());
    feed.images[i].delta = delta;
  }
  return feed;
}

Status Session::feed(const MixedTokens& input, const LogitsSink& sink) {
  BELAY_TRY(check(input.tokens));
  BELAY_TRY_ASSIGN(Feed feed, prepare(input));
  std::optional<threading::Pool::Step> awake;
  const bool waits_for_disk = spilled_ != nullptr || (weights_ != nullptr && weights_->is_streaming());
  if (!waits_for_disk) awake.emplace(pool_);  // threads that stand ready while a disk is slow burn its CPU
  while (feed.done < input.tokens.size()) {
    const std::size_t count = std::min<std::size_t>(input.tokens.size() - feed.done, chunk_);
    Status done = step(feed, count, sink);
    if (done.ok() || is_shortened(done, count)) continue;
    rewind(position_);  // nothing stays of an image that is not whole
    return done;
  }
  return {};
}

Status Session::step(Feed& feed, std::size_t count, const LogitsSink& sink) {
  if (before_step_) BELAY_TRY(before_step_());
  const monitoring::Span span(trace_, "step", {}, count);
  fill_inputs(feed, count);
  BELAY_TRY(run(feed, count, sink));
  if (body_->uses_devices()) remember(feed, count);
  for (const FedImage& image : feed.images) {
    if (image.first >= position_ && image.first < position_ + count) images_.push_back(image);
  }
  position_ += count;
  feed.done += count;
  return {};
}

Status Session::run(const Feed& feed, std::size_t count, const LogitsSink& sink) {
  const bool is_last = feed.done + count == feed.input.tokens.size();
  if (is_last && !sink) return run_both(feed, count);
  BELAY_TRY(run_body(feed, count, Executor::Outputs::kOnHost));
  return sink ? hand_out_logits(count, sink) : Status();
}

// The body of a step. When a device takes the cache with it, all that was seen is seen again first.
Status Session::run_body(const Feed& feed, std::size_t count, Executor::Outputs outputs) {
  const std::size_t calls_before = body_->recorded_calls();
  for (;;) {
    Status done = try_body(count, outputs);
    if (done.ok() || done.error().code != ErrorCode::kStateLost) return done;
    BELAY_TRY(see_again());
    body_->forget_calls(calls_before);
    fill_inputs(feed, count);
  }
}

// A step that is too long for a device makes those that follow shorter; they begin with its own tokens.
Status Session::try_body(std::size_t count, Executor::Outputs outputs) {
  Status done = body_->run(count, position_, inputs_, outputs);
  if (done.ok() || done.error().code != ErrorCode::kOutOfMemory) return done;
  chunk_ = std::min<std::uint64_t>(chunk_, count - count / 2);
  log(LogLevel::kWarn, "steps have {} tokens at most from here on", chunk_);
  if (on_shorter_steps_) on_shorter_steps_(chunk_);
  return done;
}

bool Session::is_shortened(const Status& done, std::size_t count) const {
  return !done.ok() && done.error().code == ErrorCode::kOutOfMemory && chunk_ < count;
}

// A step and the logits behind its last token. On one device nothing comes to the host between the two; if
// that does not end well, the step is done once more with an eye on what lies between.
Status Session::run_both(const Feed& feed, std::size_t count) {
  if (body_->can_hand_over_to(*head_)) {
    const std::size_t calls_before = body_->recorded_calls();
    BELAY_TRY(run_body(feed, count, Executor::Outputs::kAnywhere));
    body_->hand_over(count - 1, *head_);
    Status done = compute_logits(count - 1, 1);
    const bool again =
        done.ok() ? !dispatch::all_finite(logits_) : done.error().code == ErrorCode::kStateLost;
    if (!again) return done;
    body_->forget_calls(calls_before);
  }
  BELAY_TRY(run_body(feed, count, Executor::Outputs::kOnHost));
  return compute_logits(count - 1, 1);
}

void Session::remember(const Feed& feed, std::size_t count) {
  const auto begin = feed.input.tokens.begin() + static_cast<std::ptrdiff_t>(feed.done);
  seen_.tokens.insert(seen_.tokens.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
  for (std::size_t token = 0; token < count; ++token) {
    for (std::size_t axis = 0; axis < axes(); ++axis)
      seen_.positions.push_back(positions_[axis * count + token]);
  }
  for (std::size_t i = 0; i < feed.images.size(); ++i) {
    if (feed.images[i].first >= position_ && feed.images[i].first < position_ + count)
      seen_.images.push_back(feed.input.images[i]);
  }
}

// Host truth is the tokens: the cache is computed from them, on the plugins that are left.
Status Session::see_again() {
  log(LogLevel::kWarn, "the cache of {} positions went with a device and is computed again", position_);
  const std::uint64_t position = position_;
  Status seen;
  do {
    body_->forget_cache();
    position_ = 0;
    seen = see_once_more();
  } while (!seen.ok() && seen.error().code == ErrorCode::kStateLost);
  position_ = position;
  return seen;
}

Status Session::see_once_more() {
  const MixedTokens input{seen_.tokens, -1, seen_.images};
  Feed feed(input);
  feed.images = images_;
  for (std::size_t axis = 0; axis < axes(); ++axis) {
    for (std::size_t at = axis; at < seen_.positions.size(); at += axes())
      feed.positions.push_back(seen_.positions[at]);
  }
  while (feed.done < seen_.tokens.size()) {
    const std::size_t count = std::min<std::size_t>(seen_.tokens.size() - feed.done, chunk_);
    fill_inputs(feed, count);
    Status done = try_body(count, Executor::Outputs::kOnHost);
    if (is_shortened(done, count)) continue;
    BELAY_TRY(done);
    position_ += count;
    feed.done += count;
  }
  return {};
}

void Session::fill_inputs(const Feed& feed, std::size_t count) {
  const std::span<const std::int32_t> tokens = feed.input.tokens;
  std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(feed.done), count, ids_.begin());
  for (std::size_t axis = 0; axis < axes(); ++axis) {
    const auto to = positions_.begin() + static_cast<std::ptrdiff_t>(axis * count);
    if (feed.positions.empty()) {
      std::iota(to, to + static_cast<std::ptrdiff_t>(count),
                static_cast<std::int32_t>(static_cast<std::int64_t>(position_) + position_delta()));
    } else {
      std::copy_n(feed.positions.begin() + static_cast<std::ptrdiff_t>(axis * tokens.size() + feed.done),
                  count, to);
    }
  }
  if (decoder_.config.takes_images) fill_image_rows(feed, count);
}

// Rows of the images in this step; everything else is zeros, and was so before in most steps.
void Session::fill_image_rows(const Feed& feed, std::size_t count) {
  if (!image_rows_are_zero_) std::memset(image_rows_.data(), 0, image_rows_.size());
  image_rows_are_zero_ = true;
  const std::uint64_t width = decoder_.config.width;
  const std::uint64_t end = position_ + count;
  for (std::size_t i = 0; i < feed.images.size(); ++i) {
    const std::uint64_t first = std::max(feed.images[i].first, position_);
    const std::uint64_t last = std::min(feed.images[i].end, end);
    if (first >= last) continue;
    image_rows_are_zero_ = false;
    std::fill(ids_.begin() + static_cast<std::ptrdiff_t>(first - position_),
              ids_.begin() + static_cast<std::ptrdiff_t>(last - position_), -1);
    const auto& levels = feed.input.images[i].levels;
    const std::span<float> rows = image_rows_.as<float>();
    for (std::size_t level = 0; level < levels.size(); ++level) {
      std::memcpy(rows.data() + level * rows.size() / levels.size() + (first - position_) * width,
                  levels[level].data() + (first - feed.images[i].first) * width,
                  (last - first) * width * sizeof(float));
    }
  }
}

void Session::rewind(std::uint64_t position) {
  position_ = std::min(position, position_);
  while (!images_.empty() && images_.back().end > position_) {
    position_ = std::min(position_, images_.back().first);
    images_.pop_back();
  }
  seen_.tokens.resize(std::min<std::size_t>(seen_.tokens.size(), position_));
  seen_.positions.resize(seen_.tokens.size() * axes());
  seen_.images.resize(std::min(seen_.images.size(), images_.size()));
}

// Every row of the step, in order; head_rows_ of them are computed at once.
Status Session::hand_out_logits(std::uint64_t tokens, const LogitsSink& sink) {
  const std::uint64_t vocab = decoder_.config.vocab_size;
  for (std::uint64_t row = 0; row < tokens; ++row) {
    const std::uint64_t place = row % head_rows_;
    if (place == 0) BELAY_TRY(compute_logits(row, std::min(head_rows_, tokens - row)));
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
