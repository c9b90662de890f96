/* The operators: their ids, operands and attributes.
 *
 * An op is described once, with BELAY_DYNAMIC for the number of tokens M, and run many times. Operands by position:
 *
 *   id                    inputs                          constants                       outputs
 *   belay.embed/1         ids i32 [M]                     table [vocab, width]            f32 [M, width]
 *   belay.linear/1        x f32 [M, K]                    weight [N, K], (bias f32 [N])   f32 [M, N]
 *   belay.rms_norm/1      x f32 [M, ..., D]               weight f32 [D]                  as x
 *   belay.layer_norm/1    x f32 [M, ..., D]               weight f32 [D], bias f32 [D]    as x
 *   belay.rope/1          x f32 [M, heads, D],            (freq_factors f32 [rotary/2])   as x
 *                         positions i32 [M] or [axes, M]
 *   belay.kv_write/1      k, v f32 [M, kv_heads, D]                                       k_cache, v_cache
 *   belay.attention/1     q f32 [M, heads, D],                                            f32 [M, heads, D]
 *                         k_cache, v_cache
 *   belay.silu_mul/1      gate, up f32 [M, N]                                             f32 [M, N]
 *   belay.gelu/1          x f32 [M, N]                                                    f32 [M, N]
 *   belay.add/1           a, b f32 [M, N]                                                 f32 [M, N]
 *
 * Composites, reserved: the core runs the simple ops, and a plugin joins as many as it can (`fuse`, ext/compute.h):
 *   belay.qkv/1           x [M, K]                        wq, wk, wv, (bq, bk, bv)        q, k, v
 *   belay.mlp_swiglu/1    x [M, K]                        w_gate, w_up, w_down            f32 [M, K]
 *   belay.attention_block/1  reserved
 *
 * The id -1 embeds as a row of zeros: the place of something that is added later, an image.
 * A constant in parentheses may be absent: its descriptor then has rank 0 and nbytes 0, or is left out at the end.
 * The KV cache is [kv_heads, blocks, 64, D], f32, f16 or q8_0: position p lies in block p/64, row p%64. It is the
 * core's. q8_0, of which a block of 32 elements shares a scale, only where D is a multiple of 32: the scale is
 * max|x| / 127 as f16, an element x * (127 / max|x|) rounded to the nearest; a block that is not finite reads as NaN.
 * Outputs never overlap inputs. Formulas: tests/reference/ops.hpp. */
#ifndef BELAY_OP_H
#define BELAY_OP_H

#include <belay/tensor.h>

#define BELAY_OP_EMBED "belay.embed/1"
#define BELAY_OP_LINEAR "belay.linear/1"
#define BELAY_OP_RMS_NORM "belay.rms_norm/1"
#define BELAY_OP_LAYER_NORM "belay.layer_norm/1"
#define BELAY_OP_ROPE "belay.rope/1"
#define BELAY_OP_KV_WRITE "belay.kv_write/1"
#define BELAY_OP_ATTENTION "belay.attention/1"
#define BELAY_OP_SILU_MUL "belay.silu_mul/1"
#define BELAY_OP_GELU "belay.gelu/1"
#define BELAY_OP_ADD "belay.add/1"
#define BELAY_OP_QKV "belay.qkv/1"
#define BELAY_OP_MLP_SWIGLU "belay.mlp_swiglu/1"
#define BELAY_OP_ATTENTION_BLOCK "belay.attention_block/1"

enum { BELAY_KV_BLOCK = 64 }; /* positions in one block of the KV cache */

/* How `linear` and the composites treat activations. A plugin may always compute more precisely. */
enum {
  BELAY_NUMERICS_F32 = 0,    /* as they are: results equal the reference within float rounding */
  BELAY_NUMERICS_ACT_Q8 = 1, /* may be quantised to 8 bits per block of 32 along K where the weights are quantised */
  BELAY_NUMERICS_ACT_Q16 = 2 /* the same to 16 bits: each may change by max|x| / 2^15 of its block */
};

typedef struct belay_linear_attributes_t {
  uint32_t struct_size;
  int32_t numerics;
} belay_linear_attributes_t;

/* rms_norm: x / sqrt(mean(x^2) + epsilon) * weight. layer_norm: (x - mean) / sqrt(var + epsilon) * weight + bias. */
typedef struct belay_norm_attributes_t {
  uint32_t struct_size;
  float epsilon;
} belay_norm_attributes_t;

enum {
  BELAY_ROPE_ADJACENT = 0, /* rotates the pairs (2i, 2i+1): GGUF's llama */
  BELAY_ROPE_HALVES = 1    /* rotates the pairs (i, i + rotary_dim/2): Hugging Face, GPT-NeoX */
};

/* Pair i is turned by angle position_scale * p * theta^(-2i/rotary_dim) / freq_factors[i]. The first rotary_dim elements
 * of a head turn, the rest are copied. With `sections` (multimodal), pair i takes its p from the axis that
 * `interleaved` and sections assign to it; all zero: one axis. */
typedef struct belay_rope_attributes_t {
  uint32_t struct_size;
  int32_t style; /* BELAY_ROPE_* */
  float theta;
  float position_scale; /* 1 unless the model stretches its context linearly */
  uint32_t rotary_dim;
  uint32_t interleaved;
  uint32_t sections[4];
} belay_rope_attributes_t;

enum {
  BELAY_MASK_CAUSAL = 0, /* the query at position p sees the keys 0..p */
  BELAY_MASK_NONE = 1    /* every query sees every key */
};

/* softmax(scale * q k^T + mask) v; query head h uses key head h / (heads / kv_heads). */
typedef struct belay_attention_attributes_t {
  uint32_t struct_size;
  int32_t mask; /* BELAY_MASK_* */
  float scale;
  uint32_t reserved;
} belay_attention_attributes_t;

enum { BELAY_GELU_ERF = 0, BELAY_GELU_TANH = 1 };

typedef struct belay_gelu_attributes_t {
  uint32_t struct_size;
  int32_t form; /* BELAY_GELU_* */
} belay_gelu_attributes_t;

/* The description of one op. `constants` carry data (host memory, layout 0); inputs and outputs carry none. */
typedef struct belay_op_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  belay_str_t id;
  const void* attributes; /* the op's own struct, or NULL when it has none */
  uint64_t attributes_size;
  const belay_tensor_t* inputs;
  uint64_t input_count;
  const belay_tensor_t* constants;
  uint64_t constant_count;
  const belay_tensor_t* outputs;
  uint64_t output_count;
} belay_op_t;

#endif
