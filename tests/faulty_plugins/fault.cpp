#include "tests/faulty_plugins/fault.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string>

namespace faulty {
namespace {

struct Name {
  std::string_view text;
  std::int32_t value;
};

std::int32_t choice(sdk::Host host, std::string_view key, std::string_view otherwise,
                    std::initializer_list<Name> names) {
  const std::string_view text = host.config(key, otherwise);
  for (const Name& name : names) {
    if (name.text == text) return name.value;
  }
  throw sdk::Error(BELAY_INVALID_ARGUMENT, "test.faulty: unknown %s \"%s\"", std::string(key).c_str(),
                   std::string(text).c_str());
}

belay_status_t code_of(std::int32_t scope) {
  switch (scope) {
    case BELAY_SCOPE_OUT_OF_MEMORY:
      return BELAY_OOM_HOST;
    case BELAY_SCOPE_DEVICE:
      return BELAY_DEVICE_LOST;
    case BELAY_SCOPE_CONTRACT:
      return BELAY_CONTRACT;
    default:
      return BELAY_INTERNAL;
  }
}

void fill(void* memory, std::uint64_t bytes, int byte) {
  if (bytes != 0) std::memset(memory, byte, bytes);
}

// The cache rows that this kv_write may write, and no others: [kv_heads, blocks, 64, D].
void spoil_cache(const belay_tensor_t& cache, std::uint64_t position, std::uint64_t tokens, int byte) {
  const std::uint64_t head_bytes = cache.nbytes / static_cast<std::uint64_t>(cache.shape[0]);
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(cache.shape[3]) * cache.block_bytes;
  for (std::int64_t head = 0; head < cache.shape[0]; ++head) {
    auto* start = static_cast<char*>(cache.data) + static_cast<std::uint64_t>(head) * head_bytes;
    fill(start + position * row_bytes, tokens * row_bytes, byte);
  }
}

// 0xFF bytes are NaN in f32 and f16, 0x5A bytes a large finite number.
void spoil_outputs(const belay_run_t& run, std::string_view op, int byte) {
  for (std::uint64_t i = 0; i < run.output_count; ++i) {
    const belay_tensor_t& output = *run.outputs[i];
    if (op == BELAY_OP_KV_WRITE) {
      spoil_cache(output, run.position, static_cast<std::uint64_t>(run.inputs[0]->shape[0]), byte);
    } else {
      fill(output.data, output.nbytes, byte);
    }
  }
}

}  // namespace

std::uint64_t number_of(sdk::Host host, std::string_view key, std::uint64_t otherwise) {
  const std::string_view text = host.config(key);
  if (text.empty()) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "test.faulty: %s is not a number", std::string(key).c_str());
  }
  return value;
}

Fault::Fault(sdk::Host host)
    : fail_at_(number_of(host, "fail_at", kNever)),
      fail_times_(number_of(host, "fail_times", 1)),
      fail_op_(host.config("fail_op")) {
  scope_ = choice(host, "fail_scope", "op",
                  {{"op", BELAY_SCOPE_OP},
                   {"out_of_memory", BELAY_SCOPE_OUT_OF_MEMORY},
                   {"stream", BELAY_SCOPE_STREAM},
                   {"device", BELAY_SCOPE_DEVICE},
                   {"plugin", BELAY_SCOPE_PLUGIN},
                   {"process", BELAY_SCOPE_PROCESS},
                   {"contract", BELAY_SCOPE_CONTRACT}});
  how_ = static_cast<How>(choice(host, "fail_how", "status",
                                 {{"status", static_cast<std::int32_t>(How::kStatus)},
                                  {"throw", static_cast<std::int32_t>(How::kThrow)},
                                  {"nan", static_cast<std::int32_t>(How::kNan)},
                                  {"partial", static_cast<std::int32_t>(How::kPartial)}}));
}

bool Fault::strikes(std::string_view op) {
  if (!fail_op_.empty() && op != fail_op_) return false;
  const std::uint64_t index = runs_++;
  return index >= fail_at_ && index - fail_at_ < fail_times_;
}

belay_status_t Fault::commit(const belay_run_t& run, std::string_view op, belay_kernel_t& sound) const {
  if (how_ == How::kThrow) throw std::runtime_error("as the setting fail_how asked");
  if (how_ == How::kNan) {
    const belay_status_t status = sound.run(&sound, &run);
    if (status == BELAY_OK) spoil_outputs(run, op, 0xFF);
    return status;
  }
  if (how_ == How::kPartial) {
    const belay_status_t status = sound.run(&sound, &run);  // refuses bad operands before anything is written
    if (status != BELAY_OK) return status;
    spoil_outputs(run, op, 0x5A);
    fill(run.workspace, run.workspace_bytes, 0x5A);
  }
  const belay_status_t status = sdk::fail(run.error, code_of(scope_), "as the setting fail_at asked");
  if (run.error != nullptr) run.error->scope = scope_;
  return status;
}

}  // namespace faulty
