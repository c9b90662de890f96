// A failed call of a plugin, in the words of the ABI, and the record of what dispatch did about it.
#pragma once

#include <belay/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::dispatch {

struct Failure {
  belay_status_t code = BELAY_INTERNAL;
  std::int32_t scope = BELAY_SCOPE_OP;
  std::string message;
};

// What a call is given to fill.
[[nodiscard]] inline belay_error_t empty_error() {
  belay_error_t error = {};
  error.struct_size = sizeof error;
  return error;
}

// Nothing, or how a call failed.
using Trouble = std::optional<Failure>;

// "OOM_HOST", "DEVICE_LOST", ...: codes as output shows them.
[[nodiscard]] std::string_view status_name(belay_status_t code);
[[nodiscard]] std::string_view scope_name(std::int32_t scope);

// What a call that returned `status` and filled `error` says. A plugin that filled nothing counts as op
// scope.
[[nodiscard]] Failure describe(belay_status_t status, const belay_error_t& error);

[[nodiscard]] inline Trouble trouble_of(belay_status_t status, const belay_error_t& error) {
  return status == BELAY_OK ? Trouble() : Trouble(describe(status, error));
}

// Whether more than the call is gone: the device, the plugin or its process.
[[nodiscard]] inline bool is_beyond_the_op(const Failure& failure) {
  return failure.scope == BELAY_SCOPE_DEVICE || failure.scope == BELAY_SCOPE_PLUGIN ||
         failure.scope == BELAY_SCOPE_PROCESS;
}

// "OOM_HOST (op): no scratch for 3 rows"
[[nodiscard]] std::string text(const Failure& failure);

// One kind of fallback and how often it happened.
struct Fallback {
  std::string op;      // "linear/q4_1"
  std::string from;    // plugin that failed
  std::string to;      // plugin that did the work
  std::string reason;  // status_name of the failure
  std::uint64_t count = 0;
};

class FallbackLog {
 public:
  // Counts it; the first of its kind is also logged as a warning, with `detail`.
  void record(std::string_view op, std::string_view from, std::string_view to, const Failure& failure);
  [[nodiscard]] const std::vector<Fallback>& entries() const { return entries_; }

 private:
  std::vector<Fallback> entries_;
};

}  // namespace belay::dispatch
