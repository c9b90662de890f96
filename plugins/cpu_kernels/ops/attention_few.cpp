// A step of a few query rows reads the cache as it lies, a block of 64 positions at a time: scores of all
// rows, their softmax, then the values. Every row is computed by itself in the order of the positions.
#include "plugins/cpu_kernels/ops/attention.hpp"
#include "plugins/cpu_kernels/ops/attention_q8.hpp"
#include "plugins/cpu_kernels/ops/online_softmax.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

// A head's elements in whole vectors.
int64_t padded(int64_t d) { return (d + kLanes - 1) / kLanes * kLanes; }

// A unit's memory.
struct Scratch {
  RowsOf<float> query;   // [rows][D], scaled
  RowsOf<float> sums;    // [rows][D], the weighted values so far; padded
  RowsOf<float> scores;  // [rows][64]
  float* keys;           // [64][D]: half floats as floats
  float* values;

  Scratch(float* memory, int64_t d)
      : query{memory, d},
        sums{query.row(kManyRows), padded(d)},
        scores{sums.row(kManyRows), kBlock},
        keys(scores.row(kManyRows)),
        values(keys + kBlock * d) {}
};

// The rows [begin, end) of a unit that see something of the block of positions from `at` on.
struct BlockRows {
  int64_t at;
  SoftmaxRow* rows;
  int64_t begin;
  int64_t end;
};

// Past `seen` the scores multiply what the block happens to hold; SoftmaxRow drops them.
template <class Keys, class Values>
void attend(Keys keys, Values values, int64_t seen, int64_t d, const BlockRows& block, const NextBlock& next,
            const Scratch& scratch) {
  const int64_t count = block.end - block.begin;
  for (int64_t key = 0; key < seen; key += 8) {
    dot_rows8(keys.from(key), {scratch.query.row(block.begin), d}, count, d,
              {scratch.scores.row(block.begin) + key, kBlock});
    next.fetch(key, 8);
  }
  int64_t visible[kManyRows];
  for (int64_t r = 0; r < count; ++r) {
    SoftmaxRow& row = block.rows[block.begin + r];
    visible[r] = std::min(kBlock, row.visible - block.at);
    row.add_block(scratch.scores.row(block.begin + r), visible[r], scratch.sums.row(block.begin + r),
                  padded(d));
  }
  add_weighted_rows(scratch.scores.row(block.begin), kBlock, values, visible, count, d,
                    scratch.sums.from(block.begin));
}

void attend_block(const AttentionTask& task, int64_t kv_head, const BlockRows& block,
                  const Scratch& scratch) {
  const int32_t dtype = task.cache.dtype;
  const int64_t d = task.cache.d;
  const uint8_t* keys = task.keys.block(kv_head, block.at / kBlock);
  const uint8_t* values = task.values.block(kv_head, block.at / kBlock);
  const NextBlock next(task, kv_head, block.at);
  const int64_t seen = std::min(kBlock, block.rows[block.end - 1].visible - block.at);
  if (dtype == BELAY_DTYPE_Q8_0) {  // always: made to floats first, it would be rounded in other places
    const auto row_bytes = static_cast<int64_t>(task.keys.row_bytes);
    attend(Q8Rows{keys, row_bytes}, Q8Rows{values, row_bytes}, seen, d, block, next, scratch);
  } else if (dtype == BELAY_DTYPE_F16 && (kFastHalf || block.end - block.begin <= kTileTokens)) {
    const auto* halves = reinterpret_cast<const Half*>(keys);
    attend(RowsOf<const Half>{halves, d}, reinterpret_cast<const Half*>(values), seen, d, block, next,
           scratch);
  } else {
    const float* floats = as_floats(keys, dtype, seen * d, scratch.keys);
    attend(RowsOf<const float>{floats, d}, as_floats(values, dtype, seen * d, scratch.values), seen, d, block,
           next, scratch);
  }
}

}  // namespace

uint64_t few_rows_floats(int64_t d) {
  return static_cast<uint64_t>(kManyRows * (d + padded(d) + kBlock) + 2 * kBlock * d);
}

void attend_few_rows(const AttentionTask& task, const AttentionUnit& unit, float* memory) {
  const int64_t d = task.cache.d;
  const Scratch scratch(memory, d);
  SoftmaxRow rows[kManyRows];
  for (int64_t r = 0; r < unit.count; ++r) {
    rows[r].visible = task.seen(unit.first + r);
    const float* query = task.query + task.offset(unit.kv_head, unit.first + r);
    for (int64_t i = 0; i < d; ++i) scratch.query.row(r)[i] = query[i] * task.scale_log2;
    std::fill_n(scratch.sums.row(r), padded(d), 0.0f);
  }
  BlockRows block{0, rows, 0, unit.count};
  for (; block.at < rows[unit.count - 1].visible; block.at += kBlock) {
    while (rows[block.begin].visible <= block.at) ++block.begin;  // visibility grows with the row
    attend_block(task, unit.kv_head, block, scratch);
  }
  for (int64_t r = 0; r < unit.count; ++r) {
    float* out = task.out + task.offset(unit.kv_head, unit.first + r);
    for (int64_t i = 0; i < d; ++i) out[i] = scratch.sums.row(r)[i] / rows[r].total;
  }
}

}  // namespace belay::BELAY_ISA
