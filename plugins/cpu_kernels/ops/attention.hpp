// The two ways to compute attention, behind one description of a run. Pure functions, any thread.
#pragma once

#include "plugins/cpu_kernels/ops/kv_cache.hpp"
#include "plugins/cpu_kernels/ops/outer_tile.hpp"

namespace belay::BELAY_ISA {

inline constexpr int64_t kBlock = BELAY_KV_BLOCK;

struct AttentionTask {
  CacheShape cache;
  int64_t heads;
  float scale_log2;  // makes scores to base 2
  bool causal;
  const float* query;  // [tokens, heads, D]
  float* out;
  int64_t tokens;
  int64_t position;
  Cache keys;
  Cache values;

  // The query rows of a KV head go token by token.
  [[nodiscard]] int64_t group() const { return heads / cache.kv_heads; }
  [[nodiscard]] int64_t rows() const { return tokens * group(); }

  // Where row `row` of a KV head lies in [tokens, heads, D].
  [[nodiscard]] int64_t offset(int64_t kv_head, int64_t row) const {
    return (row / group() * heads + kv_head * group() + row % group()) * cache.d;
  }
  // How many positions it sees; grows with the row.
  [[nodiscard]] int64_t seen(int64_t row) const { return position + (causal ? row / group() + 1 : tokens); }
};

// The block of the cache behind the one at position `at`, to be fetched while that one is computed with:
// where a block serves a few rows, it is read faster than the processor looks ahead by itself. It may lie
// past the end.
struct NextBlock {
  const uint8_t* keys;
  const uint8_t* values;
  int64_t row_bytes;

  NextBlock(const AttentionTask& task, int64_t kv_head, int64_t at)
      : keys(task.keys.block(kv_head, at / kBlock + 1)),
        values(task.values.block(kv_head, at / kBlock + 1)),
        row_bytes(static_cast<int64_t>(task.keys.row_bytes)) {}

  void fetch(int64_t first, int64_t rows) const {
    for (int64_t i = first * row_bytes; i < (first + rows) * row_bytes; i += 64) {
      __builtin_prefetch(keys + i, 0, 2);
      __builtin_prefetch(values + i, 0, 2);
    }
  }
};

// Query rows of a KV head that walk over the cache together.
struct AttentionUnit {
  int64_t kv_head;
  int64_t first;
  int64_t count;
};

// A step of less than kManyRows rows a head: row by row, for units of any size.
inline constexpr int64_t kManyRows = 24;
uint64_t few_rows_floats(int64_t d);  // of the thread's own memory
void attend_few_rows(const AttentionTask& task, const AttentionUnit& unit, float* memory);

// A step of more: rows in the lanes of vectors, in units of up to kManyRowsUnit rows that begin at multiples
// of kManyRowsStep. Differs from few rows by rounding, and is the same for units of any size.
inline constexpr int64_t kManyRowsUnit = 192;
inline constexpr int64_t kManyRowsStep = kTileWidth;
uint64_t many_rows_floats(int64_t d);
void attend_many_rows(const AttentionTask& task, const AttentionUnit& unit, float* memory);

// `elements` of a block of the cache as floats: the cache itself, or a copy in `buffer`.
const float* as_floats(const uint8_t* block, int32_t dtype, int64_t elements, float* buffer);

}  // namespace belay::BELAY_ISA
