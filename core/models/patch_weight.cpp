#include "core/models/patch_weight.hpp"

#include "core/base/format.hpp"
#include "core/formats/quantize.hpp"
#include "core/models/vision_config.hpp"

namespace belay::models {
namespace {

constexpr std::uint64_t kFrame = std::uint64_t{kPatchSide} * kPatchSide;  // values of one channel and tap
constexpr std::uint64_t kChannels = 3;

Result<std::vector<float>> floats(const formats::TensorView& tensor, const std::vector<std::uint64_t>& tail,
                                  std::string_view name) {
  std::vector<std::uint64_t> rest = tensor.shape;
  if (!rest.empty()) rest.erase(rest.begin());
  if (rest != tail) {
    return fail(ErrorCode::kBadInput, "{}: tensor \"{}\" has shape [{}], expected [width, {}]", name,
                tensor.name, fmt::join(tensor.shape, ", "), fmt::join(tail, ", "));
  }
  std::uint64_t count = tensor.shape[0];
  for (const std::uint64_t dim : tail) count *= dim;
  std::vector<float> values(count);
  BELAY_TRY(formats::to_f32(tensor.dtype, tensor.data, values));
  return values;
}

Result<std::span<float>> make_weight(Tensors& tensors, std::uint64_t width) {
  BELAY_TRY_ASSIGN(const std::span<std::byte> room,
                   tensors.make(std::string(kPatchWeight), DType::kF32,
                                {static_cast<std::int64_t>(width), std::int64_t{kPatchValues}}));
  return std::span(reinterpret_cast<float*>(room.data()), room.size() / sizeof(float));
}

}  // namespace

Status add_patch_weight(Tensors& tensors, const formats::TensorView& first, const formats::TensorView& second,
                        std::string_view name) {
  const std::vector<std::uint64_t> tail = {kChannels, kPatchSide, kPatchSide};
  BELAY_TRY_ASSIGN(const std::vector<float> a, floats(first, tail, name));
  BELAY_TRY_ASSIGN(const std::vector<float> b, floats(second, tail, name));
  if (a.size() != b.size()) {
    return fail(ErrorCode::kBadInput, "{}: tensors \"{}\" and \"{}\" differ in shape", name, first.name,
                second.name);
  }
  BELAY_TRY_ASSIGN(const std::span<float> sum, make_weight(tensors, first.shape[0]));
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = a[i] + b[i];
  return {};
}

Status add_patch_weight(Tensors& tensors, const formats::TensorView& joint, std::string_view name) {
  BELAY_TRY_ASSIGN(const std::vector<float> both,
                   floats(joint, {kChannels, 2, kPatchSide, kPatchSide}, name));
  BELAY_TRY_ASSIGN(const std::span<float> sum, make_weight(tensors, joint.shape[0]));
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::size_t tap = i / kFrame * 2 * kFrame + i % kFrame;
    sum[i] = both[tap] + both[tap + kFrame];
  }
  return {};
}

}  // namespace belay::models
