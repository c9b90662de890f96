// A wrong result is a failure, too. Looking at every result would cost as much as the small operators
// themselves, but NaN and infinity do not vanish on their way through a model: they show in what a graph
// gives out. Only then the step is computed again, and each result is looked at.
#include "core/dispatch/canary.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/dispatch/dispatcher.hpp"

#include <algorithm>
#include <array>

namespace belay::dispatch {
namespace {

constexpr const char* kWhat = "its result is NaN or infinite, its inputs are not";

bool is_plain_f32(const belay_tensor_t& tensor) {
  return tensor.dtype == BELAY_DTYPE_F32 && tensor.data != nullptr;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  // x - x is 0, or NaN for what is not finite, and NaN stays in a sum. Eight sums fill two vector registers.
  constexpr std::size_t kLanes = 8;
  std::array<float, kLanes> sums = {};
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t at = 0; at < whole; at += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[at + lane] - values[at + lane];
  }
  for (std::size_t at = whole; at < values.size(); ++at) sums[0] += values[at] - values[at];
  return std::all_of(sums.begin(), sums.end(), [](float sum) { return sum == 0; });
}

bool all_finite(const belay_tensor_t* const* tensors, std::uint64_t count) {
  return std::all_of(tensors, tensors + count, [](const belay_tensor_t* tensor) {
    return !is_plain_f32(*tensor) ||
           all_finite({static_cast<const float*>(tensor->data), tensor->nbytes / sizeof(float)});
  });
}

Dispatcher::Scrutiny::Scrutiny(Dispatcher& dispatcher, std::size_t calls_before) : dispatcher_(dispatcher) {
  if (AssignmentHook* hook = dispatcher_.options_.hook) hook->recorded.resize(calls_before);
  dispatcher_.plain_ = false;
  dispatcher_.scrutinised_ = true;
  dispatcher_.caught_ = false;
}

Dispatcher::Scrutiny::~Scrutiny() {
  dispatcher_.scrutinised_ = false;
  dispatcher_.plain_ = dispatcher_.options_.hook == nullptr && dispatcher_.options_.trace == nullptr;
}

Status Dispatcher::Scrutiny::verdict() const {
  if (dispatcher_.caught_) return {};
  if (dispatcher_.options_.strict)
    return fail(ErrorCode::kFallbackForbidden,
                "a step gave NaN or infinity once and not again; --strict forbids to go on");
  log(LogLevel::kWarn, "a step gave NaN or infinity and was computed again; the second time it did not");
  dispatcher_.disband_all();
  return {};
}

// Whether a call made NaN or infinity of finite inputs. What lies on a device is brought to the host for it.
Status Dispatcher::find_wrong(std::size_t index, const belay_run_t& run, bool& wrong) {
  if (where_ != nullptr) {
    BELAY_TRY(where_->to_host(index));
    BELAY_TRY(where_->results_to_host(index));
  }
  wrong = !all_finite(run.outputs, run.output_count) && all_finite(run.inputs, run.input_count);
  return {};
}

// The call on the usual link; when its result alone is not finite, on the first that does better.
Status Dispatcher::run_scrutinised(std::size_t index, belay_run_t& run) {
  BELAY_TRY(run_with_care(index, run));
  if (graph_.nodes[index].op == graph::Op::kKvWrite)
    return {};  // its output is the whole cache, old rows too
  const bool replays = options_.hook != nullptr && !options_.hook->replay.empty();  // on one plugin, no other
  bool wrong = false;
  BELAY_TRY(find_wrong(index, run, wrong));
  if (replays || !wrong) return {};
  const Failure failure = {BELAY_CONTRACT, BELAY_SCOPE_CONTRACT, kWhat};
  if (options_.strict) return forbidden(index, failure);
  return do_better(index, run, failure);
}

// On the first plugin behind the suspect whose result is finite.
Status Dispatcher::do_better(std::size_t index, belay_run_t& run, const Failure& failure) {
  Node& node = nodes_[index];
  Link& suspect = node.links[node.active];
  for (std::size_t i = node.active + 1; i < node.links.size(); ++i) {
    Link& link = node.links[i];
    if (link.dropped || !link.backend->healthy() || !make_ready(index, link).ok()) continue;
    belay_status_t status = BELAY_OK;
    bool wrong = false;
    BELAY_TRY(call_kernel(index, link, run, status));
    if (status == BELAY_OK) BELAY_TRY(find_wrong(index, run, wrong));
    if (status != BELAY_OK || wrong) continue;
    caught_ = true;
    suspect.trouble = text(failure);
    suspect.backend->count_failure(failure);
    fallbacks_.record(op_label(index), suspect.backend->id(), link.backend->id(), failure);
    if (options_.hook != nullptr) options_.hook->recorded.pop_back();
    completed(link);
    return {};
  }
  return fail(ErrorCode::kBadInput,
              "{} ({}) makes NaN or infinity of finite inputs on every plugin; the model may be damaged",
              graph_.nodes[index].name, op_label(index));
}

}  // namespace belay::dispatch
