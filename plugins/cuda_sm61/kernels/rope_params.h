// Parameters of rope.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

// Where the heads of one of the three inputs come from and go to. Both are [tokens, heads, d].
struct HeadRows {
  const float* from;
  const float* norm;  // [d]: each head becomes rms_norm(head) * norm first; or null
  float* to;          // may be `from`; or null where only the cache is written
  int heads;          // 0: there is no such input
  int reserved;
};

// All that happens to queries, keys and values between their projections and attention, in one launch: the
// norm of each head, the rotation of queries and keys, the write of keys and values into the cache.
// belay.rope/1 is this with queries alone; belay.kv_write/1 is this without queries and without a rotation. A
// warp for each head of each token: grid {tokens * (query.heads + key.heads + value.heads) / 4, rounded up}.
struct RopeKvParams {
  HeadRows query;
  HeadRows key;
  HeadRows value;  // is not turned

  // Pair i of a head, of which there are rotary / 2, turns by turns[i] * position whole turns. turns is
  // [rotary / 2] pairs of floats whose sum is theta^(-2i / rotary) * position_scale / freq_factor / (2 pi);
  // two, because the product with a large position keeps few digits of one. ops/rope_table.hpp makes it.
  const float* turns;
  const unsigned char* axes;  // [rotary / 2]: the axis that gives pair i its position; null: axis 0
  const int* positions;       // [axes, tokens]
  int rotary;                 // 0: nothing turns; the elements from here on are copied
  int adjacent;               // 1: pairs (2i, 2i + 1); 0: (i, i + rotary / 2)

  void* k_cache;   // [key.heads, blocks, 64, d]; null: keys are not written
  void* v_cache;   // [value.heads, blocks, 64, d]; null: values are not written
  int cache_type;  // BELAY_ROPE_CACHE_*
  int blocks;
  int position;  // in the cache, of the first token
  int tokens;
  int d;
  float epsilon;  // of the norms
};

// A q8 cache, of blocks as in the SDK's op.h, is for d that are multiples of 32 up to BELAY_ROPE_MOST_Q8.
enum {
  BELAY_ROPE_CACHE_F32 = 0,
  BELAY_ROPE_CACHE_F16 = 1,
  BELAY_ROPE_CACHE_Q8 = 2,
  BELAY_ROPE_MOST_Q8 = 256
};
