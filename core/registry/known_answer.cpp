#include "core/registry/known_answer.hpp"

#include "core/base/format.hpp"
#include "core/base/half.hpp"
#include "core/memory/tensor.hpp"
#include "core/registry/abi_text.hpp"
#include "core/registry/known_cases.hpp"
#include "core/registry/known_storage.hpp"
#include "core/registry/known_weights.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace belay::registry {
namespace {

constexpr std::uint64_t kMaxScratch = std::uint64_t{64} << 20U;  // far more than any of the small cases needs
constexpr std::uint64_t kMaxAlignment = 4096;
constexpr float kTolerance =
    1e-4F;  // of the largest element: f32 rounding is 1000 times smaller, a wrong bit larger

using Problem = std::optional<std::string>;

std::vector<belay_tensor_t> described(const std::vector<Operand>& operands, bool with_data) {
  std::vector<belay_tensor_t> tensors;
  for (const Operand& operand : operands) {
    tensors.push_back(operand.tensor);
    if (operand.has_tokens) memory::resize(tensors.back(), 0, BELAY_DYNAMIC);
    if (!with_data) tensors.back().data = nullptr;
  }
  return tensors;
}

// Memory that a plugin asked for, with its alignment.
class Scratch {
 public:
  [[nodiscard]] Problem take(std::uint64_t bytes, std::uint64_t alignment) {
    if (bytes > kMaxScratch || !std::has_single_bit(alignment) || alignment > kMaxAlignment) {
      return format("it asks for {} bytes aligned to {} for a small operator", bytes, alignment);
    }
    auto buffer = memory::Buffer::allocate(bytes + alignment, "known answers");
    if (!buffer) return buffer.error().message;
    buffer_ = std::move(*buffer);
    void* start = buffer_.data();
    std::size_t room = buffer_.size();
    aligned_ = std::align(alignment, bytes, start, room);
    return std::nullopt;
  }
  [[nodiscard]] void* data() const { return aligned_; }

 private:
  memory::Buffer buffer_;
  void* aligned_ = nullptr;
};

// One case on one plugin. The kernel ends with it.
class Trial {
 public:
  Trial(const Plugin& plugin, KnownCase& known)
      : compute_(*plugin.compute()),
        instance_(plugin.instance()),
        known_(known),
        inputs_(described(known.inputs, false)),
        constants_(described(known.constants, true)),
        outputs_(described(known.outputs, false)) {
    op_.struct_size = sizeof op_;
    op_.id = abi_string(known.op);
    op_.attributes = known.attributes.empty() ? nullptr : known.attributes.data();
    op_.attributes_size = known.attributes.size();
    op_.inputs = inputs_.data();
    op_.input_count = inputs_.size();
    op_.constants = constants_.data();
    op_.constant_count = constants_.size();
    op_.outputs = outputs_.data();
    op_.output_count = outputs_.size();
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() {
    if (kernel_ != nullptr) compute_.release(kernel_);
  }

  [[nodiscard]] Problem supported(bool& yes) {
    belay_support_t answer{};
    answer.struct_size = sizeof answer;
    if (const auto status = compute_.supports(instance_, &op_, 1, &answer, &error_); status != BELAY_OK) {
      return failed_call("supports", status, error_);
    }
    yes = answer.yes != 0;
    return std::nullopt;
  }

  [[nodiscard]] Problem bind() {
    belay_packed_t packed{};
    packed.struct_size = sizeof packed;
    if (const auto status = compute_.packed(instance_, &op_, &packed, &error_); status != BELAY_OK) {
      return failed_call("packed", status, error_);
    }
    const bool packs = packed.layout != BELAY_LAYOUT_ROW;
    if (packs) {
      if (auto problem = weights_.take(packed.bytes, packed.alignment)) return problem;
      const auto status = compute_.pack(instance_, &op_, weights_.data(), packed.bytes, &error_);
      if (status != BELAY_OK) return failed_call("pack", status, error_);
    }
    const auto status =
        compute_.bind(instance_, &op_, weights_.data(), packs ? packed.bytes : 0, &kernel_, &error_);
    if (status != BELAY_OK) {
      kernel_ = nullptr;
      return failed_call("bind", status, error_);
    }
    if (kernel_ == nullptr || kernel_->run == nullptr) return "bind succeeded and gave no kernel";
    return std::nullopt;
  }

  [[nodiscard]] Problem run() {
    std::uint64_t bytes = 0;
    if (const auto status = compute_.workspace(kernel_, known_.tokens, &bytes, &error_); status != BELAY_OK) {
      return failed_call("workspace", status, error_);
    }
    Scratch workspace;
    if (auto problem = workspace.take(bytes, memory::kAlignment)) return problem;
    const auto inputs = pointers(known_.inputs);
    const auto outputs = pointers(known_.outputs);
    belay_run_t run{};
    run.struct_size = sizeof run;
    run.inputs = inputs.data();
    run.input_count = inputs.size();
    run.outputs = outputs.data();
    run.output_count = outputs.size();
    run.position = known_.position;
    run.workspace = workspace.data();
    run.workspace_bytes = bytes;
    run.error = &error_;
    if (const auto status = kernel_->run(kernel_, &run); status != BELAY_OK)
      return failed_call("run", status, error_);
    return std::nullopt;
  }

 private:
  static std::vector<const belay_tensor_t*> pointers(const std::vector<Operand>& operands) {
    std::vector<const belay_tensor_t*> tensors;
    tensors.reserve(operands.size());
    for (const Operand& operand : operands) tensors.push_back(&operand.tensor);
    return tensors;
  }

  const belay_compute_t& compute_;
  belay_instance_t* instance_;
  KnownCase& known_;
  std::vector<belay_tensor_t> inputs_;
  std::vector<belay_tensor_t> constants_;
  std::vector<belay_tensor_t> outputs_;
  belay_op_t op_{};
  belay_error_t error_ = empty_error();
  Scratch weights_;
  belay_kernel_t* kernel_ = nullptr;
};

template <class T>
T read(const std::byte* from) {
  T value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Of an output: f32, or a cache of any of its types.
float element(const Operand& operand, std::size_t index) {
  const std::byte* bytes = operand.bytes.data();
  switch (operand.tensor.dtype) {
    case BELAY_DTYPE_F16:
      return half_to_float(read<std::uint16_t>(bytes + index * 2));
    case BELAY_DTYPE_Q8_0: {
      const std::byte* block = bytes + index / 32 * 34;
      return half_to_float(read<std::uint16_t>(block)) * read<std::int8_t>(block + 2 + index % 32);
    }
    default:
      return read<float>(bytes + index * sizeof(float));
  }
}

// NaN, as of an element that was never written, is wrong, too.
Problem compare(const Operand& output, const std::vector<float>& expected) {
  float largest = 0;
  for (const float value : expected) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float got = element(output, i);
    if (std::fabs(got - expected[i]) <= kTolerance * largest) continue;
    return format("element {} is {}, the right answer is {}", i, got, expected[i]);
  }
  return std::nullopt;
}

Problem try_case(const Plugin& plugin, KnownCase& known, bool& declined) {
  Trial trial(plugin, known);
  bool yes = false;
  if (auto problem = trial.supported(yes)) return problem;
  declined = !yes;
  if (declined) return std::nullopt;
  if (auto problem = trial.bind()) return problem;
  if (auto problem = trial.run()) return problem;
  for (std::size_t i = 0; i < known.outputs.size(); ++i) {
    if (auto problem = compare(known.outputs[i], known.expected[i])) return problem;
  }
  return std::nullopt;
}

// "q8_0*f32" claims q8_0 weights for f32 activations.
std::optional<DType> claimed_type(std::string_view claim) {
  return parse_dtype(claim.substr(0, claim.find('*')));
}

// One type of one claim; `known` is null for storage.
Problem try_claim(const Plugin& plugin, KnownCase* known, bool& declined) {
  if (known == nullptr) {
    return plugin.storage() != nullptr ? try_storage(plugin) : "the plugin offers no " BELAY_STORAGE_1;
  }
  return plugin.compute() != nullptr ? try_case(plugin, *known, declined)
                                     : "the plugin offers no " BELAY_COMPUTE_1;
}

}  // namespace

KnownAnswers run_known_answers(const Plugin& plugin, const std::function<void(std::string_view)>& step) {
  KnownAnswers answers;
  for (const manifest::Provides& claim : plugin.manifest().provides) {
    for (const std::string& name : claim.dtypes) {
      const auto dtype = claimed_type(name);
      if (!dtype) continue;
      auto known = known_case(claim.op, *dtype);
      if (!known && claim.op != BELAY_STORAGE_1) continue;
      const std::string what = format("{} {}", claim.op, to_string(*dtype));
      step("known answer of " + what);
      bool declined = false;
      if (auto problem = try_claim(plugin, known ? &*known : nullptr, declined)) {
        answers.objection =
            Objection{Stage::kProbe, std::string(reason::kKnownAnswer), format("{}: {}", what, *problem)};
        return answers;
      }
      ++(declined ? answers.declined : answers.right);
    }
  }
  return answers;
}

}  // namespace belay::registry
