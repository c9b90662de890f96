#include "core/models/quantize_weights.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/formats/quantize.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace belay::models {
namespace {

bool is_plain(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

bool fits(DType to, const graph::Shape& shape) { return shape.back() % info(to).block_elems == 0; }

// What the threads share: the first error of them.
struct Work {
  const graph::Weight& weight;
  DType to;
  std::span<std::byte> out;
  std::uint64_t first_row;
  std::mutex mutex = {};
  Status status = {};
};

Status quantize_rows(Work& work, std::uint64_t begin, std::uint64_t end) {
  const auto columns = static_cast<std::size_t>(work.weight.shape[1]);
  const std::size_t from_bytes = *row_bytes(work.weight.dtype, columns);
  const std::size_t to_bytes = *row_bytes(work.to, columns);
  std::vector<float> row(columns);
  for (std::uint64_t r = begin; r < end; ++r) {
    BELAY_TRY(formats::to_f32(work.weight.dtype, work.weight.data.subspan(r * from_bytes, from_bytes), row));
    BELAY_TRY(
        formats::quantize_row(work.to, row, work.out.subspan(r * to_bytes, to_bytes), work.first_row + r));
  }
  return {};
}

}  // namespace

bool can_quantize_to(DType dtype) {
  return dtype == DType::kQ8_0 || dtype == DType::kQ4_0 || dtype == DType::kQ4_K;
}

DType quantized_type(std::string_view name, const graph::Shape& shape, DType from, DType wanted) {
  const bool of_decoder = name.starts_with("blk.") || name == "token_embd.weight" || name == "output.weight";
  if (!of_decoder || shape.size() != 2 || !is_plain(from)) return from;
  const bool is_vocabulary = !name.starts_with("blk.");
  if (is_vocabulary && wanted != DType::kQ8_0) wanted = DType::kQ6_K;
  if (fits(wanted, shape)) return wanted;
  return fits(DType::kQ8_0, shape) ? DType::kQ8_0 : from;
}

Status quantize(const graph::Weight& weight, DType to, std::span<std::byte> out, threading::Pool& pool,
                std::uint64_t first_row) {
  Work work{weight, to, out, first_row};
  const auto body = [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
    Work& shared = *static_cast<Work*>(user);
    Status done = quantize_rows(shared, begin, end);
    if (done.ok()) return;
    const std::lock_guard lock(shared.mutex);
    if (shared.status.ok()) shared.status = std::move(done);
  };
  constexpr std::uint64_t kRowsAtLeast = 16;
  pool.parallel_for(static_cast<std::uint64_t>(weight.shape[0]), kRowsAtLeast, body, &work);
  if (work.status.ok()) return {};
  return fail(work.status.error().code, "tensor \"{}\": {}", weight.name, work.status.error().message);
}

Result<VisionBlocks> VisionBlocks::declare(Tensors& tensors) {
  VisionBlocks made;
  for (const auto& [name, weight] : tensors.all()) {
    const bool of_block =
        name.starts_with("v.blk.") || name.starts_with("v.deepstack.") || name.starts_with("mm.");
    if (of_block && weight.shape.size() == 2 && is_plain(weight.dtype) && fits(DType::kQ8_0, weight.shape))
      made.pending_.push_back({weight, {}});
  }
  for (Pending& one : made.pending_) {
    BELAY_TRY_ASSIGN(one.blocks, tensors.make(one.source.name, DType::kQ8_0, one.source.shape));
  }
  return made;
}

Status VisionBlocks::make(threading::Pool& pool) {
  for (const Pending& one : std::exchange(pending_, {})) {
    BELAY_TRY(quantize(one.source, DType::kQ8_0, one.blocks, pool));
    if (one.source.home == graph::Home::kFile) forget_pages(one.source.data);
  }
  return {};
}

}  // namespace belay::models
