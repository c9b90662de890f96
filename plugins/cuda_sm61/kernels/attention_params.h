// Parameters of attention_decode.cu and attention_prefill.cu. Plain C types, read by NVRTC, the emulator and
// the plugin's host code alike.
#pragma once

// softmax(scale * q k^T + mask) v over the KV cache. Token t sees the keys 0..position + t, or, without a
// causal mask, all of 0..position + tokens - 1. Query head h reads key head h / (heads / kv_heads).
//
// belay_attention_decode_<cache>_<d>: few tokens. The keys are split: a block does `split_keys` of them for
// up to 4 query heads that share a key head, each warp 32 keys at a time; the last block of such a group to
// end merges the parts in their order. Grid {splits, kv_heads * groups, tokens}, 128 threads, with splits =
// (most keys a token sees) / split_keys and groups = heads / kv_heads / 4, both rounded up. <d>: 64 or 128,
// exactly, or any up to 256. A row's bits depend on split_keys, not on the rows beside it.
//
// belay_attention_prefill_<cache>_<d>: many tokens. A block does 64 rows, a row being a query head of a
// token, and goes through the keys 64 at a time, by online softmax. Grid {tokens * (heads / kv_heads) / 64,
// rounded up; kv_heads}, 256 threads. <d>: up to 64, 128 or 256. A row's bits do not depend on the rows
// beside it.
//
// <cache>: f32, f16, or q8, where d is a multiple of 32
struct AttentionParams {
  const float* q;       // [tokens, heads, d]
  const void* k_cache;  // [kv_heads, blocks, 64, d]
  const void* v_cache;
  float* y;  // [tokens, heads, d]; null where only the quantised form is wanted
  // decode: y quantised as linear_params.h says, in place of y; low is null where it is not wanted. d is a
  // multiple of 32 then.
  signed char* low;
  signed char* high;
  float* scales;
  // decode with more than one split: workspace of floats, BELAY_ATTENTION_GROUP * (d + 2) for each block of
  // the grid, and one counter for each (token, kv_head * group), which is 0 before the launch and after it.
  float* parts;
  unsigned* counters;
  int tokens;
  int heads;
  int kv_heads;
  int d;
  int blocks;  // of 64 positions, of the cache
  int position;
  int keys;        // that tokens see without a mask: those of this launch may be a part of a run's
  int causal;      // a token sees its own key and those before it
  int split_keys;  // a multiple of 128
  float scale;
};

enum {
  BELAY_ATTENTION_GROUP = 4,
  BELAY_ATTENTION_SPLIT = 128,  // split_keys is a multiple: one step of each warp of a block
  BELAY_ATTENTION_ROWS = 64     // of a block of prefill
};
