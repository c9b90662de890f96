// One token with activations as they are: weights become floats in registers, kLanes rows side by side. Sums
// run in the order of linear_f32.cpp: one vector for each row over a chunk of k, chunks added in order.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/quant/visit.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace belay::BELAY_ISA {
namespace {

using Sums = F32[kLanes];

// Adds the products of `count` values from each row's start with x, and moves the rows on. `ahead` is the
// distance to the next group of rows, whose bytes are fetched meanwhile.
template <class F>
struct Quantised {
  static void add(Rows& rows, uint64_t ahead, const float* x, int64_t count, Sums& acc) {
    alignas(32) float scale[kF32Chunk / F::kGroup * kLanes];  // [group][row]
    alignas(32) float offset[kF32Chunk / F::kGroup * kLanes];
    Rows start;
    std::copy(rows, rows + kLanes, start);
    for (int64_t k = 0; k < count; k += F::kBlock) {
      affine(rows, scale + k / F::kGroup * kLanes, offset + k / F::kGroup * kLanes);
      for (auto& row : rows) {
        prefetch_lines(row + ahead, F::kBytes);
        row += F::kBytes;
      }
    }
    // Four rows at a time, whose accumulators fit the registers beside what unpacking needs.
    for (int r = 0; r < kLanes; r += 4) add_rows(start + r, scale + r, offset + r, x, count, acc + r);
  }

 private:
  static void affine(const Rows& rows, float* scale, float* offset) {
    F32 s[kGroups<F>];
    F32 o[kGroups<F>];
    F::affine(rows, s, o);
    for (int g = 0; g < kGroups<F>; ++g) {
      store(s[g], scale + g * kLanes);
      store(o[g], offset + g * kLanes);
    }
  }

  static void add_rows(const uint8_t* const* rows, const float* scale, const float* offset, const float* x,
                       int64_t count, F32* acc) {
    F32 sums[4] = {acc[0], acc[1], acc[2], acc[3]};
    for (int64_t k = 0; k < count; k += F::kBlock) {
      for (int i = 0; i < F::kBlock / 32; ++i) {
        const int64_t at = k + 32 * i;
        const int64_t group = at / F::kGroup * kLanes;
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
          const uint8_t* block = rows[r] + k / F::kBlock * F::kBytes;
          add_part(F::quants(block, i), x + at, scale + group + r, offset + group + r, sums[r]);
        }
      }
    }
    std::copy(sums, sums + 4, acc);
  }

  // 32 values of one row.
  static void add_part(Bytes quants, const float* x, const float* scale, const float* offset, F32& sum) {
    alignas(32) uint8_t q[32];
    store_bytes(quants, q);
    keep_in_memory(q);
#pragma GCC unroll 8
    for (int j = 0; j < 32; j += kLanes) {
      const int group = j / F::kGroup * kLanes;
      F32 value;
      if constexpr (F::kSigned) {
        value = load_i8_as_f32(reinterpret_cast<const int8_t*>(q) + j) * splat(scale[group]);
      } else {
        value = mul_add(load_u8_as_f32(q + j), splat(scale[group]), splat(offset[group]));
      }
      sum = mul_add(value, load(x + j), sum);
    }
  }
};

inline F32 load_f32(const void* p) {
  F32 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// F32, F16 and BF16, which have no blocks: any count.
template <int kBytes, F32 (*kLoad)(const void*)>
struct Plain {
  static void add(Rows& rows, uint64_t ahead, const float* x, int64_t count, Sums& acc) {
    int64_t k = 0;
    for (; k + kLanes <= count; k += kLanes) {
      const F32 xs = load(x + k);
#pragma GCC unroll 8
      for (int r = 0; r < kLanes; ++r) acc[r] = mul_add(kLoad(rows[r] + kBytes * k), xs, acc[r]);
      if (k % (64 / kBytes) == 0) {
        for (const uint8_t* row : rows) __builtin_prefetch(row + kBytes * k + ahead);
      }
    }
    if (k < count) {
      const F32 xs = load_partial(x + k, static_cast<int>(count - k));
      for (int r = 0; r < kLanes; ++r) {
        uint8_t tail[4 * kLanes] = {};
        std::memcpy(tail, rows[r] + kBytes * k, static_cast<size_t>(kBytes * (count - k)));
        acc[r] = mul_add(kLoad(tail), xs, acc[r]);
      }
    }
    for (auto& row : rows) row += kBytes * count;
  }
};

// The sums of one chunk, added to `total`.
F32 add_chunk(const Sums& acc, F32 total, bool is_first) {
  alignas(32) float sums[kLanes];
  for (int r = 0; r < kLanes; r += 4) store_sums(acc[r], acc[r + 1], acc[r + 2], acc[r + 3], sums + r);
  return is_first ? load(sums) : total + load(sums);
}

template <class Source>
void one_token(const LinearTask& task, const float* x, int64_t begin, int64_t end) {
  const Weight& weight = task.weight;
  for (int64_t row = begin; row < end; row += kLanes) {
    const int64_t here = std::min<int64_t>(kLanes, weight.rows - row);
    Rows rows;
    row_pointers(weight.data, weight.row_bytes, row, here, rows);
    F32 total = zero();
    for (int64_t k = 0; k < weight.cols; k += kF32Chunk) {
      Sums acc;
      for (F32& a : acc) a = zero();
      Source::add(rows, kLanes * weight.row_bytes, x + k, std::min(kF32Chunk, weight.cols - k), acc);
      total = add_chunk(acc, total, k == 0);
    }
    store_outputs(task, 0, row, total);
  }
}

}  // namespace

OneTokenF32 one_token_f32(int32_t dtype) {
  if (dtype == BELAY_DTYPE_F32) return &one_token<Plain<4, &load_f32>>;
  if (dtype == BELAY_DTYPE_F16) return &one_token<Plain<2, &load_f16>>;
  if (dtype == BELAY_DTYPE_BF16) return &one_token<Plain<2, &load_bf16>>;
  OneTokenF32 found = nullptr;
  visit(dtype, [&](auto format) { found = &one_token<Quantised<decltype(format)>>; });
  return found;
}

}  // namespace belay::BELAY_ISA
