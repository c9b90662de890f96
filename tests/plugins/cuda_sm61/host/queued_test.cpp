// Runs with a stream: operands, workspace and weights in device buffers, nothing waited for. Every op gives
// the bits that it gives from host memory.
#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/check_case.hpp"
#include "tests/kernels/describe.hpp"
#include "tests/plugins/cuda_sm61/host/opened.hpp"
#include "tests/support/doctest.hpp"

#include <cstring>
#include <functional>

namespace belay::cuda {
namespace {

using kernel_tests::Fill;
using kernel_tests::OpCase;
using kernel_tests::Operand;
using kernel_tests::WeightFill;
using Outputs = std::vector<std::vector<std::uint8_t>>;

// One case on the instance, run from host memory or on a stream.
class Trial {
 public:
  Trial(Opened& opened, const OpCase& op_case)
      : opened_(opened), case_(op_case), description_(op_case, constant_data()) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  [[nodiscard]] const belay_op_t& op() const { return *description_.get(); }

  // All in host memory.
  Outputs from_host(belay_kernel_t& kernel) {
    const std::uint64_t bytes = workspace(kernel);
    kernel_tests::RunOperands operands(case_, bytes);
    belay_run_t run = operands.arguments();
    run.error = &opened_.error;
    REQUIRE_MESSAGE(kernel.run(&kernel, &run) == BELAY_OK, opened_.error.message);
    Outputs outputs;
    for (std::size_t i = 0; i < case_.outputs.size(); ++i) {
      outputs.emplace_back(operands.output(i).begin(), operands.output(i).end());
    }
    return outputs;
  }

  // Queued on a stream; `change` may spoil the arguments. What run() answered is left in `status`.
  Outputs queued(belay_kernel_t& kernel, belay_status_t& status,
                 const std::function<void(belay_run_t&)>& change = {}) {
    const belay_memory_t& memory = opened_.memory();
    belay_stream_t* stream = nullptr;
    belay_event_t* event = nullptr;
    REQUIRE(memory.stream_create(opened_.handle(), &stream, &opened_.error) == BELAY_OK);
    REQUIRE(memory.event_create(opened_.handle(), &event, &opened_.error) == BELAY_OK);
    const std::vector<Placed> inputs = place(case_.inputs, stream);
    const std::vector<Placed> outputs = place(case_.outputs, stream);
    const std::uint64_t room = make_buffer(workspace(kernel));
    belay_run_t run{};
    run.struct_size = sizeof run;
    const auto input_pointers = pointers(inputs);
    const auto output_pointers = pointers(outputs);
    run.inputs = input_pointers.data();
    run.input_count = inputs.size();
    run.outputs = output_pointers.data();
    run.output_count = outputs.size();
    run.position = case_.position;
    run.stream = stream;
    run.workspace_buffer = room;
    run.workspace_bytes = workspace(kernel);
    run.error = &opened_.error;
    if (change) change(run);
    belay_fake_cuda().settings().keep_log = true;
    belay_fake_cuda().reset_calls();
    status = kernel.run(&kernel, &run);
    for (const std::string& symbol : belay_fake_cuda().log()) {
      const bool queues = symbol == "cuLaunchKernel" || symbol == "cuCtxSetCurrent";
      REQUIRE_MESSAGE(queues, symbol);  // no allocation, no copy, no wait
    }
    Outputs results;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      results.emplace_back(case_.outputs[i].bytes.size());
      if (results.back().empty()) continue;
      REQUIRE(memory.copy(opened_.handle(), stream, 0, 0, results.back().data(), outputs[i].tensor.buffer,
                          outputs[i].tensor.offset, nullptr, results.back().size(),
                          &opened_.error) == BELAY_OK);
    }
    REQUIRE(memory.event_record(event, stream, &opened_.error) == BELAY_OK);
    REQUIRE(memory.event_sync(event, 0, &opened_.error) == BELAY_OK);
    memory.event_destroy(event);
    memory.stream_destroy(stream);
    for (const Placed& placed : inputs) memory.free(opened_.handle(), placed.tensor.buffer);
    for (const Placed& placed : outputs) memory.free(opened_.handle(), placed.tensor.buffer);
    memory.free(opened_.handle(), room);
    return results;
  }

  std::uint64_t make_buffer(std::uint64_t bytes) {
    std::uint64_t buffer = 0;
    REQUIRE(opened_.memory().alloc(opened_.handle(), kDeviceBuffer, bytes, &buffer, &opened_.error) ==
            BELAY_OK);
    return buffer;
  }

 private:
  static constexpr std::uint64_t kOffset = 64;  // operands need not lie at the beginning of their buffers
  struct Placed {
    belay_tensor_t tensor;
  };

  std::vector<void*> constant_data() {
    std::vector<void*> data;
    for (const Operand& constant : case_.constants) {
      data.push_back(constant.shape.empty() ? nullptr : const_cast<std::uint8_t*>(constant.bytes.data()));
    }
    return data;
  }

  static std::uint64_t workspace_of(belay_kernel_t& kernel, std::uint64_t tokens) {
    return static_cast<const sdk::KernelBase&>(kernel).workspace(tokens);
  }
  std::uint64_t workspace(belay_kernel_t& kernel) const { return workspace_of(kernel, case_.tokens); }

  void copy_in(const std::vector<std::uint8_t>& bytes, const belay_tensor_t& to, belay_stream_t* stream) {
    if (bytes.empty()) return;
    REQUIRE(opened_.memory().copy(opened_.handle(), stream, to.buffer, to.offset, nullptr, 0, 0, bytes.data(),
                                  bytes.size(), &opened_.error) == BELAY_OK);
  }

  std::vector<Placed> place(const std::vector<Operand>& operands, belay_stream_t* stream) {
    std::vector<Placed> placed;
    for (const Operand& operand : operands) {
      belay_tensor_t tensor = kernel_tests::describe(operand, nullptr);
      tensor.buffer = make_buffer(operand.bytes.size() + kOffset);
      tensor.offset = kOffset;
      copy_in(operand.bytes, tensor, stream);
      placed.push_back({tensor});
    }
    return placed;
  }

  static std::vector<const belay_tensor_t*> pointers(const std::vector<Placed>& placed) {
    std::vector<const belay_tensor_t*> all;
    all.reserve(placed.size());
    for (const Placed& each : placed) all.push_back(&each.tensor);
    return all;
  }

  Opened& opened_;
  const OpCase& case_;
  kernel_tests::OpDescription description_;
};

std::vector<OpCase> cases() {
  using namespace kernel_tests;  // NOLINT(google-build-using-namespace): makers of cases
  std::vector<OpCase> all;
  for (const std::size_t tokens : {std::size_t{1}, std::size_t{5}, std::size_t{70}}) {
    for (const std::int32_t numerics : {BELAY_NUMERICS_F32, BELAY_NUMERICS_ACT_Q8}) {
      for (const DType dtype : {DType::kF32, DType::kQ8_0, DType::kQ4_0, DType::kQ4_K}) {
        all.push_back(linear_case(dtype, numerics, {.tokens = tokens, .k = 512, .n = 45, .bias = tokens == 5},
                                  Fill::kNormal, WeightFill::kNormal, tokens));
      }
    }
    all.push_back(embed_case(DType::kQ6_K, tokens, 256, 40, WeightFill::kNormal, tokens));
    all.push_back(rms_norm_case({.tokens = tokens, .heads = 3, .d = 40}, 1e-5F, Fill::kNormal, tokens));
    all.push_back(layer_norm_case({.tokens = tokens, .d = 300}, 1e-5F, Fill::kNormal, tokens));
    all.push_back(rope_case({.tokens = tokens, .heads = 2}, Fill::kNormal, tokens));
    all.push_back(silu_mul_case(tokens, 33, Fill::kNormal, tokens));
    all.push_back(gelu_case(BELAY_GELU_ERF, tokens, 33, Fill::kNormal, tokens));
    all.push_back(add_case(tokens, 33, Fill::kNormal, tokens));
    for (const DType dtype : {DType::kF32, DType::kF16}) {
      const CacheShape shape{
          .dtype = dtype, .tokens = tokens, .heads = 6, .kv_heads = 2, .d = 64, .position = 600};
      all.push_back(kv_write_case(shape, Fill::kNormal, tokens));
      all.push_back(attention_case(shape, Fill::kNormal, false, tokens));
    }
  }
  return all;
}

TEST_CASE("a run on a stream only queues, and gives the bits of a run from host memory") {
  Opened opened;
  for (const OpCase& op_case : cases()) {
    CAPTURE(op_case.label);
    Trial trial(opened, op_case);
    const sdk::KernelPtr kernel = opened.instance().bind(trial.op(), nullptr, 0);
    const Outputs expected = trial.from_host(*kernel);
    belay_status_t status = BELAY_INTERNAL;
    CHECK(trial.queued(*kernel, status) == expected);
    CHECK(status == BELAY_OK);
  }
}

TEST_CASE("weights that lie packed in a buffer of the device give the same bits as weights in host memory") {
  Opened opened;
  for (const DType dtype : {DType::kF32, DType::kQ8_0, DType::kQ5_K}) {
    const OpCase op_case = kernel_tests::linear_case(dtype, BELAY_NUMERICS_ACT_Q8,
                                                     {.tokens = 3, .k = 256, .n = 21, .bias = true},
                                                     Fill::kNormal, WeightFill::kNormal, 8);
    Trial trial(opened, op_case);
    const belay_packed_t form = opened.instance().packed(trial.op());
    REQUIRE(form.layout != BELAY_LAYOUT_ROW);
    CHECK(form.in_device == 1);
    std::vector<std::uint8_t> packed(form.bytes);
    opened.instance().pack(trial.op(), packed.data(), packed.size());
    const sdk::KernelPtr from_host = opened.instance().bind(trial.op(), packed.data(), packed.size());

    constexpr std::uint64_t kOffset = 512;
    const std::uint64_t buffer = trial.make_buffer(form.bytes + kOffset);
    belay_stream_t* stream = nullptr;
    REQUIRE(opened.memory().stream_create(opened.handle(), &stream, &opened.error) == BELAY_OK);
    REQUIRE(opened.memory().copy(opened.handle(), stream, buffer, kOffset, nullptr, 0, 0, packed.data(),
                                 packed.size(), &opened.error) == BELAY_OK);
    REQUIRE(opened.instance().drain(0, &opened.error) == BELAY_OK);
    const std::uint64_t before = opened.instance().device().arena().used();
    {
      const sdk::KernelPtr in_place = opened.instance().bind_device(trial.op(), buffer, kOffset, form.bytes);
      CHECK(opened.instance().device().arena().used() < before + 1024);  // the bias alone is copied
      belay_status_t status = BELAY_INTERNAL;
      const Outputs expected = trial.from_host(*from_host);
      CHECK(trial.from_host(*in_place) == expected);
      CHECK(trial.queued(*in_place, status) == expected);
    }
    CHECK_THROWS_AS((void)opened.instance().bind_device(trial.op(), buffer, kOffset + 1, form.bytes),
                    sdk::Error);
    CHECK_THROWS_AS((void)opened.instance().bind_device(trial.op(), buffer, 2 * kOffset, form.bytes),
                    sdk::Error);
    CHECK_THROWS_AS((void)opened.instance().bind_device(trial.op(), buffer + 99, 0, form.bytes), sdk::Error);
    opened.memory().stream_destroy(stream);
    opened.memory().free(opened.handle(), buffer);
  }
}

TEST_CASE("a run on a stream refuses operands that are not in device memory, too small or not aligned") {
  Opened opened;
  const OpCase op_case =
      kernel_tests::linear_case(DType::kQ8_0, BELAY_NUMERICS_ACT_Q8, {.tokens = 3, .k = 256, .n = 21},
                                Fill::kNormal, WeightFill::kNormal, 8);
  Trial trial(opened, op_case);
  const sdk::KernelPtr kernel = opened.instance().bind(trial.op(), nullptr, 0);
  belay_tensor_t changed{};
  const belay_tensor_t* pointer = &changed;
  const auto with_input = [&](const std::function<void(belay_tensor_t&)>& change) {
    belay_status_t status = BELAY_OK;
    (void)trial.queued(*kernel, status, [&](belay_run_t& run) {
      changed = *run.inputs[0];
      change(changed);
      run.inputs = &pointer;
    });
    return status;
  };
  CHECK(with_input([](belay_tensor_t&) {}) == BELAY_OK);
  CHECK(with_input([](belay_tensor_t& x) { x.offset += 4; }) == BELAY_INVALID_ARGUMENT);
  CHECK(with_input([](belay_tensor_t& x) { x.offset += 16; }) == BELAY_INVALID_ARGUMENT);
  CHECK(with_input([](belay_tensor_t& x) { x.offset = ~std::uint64_t{15}; }) == BELAY_INVALID_ARGUMENT);
  CHECK(with_input([](belay_tensor_t& x) { x.buffer = 0; }) == BELAY_INVALID_ARGUMENT);
  CHECK(with_input([](belay_tensor_t& x) { x.nbytes -= 1; }) == BELAY_INVALID_ARGUMENT);
  belay_status_t status = BELAY_OK;
  (void)trial.queued(*kernel, status, [](belay_run_t& run) { run.workspace_buffer = 0; });
  CHECK(status == BELAY_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace belay::cuda
