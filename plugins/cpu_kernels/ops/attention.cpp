// attention: dense, causal or not, with grouped query heads. A unit of work is some query rows of one KV
// head: it walks over the cache's blocks of 64 positions and keeps each row's softmax online. Every row is
// computed by itself in the order of the positions, so units of any size give the same bits. A step of a few
// rows reads the cache as it lies, one of many repacks each block once for the rows of a unit; the two differ
// by rounding.
#include "plugins/cpu_kernels/ops/attention_tiles.hpp"
#include "plugins/cpu_kernels/ops/dot_tile.hpp"
#include "plugins/cpu_kernels/ops/kv_cache.hpp"
#include "plugins/cpu_kernels/ops/online_softmax.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/ops/weighted_sum.hpp"
#include "plugins/cpu_kernels/quant/unpack.hpp"

#include <algorithm>
#include <memory>
#include <numbers>

namespace belay::BELAY_ISA {
namespace {

constexpr int64_t kBlock = BELAY_KV_BLOCK;
constexpr int64_t kMaxRows = 96;   // query rows of a unit
constexpr int64_t kManyRows = 16;  // query rows of a KV head from which repacking a block pays
constexpr int64_t kFewRows = 4;    // up to which half floats are converted on the way
static_assert(kBlock % kTileWidth == 0);

// A head's elements in whole vectors.
int64_t padded(int64_t d) { return (d + kLanes - 1) / kLanes * kLanes; }

// A unit's memory, in the workspace of its thread.
struct Scratch {
  RowsOf<float> query;   // [rows][D], scaled
  RowsOf<float> sums;    // [rows][D], the weighted values so far; padded
  RowsOf<float> scores;  // [rows][64]
  float* keys;           // 64 keys: floats [64][D] of half floats, or panels
  float* values;         // 64 values as floats, when the cache's own do not serve; padded

  static uint64_t floats(int64_t d) {
    return static_cast<uint64_t>(kMaxRows * (d + padded(d) + kBlock) + kBlock * (d + padded(d)) + 15) / 16 *
           16;
  }
  Scratch(float* memory, int64_t d)
      : query{memory, d},
        sums{query.row(kMaxRows), padded(d)},
        scores{sums.row(kMaxRows), kBlock},
        keys(scores.row(kMaxRows)),
        values(keys + kBlock * d) {}
};

// Asks for the cache lines of 8 rows of the next block, which lies behind this one; any address is fine. For
// a few rows of queries a block is read faster than the processor looks ahead by itself.
template <class Element>
void prefetch_rows(const Element* rows, int64_t d) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(rows);
  for (int64_t i = 0; i < 8 * d * static_cast<int64_t>(sizeof(Element)); i += 64)
    __builtin_prefetch(bytes + i);
}

// `count` positions of a block as floats: the cache itself, or a copy in `buffer`.
const float* as_floats(const uint8_t* block, int32_t dtype, int64_t elements, float* buffer) {
  if (dtype == BELAY_DTYPE_F32) return reinterpret_cast<const float*>(block);
  Rows rows;
  row_pointers(block, 0, 0, 1, rows);
  unpack_rows(dtype)(rows, 1, 0, elements, buffer, 0);
  return buffer;
}

// A block's values as rows of whole vectors: the cache itself, or a copy in `buffer` with zeros behind each
// row.
RowsOf<const float> as_padded(const uint8_t* block, int32_t dtype, int64_t count, int64_t d, float* buffer) {
  const int64_t width = padded(d);
  if (dtype == BELAY_DTYPE_F32 && width == d) return {reinterpret_cast<const float*>(block), d};
  const UnpackRows unpack = unpack_rows(dtype);
  const uint64_t row_bytes = static_cast<uint64_t>(d) * (dtype == BELAY_DTYPE_F32 ? 4 : 2);
  for (int64_t row = 0; row < count; row += kLanes) {
    Rows rows;
    row_pointers(block, row_bytes, row, count - row, rows);
    unpack(rows, static_cast<int>(std::min<int64_t>(kLanes, count - row)), 0, d, buffer + row * width, width);
  }
  for (int64_t row = 0; row < count; ++row)
    std::fill(buffer + row * width + d, buffer + (row + 1) * width, 0.0f);
  return {buffer, width};
}

class Attention final : public sdk::Kernel<Attention> {
 public:
  Attention(sdk::Host host, const CacheShape& cache, int64_t heads, float scale, bool causal)
      : host_(host),
        cache_(cache),
        heads_(heads),
        group_(heads / cache.kv_heads),
        scale_log2_(scale * std::numbers::log2e_v<float>),
        causal_(causal) {}

  [[nodiscard]] uint64_t workspace(uint64_t) const override {
    return host_.max_concurrency() * Scratch::floats(cache_.d) * sizeof(float);
  }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 3, 1);
    Task task{};
    task.tokens = operands.tokens();
    const auto per_token = static_cast<uint64_t>(heads_ * cache_.d);
    task.query = operands.floats(0, task.tokens, per_token);
    task.out = operands.out_floats(0, task.tokens, per_token);
    auto* memory = static_cast<float*>(operands.workspace(workspace(0)));
    if (operands.status() != BELAY_OK) return operands.status();
    uint64_t positions = 0;
    if (__builtin_add_overflow(arguments.position, static_cast<uint64_t>(task.tokens), &positions))
      positions = ~uint64_t{0};
    belay_status_t status = open_cache(arguments, *arguments.inputs[1], cache_, positions, task.keys);
    if (status == BELAY_OK)
      status = open_cache(arguments, *arguments.inputs[2], cache_, positions, task.values);
    if (status != BELAY_OK || task.tokens == 0 || per_token == 0) return status;
    task.position = static_cast<int64_t>(arguments.position);

    const int64_t rows = task.tokens * group_;  // of one KV head
    const int64_t unit = rows_of_unit(rows);
    const int64_t units = (rows + unit - 1) / unit;
    const double unit_ns = kSlowness * static_cast<double>(unit * (task.position + task.tokens)) *
                           static_cast<double>(cache_.d) / 10;
    return host_.parallel_for(static_cast<uint64_t>(units * cache_.kv_heads), grain_for(unit_ns),
                              [&](uint64_t begin, uint64_t end, uint32_t worker) {
                                Scratch scratch(memory + worker * Scratch::floats(cache_.d), cache_.d);
                                for (auto i = static_cast<int64_t>(begin); i < static_cast<int64_t>(end);
                                     ++i) {
                                  const int64_t first = i % units * unit;
                                  run_unit(task, i / units, first, std::min(unit, rows - first), scratch);
                                }
                              });
  }

 private:
  struct Task {
    const float* query;  // [tokens, heads, D]
    float* out;
    int64_t tokens;
    int64_t position;
    Cache keys;
    Cache values;
  };

  // Few enough that every thread gets some units, many enough that a block of keys is read for several rows.
  [[nodiscard]] int64_t rows_of_unit(int64_t rows) const {
    const int64_t wanted_units = 3 * static_cast<int64_t>(host_.max_concurrency());
    return std::clamp<int64_t>((rows * cache_.kv_heads + wanted_units - 1) / wanted_units, 1, kMaxRows);
  }

  // Where query row `row` of a KV head lies in [tokens, heads, D]; rows go token by token.
  [[nodiscard]] int64_t offset(int64_t kv_head, int64_t row) const {
    return (row / group_ * heads_ + kv_head * group_ + row % group_) * cache_.d;
  }

  void run_unit(const Task& task, int64_t kv_head, int64_t first, int64_t count,
                const Scratch& scratch) const {
    SoftmaxRow rows[kMaxRows];
    const int64_t d = cache_.d;
    for (int64_t r = 0; r < count; ++r) {
      const int64_t token = (first + r) / group_;
      rows[r].visible = task.position + (causal_ ? token + 1 : task.tokens);
      const float* query = task.query + offset(kv_head, first + r);
      for (int64_t i = 0; i < d; ++i) scratch.query.row(r)[i] = query[i] * scale_log2_;
      std::fill_n(scratch.sums.row(r), padded(d), 0.0f);
    }
    BlockRows block{0, rows, 0, count};
    for (; block.at < rows[count - 1].visible; block.at += kBlock) {
      while (rows[block.begin].visible <= block.at) ++block.begin;  // visibility grows with the row
      run_block(task, kv_head, block, scratch);
    }
    for (int64_t r = 0; r < count; ++r) {
      float* out = task.out + offset(kv_head, first + r);
      for (int64_t i = 0; i < d; ++i) out[i] = scratch.sums.row(r)[i] / rows[r].total;
    }
  }

  // The rows [begin, end) of a unit that see something of the block of positions from `at` on.
  struct BlockRows {
    int64_t at;
    SoftmaxRow* rows;
    int64_t begin;
    int64_t end;
  };

  void run_block(const Task& task, int64_t kv_head, const BlockRows& block, const Scratch& scratch) const {
    const uint8_t* keys = task.keys.block(kv_head, block.at / kBlock);
    const uint8_t* values = task.values.block(kv_head, block.at / kBlock);
    const int64_t seen = std::min(kBlock, block.rows[block.end - 1].visible - block.at);
    if (task.tokens * group_ >= kManyRows) {
      attend_many(keys, values, seen, block, scratch);
    } else if (cache_.dtype == BELAY_DTYPE_F16 && block.end - block.begin <= kFewRows) {
      attend(reinterpret_cast<const Half*>(keys), reinterpret_cast<const Half*>(values), seen, block,
             scratch);
    } else {
      attend(as_floats(keys, cache_.dtype, seen * cache_.d, scratch.keys),
             as_floats(values, cache_.dtype, seen * cache_.d, scratch.values), seen, block, scratch);
    }
  }

  // The two ways stay functions of their own: inlined together they share registers badly, and decode pays.
  // Past `seen` the scores multiply what the block happens to hold; softmax_block drops them.
  template <class Element>
  [[gnu::noinline]] void attend(const Element* keys, const Element* values, int64_t seen,
                                const BlockRows& block, const Scratch& scratch) const {
    const int64_t d = cache_.d;
    const int64_t count = block.end - block.begin;
    for (int64_t key = 0; key < seen; key += 8) {
      dot_rows8(RowsOf<const Element>{keys + key * d, d}, {scratch.query.row(block.begin), d}, count, d,
                {scratch.scores.row(block.begin) + key, kBlock});
      if (count <= kFewRows) {
        prefetch_rows(keys + (kBlock + key) * d, d);
        prefetch_rows(values + (kBlock + key) * d, d);
      }
    }
    int64_t visible[kMaxRows];
    for (int64_t r = 0; r < count; ++r) {
      SoftmaxRow& row = block.rows[block.begin + r];
      visible[r] = std::min(kBlock, row.visible - block.at);
      row.add_block(scratch.scores.row(block.begin + r), visible[r], scratch.sums.row(block.begin + r),
                    padded(d));
    }
    add_weighted_rows(scratch.scores.row(block.begin), kBlock, values, visible, count, d,
                      scratch.sums.from(block.begin));
  }

  // A tile of rows at a time goes all the way, while its scores and sums are in L1.
  [[gnu::noinline]] void attend_many(const uint8_t* keys, const uint8_t* values, int64_t seen,
                                     const BlockRows& block, const Scratch& scratch) const {
    const int64_t d = cache_.d;
    const RowsOf<const float> key_rows = as_padded(keys, cache_.dtype, kBlock, d, scratch.values);
    for (int64_t k = 0; k < seen; k += kLanes)
      pack_columns(key_rows.from(k), d, scratch.keys + k / kTileWidth * kTileWidth * d + k % kTileWidth);
    const RowsOf<const float> value_rows = as_padded(values, cache_.dtype, seen, d, scratch.values);
    for (int64_t r = block.begin; r < block.end;) {
      const int64_t rows = next_tile_rows(block.end - r);
      with_tile_rows(rows, [&](auto tile) {
        int64_t visible[tile];
        const RowsOf<float> sums = scratch.sums.from(r);
        score_tile<tile>({scratch.query.row(r), d}, scratch.keys, seen, d, scratch.scores);
        for (int i = 0; i < tile; ++i) {
          visible[i] = std::min(kBlock, block.rows[r + i].visible - block.at);
          block.rows[r + i].add_block(scratch.scores.row(i), visible[i], sums.row(i), padded(d));
        }
        add_visible_values<tile>({scratch.scores.data, kBlock}, value_rows, visible, padded(d), sums);
      });
      r += rows;
    }
  }

  sdk::Host host_;
  CacheShape cache_;
  int64_t heads_;
  int64_t group_;     // query heads of a KV head
  float scale_log2_;  // makes scores to base 2
  bool causal_;
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_attention_attributes_t attributes{};
  if (!has_operands(op, 3, 0, 0, 1, answer) || !read_attributes(op, attributes, answer)) return false;
  if (attributes.mask != BELAY_MASK_CAUSAL && attributes.mask != BELAY_MASK_NONE) {
    return answer.no(BELAY_UNSUPPORTED, "unknown mask %d", attributes.mask);
  }
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  if (!is_tensor(q, "q", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer) ||
      !same_shape(q, op.outputs[0], "q and the output", answer)) {
    return false;
  }
  const int64_t kv_heads = keys.rank == 4 ? keys.shape[0] : 0;
  if (kv_heads <= 0 || q.shape[1] % kv_heads != 0) {
    return answer.no(BELAY_UNSUPPORTED, "%lld query heads do not divide among the cache's %lld",
                     static_cast<long long>(q.shape[1]), static_cast<long long>(kv_heads));
  }
  if (!is_cache(keys, "k_cache", kv_heads, q.shape[2], answer) ||
      !same_shape(keys, sdk::at(op.inputs, 2), "the caches", answer)) {
    return false;
  }
  // As for a cache that is half full, or of 1024 positions when its size is open.
  const double positions = keys.shape[1] > 0 ? static_cast<double>(keys.shape[1]) * kBlock / 2 : 1024;
  answer.cost_ns =
      500 + static_cast<uint64_t>(kSlowness * static_cast<double>(q.shape[1] * q.shape[2]) * positions / 10);
  return true;
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  const auto attributes = accepted_attributes<belay_attention_attributes_t>(op);
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  return std::make_unique<Attention>(host, CacheShape{keys.dtype, keys.shape[0], q.shape[2]}, q.shape[1],
                                     attributes.scale, attributes.mask == BELAY_MASK_CAUSAL);
}

}  // namespace

constinit const OpRow kAttention = {BELAY_OP_ATTENTION, &supports, &bind};

}  // namespace belay::BELAY_ISA
