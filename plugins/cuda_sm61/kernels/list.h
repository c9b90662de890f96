// Every kernel: X(name, Params, threads a block). Define X, include this file; it undefines X. No include
// guard: it is read once for each use. Lines are only appended, one family after the other.
#include "plugins/cuda_sm61/kernels/argmax_params.h"
#include "plugins/cuda_sm61/kernels/attention_params.h"
#include "plugins/cuda_sm61/kernels/embed_params.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/norm_params.h"
#include "plugins/cuda_sm61/kernels/pointwise_params.h"
#include "plugins/cuda_sm61/kernels/rope_params.h"

// pointwise.cu
X(belay_add, AddParams, 256)
X(belay_silu_mul, SiluMulParams, 256)
X(belay_gelu, GeluParams, 256)

// norm.cu
X(belay_rms_norm, RmsNormParams, 256)
X(belay_rms_norm_short, RmsNormParams, 256)
X(belay_layer_norm, LayerNormParams, 256)

// rope.cu
X(belay_rope_kv, RopeKvParams, 128)

// attention_decode.cu
X(belay_attention_decode_f32_64, AttentionParams, 128)
X(belay_attention_decode_f16_64, AttentionParams, 128)
X(belay_attention_decode_f32_128, AttentionParams, 128)
X(belay_attention_decode_f16_128, AttentionParams, 128)
X(belay_attention_decode_f32_any, AttentionParams, 128)
X(belay_attention_decode_f16_any, AttentionParams, 128)

// attention_prefill.cu
X(belay_attention_prefill_f32_64, AttentionParams, 256)
X(belay_attention_prefill_f16_64, AttentionParams, 256)
X(belay_attention_prefill_f32_128, AttentionParams, 256)
X(belay_attention_prefill_f16_128, AttentionParams, 256)
X(belay_attention_prefill_f32_256, AttentionParams, 256)
X(belay_attention_prefill_f16_256, AttentionParams, 256)

// embed.cu
X(belay_embed, EmbedParams, 256)

// argmax.cu
X(belay_argmax, ArgmaxParams, 256)

// linear_*.cu
X(belay_linear_quantise, LinearQuantiseParams, 256)
X(belay_linear_gemv_q8x1_q8_0, LinearParams, 128)
X(belay_linear_gemv_q8x4_q8_0, LinearParams, 128)
X(belay_linear_gemv_q8x8_q8_0, LinearParams, 128)
X(belay_linear_gemv_q8x1_q4_0, LinearParams, 128)
X(belay_linear_gemv_q8x4_q4_0, LinearParams, 128)
X(belay_linear_gemv_q8x8_q4_0, LinearParams, 128)
X(belay_linear_gemv_q8x1_q4_1, LinearParams, 128)
X(belay_linear_gemv_q8x4_q4_1, LinearParams, 128)
X(belay_linear_gemv_q8x8_q4_1, LinearParams, 128)
X(belay_linear_gemv_q8x1_q5_0, LinearParams, 128)
X(belay_linear_gemv_q8x4_q5_0, LinearParams, 128)
X(belay_linear_gemv_q8x8_q5_0, LinearParams, 128)
X(belay_linear_gemv_q8x1_q5_1, LinearParams, 128)
X(belay_linear_gemv_q8x4_q5_1, LinearParams, 128)
X(belay_linear_gemv_q8x8_q5_1, LinearParams, 128)
X(belay_linear_gemv_q8x1_q4_k, LinearParams, 128)
X(belay_linear_gemv_q8x4_q4_k, LinearParams, 128)
X(belay_linear_gemv_q8x8_q4_k, LinearParams, 128)
X(belay_linear_gemv_q8x1_q5_k, LinearParams, 128)
X(belay_linear_gemv_q8x4_q5_k, LinearParams, 128)
X(belay_linear_gemv_q8x8_q5_k, LinearParams, 128)
X(belay_linear_gemv_q8x1_q6_k, LinearParams, 128)
X(belay_linear_gemv_q8x4_q6_k, LinearParams, 128)
X(belay_linear_gemv_q8x8_q6_k, LinearParams, 128)
X(belay_linear_gemm_q8_q8_0, LinearParams, 256)
X(belay_linear_gemm_q8_q4_0, LinearParams, 256)
X(belay_linear_gemm_q8_q4_1, LinearParams, 256)
X(belay_linear_gemm_q8_q5_0, LinearParams, 256)
X(belay_linear_gemm_q8_q5_1, LinearParams, 256)
X(belay_linear_gemm_q8_q4_k, LinearParams, 256)
X(belay_linear_gemm_q8_q5_k, LinearParams, 256)
X(belay_linear_gemm_q8_q6_k, LinearParams, 256)
X(belay_linear_gemv_f32x1_f32, LinearParams, 128)
X(belay_linear_gemv_f32x4_f32, LinearParams, 128)
X(belay_linear_gemv_f32x8_f32, LinearParams, 128)
X(belay_linear_gemv_f32x1_f16, LinearParams, 128)
X(belay_linear_gemv_f32x4_f16, LinearParams, 128)
X(belay_linear_gemv_f32x8_f16, LinearParams, 128)
X(belay_linear_gemv_f32x1_bf16, LinearParams, 128)
X(belay_linear_gemv_f32x4_bf16, LinearParams, 128)
X(belay_linear_gemv_f32x8_bf16, LinearParams, 128)
X(belay_linear_gemv_f32x1_q8_0, LinearParams, 128)
X(belay_linear_gemv_f32x4_q8_0, LinearParams, 128)
X(belay_linear_gemv_f32x8_q8_0, LinearParams, 128)
X(belay_linear_gemv_f32x1_q4_0, LinearParams, 128)
X(belay_linear_gemv_f32x4_q4_0, LinearParams, 128)
X(belay_linear_gemv_f32x8_q4_0, LinearParams, 128)
X(belay_linear_gemv_f32x1_q4_1, LinearParams, 128)
X(belay_linear_gemv_f32x4_q4_1, LinearParams, 128)
X(belay_linear_gemv_f32x8_q4_1, LinearParams, 128)
X(belay_linear_gemv_f32x1_q5_0, LinearParams, 128)
X(belay_linear_gemv_f32x4_q5_0, LinearParams, 128)
X(belay_linear_gemv_f32x8_q5_0, LinearParams, 128)
X(belay_linear_gemv_f32x1_q5_1, LinearParams, 128)
X(belay_linear_gemv_f32x4_q5_1, LinearParams, 128)
X(belay_linear_gemv_f32x8_q5_1, LinearParams, 128)
X(belay_linear_gemv_f32x1_q4_k, LinearParams, 128)
X(belay_linear_gemv_f32x4_q4_k, LinearParams, 128)
X(belay_linear_gemv_f32x8_q4_k, LinearParams, 128)
X(belay_linear_gemv_f32x1_q5_k, LinearParams, 128)
X(belay_linear_gemv_f32x4_q5_k, LinearParams, 128)
X(belay_linear_gemv_f32x8_q5_k, LinearParams, 128)
X(belay_linear_gemv_f32x1_q6_k, LinearParams, 128)
X(belay_linear_gemv_f32x4_q6_k, LinearParams, 128)
X(belay_linear_gemv_f32x8_q6_k, LinearParams, 128)
X(belay_linear_gemm_f32_f32, LinearParams, 128)
X(belay_linear_gemm_f32_f16, LinearParams, 128)
X(belay_linear_gemm_f32_bf16, LinearParams, 128)
X(belay_linear_gemm_f32_q8_0, LinearParams, 128)
X(belay_linear_gemm_f32_q4_0, LinearParams, 128)
X(belay_linear_gemm_f32_q4_1, LinearParams, 128)
X(belay_linear_gemm_f32_q5_0, LinearParams, 128)
X(belay_linear_gemm_f32_q5_1, LinearParams, 128)
X(belay_linear_gemm_f32_q4_k, LinearParams, 128)
X(belay_linear_gemm_f32_q5_k, LinearParams, 128)
X(belay_linear_gemm_f32_q6_k, LinearParams, 128)

#undef X
