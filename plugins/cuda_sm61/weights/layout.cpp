#include "plugins/cuda_sm61/weights/layout.hpp"

#include "plugins/cuda_sm61/weights/format.hpp"

namespace belay::cuda {

namespace {

constexpr std::int64_t kMostParts = std::int64_t{1}
                                    << 30;  // of 8 values; kernels number their halves in an int

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
}

}  // namespace

std::optional<PackedLayout> packed_layout(std::int32_t dtype, std::int64_t rows, std::int64_t k) {
  const WeightFormat* format = weight_format(dtype);
  if (format == nullptr || rows < 0 || k < 0 || k % format->block_values != 0) return std::nullopt;
  if (k > kMostParts) return std::nullopt;
  const std::int64_t parts = (k + kFloatPart - 1) / kFloatPart;
  if (parts != 0 && rows > kMostParts / parts) return std::nullopt;
  const auto all_parts = static_cast<std::uint64_t>(rows * parts);
  PackedLayout layout;
  const auto place = [&](std::uint64_t& offset, std::uint64_t count, std::int32_t bytes_each) {
    offset = layout.bytes;
    layout.bytes = aligned(layout.bytes + count * static_cast<std::uint64_t>(bytes_each));
  };
  place(layout.quants, format->bits == 0 ? all_parts * kFloatPart : all_parts / 4, format->quants);
  place(layout.extra, all_parts / 4, format->extra);
  place(layout.scales, all_parts / 4, format->scales);
  place(layout.supers, all_parts / 32, format->supers);
  return layout;
}

WeightPlanes planes_at(const PackedLayout& layout, const void* base) {
  const auto at = [base](std::uint64_t offset) -> const void* {
    return static_cast<const char*>(base) + offset;
  };
  return {at(layout.quants), at(layout.extra), at(layout.scales), at(layout.supers)};
}

}  // namespace belay::cuda
