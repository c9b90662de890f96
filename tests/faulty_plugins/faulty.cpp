// test.faulty: the scalar kernels, all operators, sound until the settings say otherwise (fault.hpp,
// README.md). With "pack" = "1" its weights have a layout of its own, so that the core's path through pack
// and bind is exercised; with "join" it joins that many kernels.
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "tests/faulty_plugins/fault.hpp"
#include "tests/faulty_plugins/joined.hpp"
#include "tests/faulty_plugins/packing.hpp"

#include <memory>
#include <optional>
#include <string>

namespace faulty {

namespace kernels = belay::BELAY_ISA;

class FaultyKernel final : public sdk::Kernel<FaultyKernel> {
 public:
  FaultyKernel(sdk::Host host, Fault& fault, std::string op, std::optional<Unpacked> unpacked,
               sdk::KernelPtr sound)
      : host_(host),
        fault_(fault),
        op_(std::move(op)),
        unpacked_(std::move(unpacked)),
        sound_(std::move(sound)) {}

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override { return sound_->workspace(tokens); }

  belay_status_t run(const belay_run_t& run) {
    if (unpacked_ && !unpacked_->refresh()) {
      return sdk::fail(run.error, BELAY_CORRUPT, "the packed constants changed or were freed before release");
    }
    if (fault_.strikes(op_)) return fault_.commit(run, op_, *sound_);
    const auto span = host_.span("sound kernel");
    host_.count("sound runs", 1);
    return sound_->belay_kernel_t::run(sound_.get(), &run);
  }

 private:
  sdk::Host host_;
  Fault& fault_;
  std::string op_;
  std::optional<Unpacked> unpacked_;  // before sound_, which reads from it
  sdk::KernelPtr sound_;
};

class Instance {
 public:
  Instance(sdk::Host host, const belay_open_t& /*options*/)
      : host_(host), fault_(host), packs_(host.config("pack") == "1") {}

  static belay_status_t probe(sdk::Host /*host*/, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* /*error*/) {
    return sdk::probe_cpu(devices, capacity, count);
  }

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const {
    sdk::Support answer;
    const kernels::OpRow* row = kernels::find_op(sdk::view(op.id));
    if (row == nullptr) {
      answer.no(BELAY_UNSUPPORTED, "the operator is not offered");
    } else {
      answer.confidence_permille = 300;
      row->supports(op, answer);
    }
    return answer;
  }

  [[nodiscard]] belay_packed_t packed(const belay_op_t& op) const {
    if (!packs_) return {sizeof(belay_packed_t), BELAY_LAYOUT_ROW, 0, 1, 0, 0};
    return packed_form(op);
  }

  void pack(const belay_op_t& op, void* buffer, uint64_t bytes) const { pack_constants(op, buffer, bytes); }

  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* buffer, uint64_t bytes) {
    const sdk::Support answer = supports(op);
    if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
    belay_op_t plain = op;
    std::optional<Unpacked> unpacked;
    if (packed(op).layout != BELAY_LAYOUT_ROW) {
      unpacked.emplace(op, buffer, bytes);
      plain.constants = unpacked->constants().data();
    }
    const auto id = std::string(sdk::view(op.id));
    sdk::KernelPtr sound = kernels::find_op(id)->bind(host_, plain);
    return std::make_unique<FaultyKernel>(host_, fault_, id, std::move(unpacked), std::move(sound));
  }

  [[nodiscard]] sdk::KernelPtr fuse(const sdk::Sequence& steps, uint64_t& taken) const {
    return join(steps, number_of(host_, "join", 0), taken, [](const belay_tensor_t& t) { return t.data; });
  }

 private:
  sdk::Host host_;
  Fault fault_;
  bool packs_;
};

}  // namespace faulty

BELAY_PLUGIN(faulty::Instance, "test.faulty", "1.0.0")
