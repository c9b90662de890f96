#include "core/runtime/generate.hpp"

#include <algorithm>
#include <chrono>

namespace belay::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Samples and feeds until something ends it. The error is a fault or what the user asked for.
Status decode(Session& session, Sampler& sampler, const GenerationRequest& request,
              const GenerationHooks& hooks, Generation& out) {
  out.finish = Finish::kLength;
  while (out.tokens.size() < request.max_tokens) {
    BELAY_TRY_ASSIGN(const std::int32_t token, sampler.next(session.logits()));
    out.tokens.push_back(token);
    sampler.observe({&token, 1});
    if (hooks.on_token) hooks.on_token(token);
    if (!request.ignore_end && hooks.is_end(token)) {
      out.finish = Finish::kStop;
      return {};
    }
    if (out.tokens.size() == request.max_tokens || session.position() == session.capacity()) return {};
    BELAY_TRY(session.feed({&token, 1}, hooks.on_logits));
  }
  return {};
}

}  // namespace

std::string_view to_string(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kInterrupted:
    case Finish::kDeadline:
      return "interrupted";
  }
  return "length";
}

bool asked_for(const Error& error, Finish& finish) {
  if (error.code == ErrorCode::kInterrupted) finish = Finish::kInterrupted;
  if (error.code == ErrorCode::kDeadline) finish = Finish::kDeadline;
  return error.code == ErrorCode::kInterrupted || error.code == ErrorCode::kDeadline;
}

Result<Generation> generate(Session& session, Sampler& sampler, const GenerationRequest& request,
                            const GenerationHooks& hooks) {
  Generation out;
  out.tokens.reserve(std::min(request.max_tokens, session.capacity()));
  const auto start = Clock::now();
  Status status =
      session.feed(MixedTokens{request.prompt, request.image_token, request.images}, hooks.on_logits);
  out.prefill_s = seconds_since(start);
  if (status.ok()) {
    sampler.observe(request.prompt);
    const auto decode_start = Clock::now();
    status = decode(session, sampler, request, hooks, out);
    out.decode_s = seconds_since(decode_start);
  }
  if (!status.ok() && !asked_for(status.error(), out.finish)) return std::move(status).error();
  return out;
}

}  // namespace belay::runtime
