// A plugin that computes `add` and breaks one rule of the ABI, which the setting "fault" names; without it,
// none. It proves that the harness notices: a test of the test.
#include <belay/cpp/plugin.hpp>

#include <immintrin.h>

#include <cmath>
#include <cstring>
#include <string>

namespace {

using belay::sdk::Host;
using belay::sdk::Support;

class Add final : public belay::sdk::Kernel<Add> {
 public:
  Add(Host host, std::string fault) : host_(host), fault_(std::move(fault)) {}

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override {
    return fault_ == "workspace_shrinks" ? 1000 / (tokens + 1) : 64;
  }

  belay_status_t run(const belay_run_t& run) {
    const auto* a = static_cast<const float*>(run.inputs[0]->data);
    const auto* b = static_cast<const float*>(run.inputs[1]->data);
    auto* out = static_cast<float*>(run.outputs[0]->data);
    const uint64_t count = run.outputs[0]->nbytes / sizeof(float);
    const auto body = [&](uint64_t begin, uint64_t end, uint32_t worker) {
      for (uint64_t i = begin; i < end; ++i) out[i] = element(a[i], b[i]);
      if (fault_ == "depends_on_worker" && begin < end) out[begin] += static_cast<float>(worker);
    };
    if (fault_ != "fails") (void)host_.parallel_for(count, 3, body);
    return misbehave(run, out, count);
  }

 private:
  [[nodiscard]] float element(float a, float b) const {
    const float sum = a + b;
    if (fault_ == "wrong") return sum * 1.00001F;
    if (fault_ == "hides_nan") return std::isfinite(sum) ? sum : 0.0F;
    return sum;
  }

  belay_status_t misbehave(const belay_run_t& run, float* out, uint64_t count) {
    if (fault_ == "fails") return belay::sdk::fail(run.error, BELAY_INTERNAL, "as asked");
    if (fault_ == "skips_last" && count != 0) std::memset(out + count - 1, 0xEB, sizeof(float));
    if (fault_ == "writes_past_output") out[count] = 1.0F;
    if (fault_ == "writes_before_output") out[-1] = 1.0F;
    if (fault_ == "writes_past_workspace") static_cast<char*>(run.workspace)[run.workspace_bytes] = 1;
    if (fault_ == "changes_input" && count != 0) static_cast<float*>(run.inputs[1]->data)[0] += 1.0F;
    if (fault_ == "allocates") host_.release(host_.allocate(64, 64, "x"), 64);
    if (fault_ == "flushes_denormals") _mm_setcsr(_mm_getcsr() | 0x8000U);
    return BELAY_OK;
  }

  Host host_;
  std::string fault_;
};

class Instance {
 public:
  Instance(Host host, const belay_open_t& /*options*/) : host_(host), fault_(host.config("fault")) {}

  static belay_status_t probe(Host /*host*/, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* /*error*/) {
    return belay::sdk::probe_cpu(devices, capacity, count);
  }

  [[nodiscard]] Support supports(const belay_op_t& op) const {
    Support answer;
    answer.cost_ns = 1;
    if (fault_ == "fickle") answer.cost_ns += ++asked_;
    if (belay::sdk::view(op.id) != BELAY_OP_ADD) {
      answer.no(BELAY_UNSUPPORTED, fault_ == "no_without_reason" ? "%s" : "only add%s", "");
    }
    return answer;
  }

  [[nodiscard]] belay::sdk::KernelPtr bind(const belay_op_t& /*op*/, const void* /*buffer*/,
                                           uint64_t /*bytes*/) const {
    return std::make_unique<Add>(host_, fault_);
  }

 private:
  Host host_;
  std::string fault_;
  mutable uint64_t asked_ = 0;
};

}  // namespace

BELAY_PLUGIN(Instance, "test.broken", "1.0.0")
