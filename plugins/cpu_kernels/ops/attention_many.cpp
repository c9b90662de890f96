// A step of many query rows: tiles of rows in the lanes of vectors, which share a block of the cache while it
// is in L2. Rows past the last of a unit repeat it; their results are dropped.
#include "plugins/cpu_kernels/ops/attention_tiles.hpp"

#include <algorithm>
#include <utility>

namespace belay::BELAY_ISA {
namespace {

constexpr int64_t kMaxTiles = kManyRowsUnit / kTileWidth;
static_assert(kManyRowsUnit % kTileWidth == 0);

// A unit's memory.
struct Scratch {
  float* tiles;   // queries and sums of each tile: [2][D][kTileWidth]
  float* scores;  // [64][kTileWidth]
  float* keys;    // [64][D]: half floats as floats
  float* values;

  Scratch(float* memory, int64_t d)
      : tiles(memory),
        scores(tiles + kManyRowsUnit * 2 * d),
        keys(scores + kBlock * kTileWidth),
        values(keys + kBlock * d) {}
};

// Where the rows from `row` on lie, as many as a vector has lanes.
template <class Float>
void rows_from(Float* data, const AttentionTask& task, const AttentionUnit& unit, int64_t row,
               Float* (&rows)[kLanes]) {
  for (int64_t r = 0; r < kLanes; ++r)
    rows[r] = data + task.offset(unit.kv_head, unit.first + std::min(row + r, unit.count - 1));
}

// Makes the tile of a unit's rows from `row` on.
void open_tile(const AttentionTask& task, const AttentionUnit& unit, int64_t row, QueryTile& tile) {
  const int64_t d = task.cache.d;
  std::fill_n(tile.sums, kTileWidth * d, 0.0f);
  for (int64_t r = 0; r < kTileWidth; ++r)
    tile.seen[r] = task.seen(unit.first + std::min(row + r, unit.count - 1));
  for (int64_t r = 0; r < kTileWidth; r += kLanes) {
    const float* rows[kLanes];
    rows_from(task.query, task, unit, row + r, rows);
    rows_to_columns(rows, d, task.scale_log2, tile.query + r);
  }
}

void close_tile(const AttentionTask& task, const AttentionUnit& unit, int64_t row, const QueryTile& tile) {
  for (int64_t r = 0; r < std::min<int64_t>(kTileWidth, unit.count - row); r += kLanes) {
    float* rows[kLanes];
    rows_from(task.out, task, unit, row + r, rows);
    columns_to_rows(tile.sums + r, load(tile.total + r), task.cache.d, rows);
  }
}

}  // namespace

uint64_t many_rows_floats(int64_t d) {
  return static_cast<uint64_t>(kManyRowsUnit * 2 * d + kBlock * (kTileWidth + 2 * d));
}

void attend_many_rows(const AttentionTask& task, const AttentionUnit& unit, float* memory) {
  const int32_t dtype = task.cache.dtype;
  const int64_t d = task.cache.d;
  const Scratch scratch(memory, d);
  QueryTile tiles[kMaxTiles];
  for (int64_t row = 0; row < unit.count; row += kTileWidth) {
    QueryTile& tile = tiles[row / kTileWidth];
    tile.query = scratch.tiles + row * 2 * d;
    tile.sums = tile.query + kTileWidth * d;
    open_tile(task, unit, row, tile);
  }
  const int64_t seen = task.seen(unit.first + unit.count - 1);
  for (int64_t at = 0; at < seen; at += kBlock) {
    const int64_t count = std::min(kBlock, seen - at);
    const float* keys = as_floats(task.keys.block(unit.kv_head, at / kBlock), dtype, count * d, scratch.keys);
    const float* values =
        as_floats(task.values.block(unit.kv_head, at / kBlock), dtype, count * d, scratch.values);
    const KeyBlock block = {keys, values, at, d};
    const NextBlock behind(task, unit.kv_head, at);
    const NextBlock* next = &behind;  // the first tile fetches it for all
    for (int64_t row = 0; row < unit.count; row += kTileWidth) {
      QueryTile& tile = tiles[row / kTileWidth];
      if (tile.last_seen() <= at) continue;
      if (unit.count - row > kLanes) {
        add_block<kTileVectors>(tile, block, std::exchange(next, nullptr), scratch.scores);
      } else {
        add_block<1>(tile, block, std::exchange(next, nullptr), scratch.scores);
      }
    }
  }
  for (int64_t row = 0; row < unit.count; row += kTileWidth)
    close_tile(task, unit, row, tiles[row / kTileWidth]);
}

}  // namespace belay::BELAY_ISA
