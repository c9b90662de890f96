// The plugin: one device, the machine's CPU, and belay.compute/1 with one operator.
#include "plugins/cpu_openblas/linear.hpp"

#include <belay/cpp/plugin.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace belay::openblas {
namespace {

constexpr const char* kLibrary = "libopenblas.so.0";

// A product of gemm's kind: the host's known answer has too few tokens for it. The first call of probe is in
// a child process, which an instruction that this CPU lacks ends there.
void try_gemm(const OpenBlas& blas) {
  constexpr int kSize = 24;
  std::array<float, std::size_t{kSize} * kSize> ones{};
  std::array<float, std::size_t{kSize} * kSize> out{};
  ones.fill(1);
  blas.gemm({kSize, kSize, kSize, ones.data(), ones.data(), out.data(), kSize});
  if (std::any_of(out.begin(), out.end(), [](float sum) { return sum != kSize; })) {
    throw sdk::Error(BELAY_CONTRACT, "%s multiplies wrong", kLibrary);
  }
}

class Instance {
 public:
  Instance(sdk::Host host, const belay_open_t& options) : host_(host) {
    if (options.device_index != 0) throw sdk::Error(BELAY_NO_DEVICE, "there is one device, number 0");
  }

  static belay_status_t probe(sdk::Host host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t*) {
    const OpenBlas blas(host, kLibrary);
    blas.reserve(1);
    try_gemm(blas);
    return sdk::probe_cpu(devices, capacity, count);
  }

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const {
    sdk::Support answer;
    supports_linear(op, answer);
    return answer;
  }

  sdk::KernelPtr bind(const belay_op_t& op, const void*, uint64_t) {
    const sdk::Support answer = supports(op);
    if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
    return bind_linear(host_, library(), op);
  }

 private:
  // Opened when the first kernel is bound: a host whose graph has no op for it does without.
  const OpenBlas& library() {
    if (!blas_) {
      const OpenBlas blas(host_, kLibrary);
      blas.reserve(std::min(host_.max_concurrency(), OpenBlas::kMostCalls));
      blas_ = blas;
    }
    return *blas_;
  }

  sdk::Host host_;
  std::optional<OpenBlas> blas_;
};

}  // namespace
}  // namespace belay::openblas

BELAY_PLUGIN(belay::openblas::Instance, "cpu_openblas", BELAY_CPU_PLUGIN_VERSION)
