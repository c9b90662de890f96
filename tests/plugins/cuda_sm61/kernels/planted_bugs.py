"""Bugs for planted_bugs_test.py to plant: each is a piece of a kernel's text and what it becomes."""
from dataclasses import dataclass

KERNELS, LINEAR = "kernels", "linear"  # the test programs


@dataclass(frozen=True)
class Bug:
    name: str
    family: str  # the .cu that is compiled with it
    old: str  # occurs once in `file`
    new: str
    tests: str  # doctest's filter: what must notice
    file: str = ""  # a header of kernels/, where it is not the .cu
    program: str = KERNELS


def barrier(name, family, comment, tests, file=""):
    """A barrier that is left out, found by the comment on its line."""
    return Bug(name, family, f"__syncthreads();  // {comment}", f";  // {comment}", tests, file)


NORMS, ATTENTION, AT_ONCE = "norm*,rms*,layer*", "attention*", "attention: results that are quantised at once*"
DECODE, PREFILL = "attention_decode", "attention_prefill"
# What the right kernels of a family have to pass, where all of the tests that notice bugs would take long.
QUICK_TESTS = dict.fromkeys([DECODE, PREFILL], "attention: kernels made for larger heads*")

BUGS = [
    Bug("a block's sum is read before all have written", "norm", "threadIdx.x / 32] = value;\n  __syncthreads();",
        "threadIdx.x / 32] = value;\n", NORMS, "rows.h"),
    barrier("a block's sum is overwritten while some still read", "norm", "before the next call writes", NORMS, "rows.h"),
    Bug("a barrier in both branches", "norm", "  __syncthreads();  // before the next call writes",
        "  if (threadIdx.x < 64) {\n    __syncthreads();\n  } else {\n    __syncthreads();\n  }", NORMS, "rows.h"),
    Bug("a warp's sum begins at 8", "norm",
        "for (int offset = 16; offset > 0; offset >>= 1) value +=", "for (int offset = 8; offset > 0; offset >>= 1) value +=",
        NORMS, "device.h"),
    Bug("the residual's sum is not what is normalised", "norm",
        "const float* const from = p.add == nullptr ? p.x + first : p.sum + first;\n  float squares",
        "const float* const from = p.x + first;\n  float squares", NORMS),
    Bug("the mean's share of a filled-up quad", "norm", "left > 3 ? value.w - mean : 0.0f", "value.w - mean", NORMS),
    Bug("epsilon outside of the root", "norm", "static_cast<float>(p.d) + p.epsilon);\n  // Whole",
        "static_cast<float>(p.d)) + p.epsilon * (1.0f);\n  // Whole", NORMS),
    Bug("quants of the second half go to the first", "norm", "quad < 4 ? to.low : to.high", "to.low", "rms_norm quantises*", "quantise.h"),
    Bug("a lane of an unfinished block of quants stays away", "pointwise", "if (quantised.low != nullptr)\n    store",
        "if (inside && quantised.low != nullptr)\n    store", "silu_mul and gelu*"),
    Bug("a tail is stored as a whole quad", "pointwise", "  if (4 * quad + 4 <= count) {\n    reinterpret_cast<float4*>(array)",
        "  if (4 * quad < count) {\n    reinterpret_cast<float4*>(array)", "pointwise*", "rows.h"),
    Bug("the last quad of a row is read as a whole", "norm", "if (count % 4 == 0) return", "if (count % 2 == 0) return", NORMS, "rows.h"),
    Bug("whole turns leave their rounding behind", "rope", "+ rest;", ";", "rope*"),
    Bug("pairs of the other style", "rope", "p.adjacent != 0 ? first + 1 : first + pairs", "first + 1", "rope*"),
    Bug("all tokens in one row of the cache", "rope", "p.blocks * 64 + p.position + token", "p.blocks * 64 + p.position", "kv_write*"),
    Bug("blocks of the cache are 32 rows", "rope", "p.blocks * 64 + p.position", "p.blocks * 32 + p.position", "kv_write*"),
    Bug("a head's norm leaves its last elements out", "rope", "4 * quad < p.d; quad += 32", "4 * quad + 4 < p.d; quad += 32", "norms of heads*"),
    Bug("values are turned, too", "rope", "p.v_cache, false", "p.v_cache, true", "norms of heads*"),
    Bug("the scale of half a block of 8 bits", "rope", "int offset = 16; offset > 0; offset /= 2)\n      bits",
        "int offset = 8; offset > 0; offset /= 2)\n      bits", "kv_write*"),
    Bug("rows of 8 bits as long as those of 16", "rope", "p.d / 32 * static_cast<int>(sizeof(Q8Block))", "p.d * 2", "kv_write*"),
    Bug("all warps stage in one place", "rope", "rows + threadIdx.x / 32 * BELAY_ROPE_MOST_Q8", "rows", "kv_write*"),
    Bug("a row of 8 bits is read before it is there", "rope", "  __syncwarp();\n  quantise_row", "  quantise_row", "norms of heads*"),
    Bug("every block of a row is the first", DECODE, "row + quad / 8", "row", ATTENTION, "attention_cache.h"),
    Bug("an element of 8 bits without its sign", PREFILL, "static_cast<signed char>(high >> 8)", "(high >> 8)", ATTENTION, "attention_cache.h"),
    Bug("queries are used before all are there", DECODE, "p.scale : 0.0f;\n  }\n  __syncthreads();", "p.scale : 0.0f;\n  }\n", ATTENTION),
    Bug("warps are merged before all have published", DECODE, "values);\n  __syncthreads();", "values);\n", ATTENTION),
    Bug("a score's butterfly begins at 2", DECODE, "for (int offset = 4; offset > 0; offset /= 2)\n        dots",
        "for (int offset = 2; offset > 0; offset /= 2)\n        dots", ATTENTION),
    Bug("the query heads of another key head", DECODE, "kv_head * sharing + first", "kv_head + first * p.kv_heads", ATTENTION),
    Bug("a query does not see its own key", DECODE, "static_cast<int>(blockIdx.z) + 1", "static_cast<int>(blockIdx.z)", ATTENTION),
    Bug("the sum is not rescaled", DECODE, "progress.sum[g] * before + scores[g]", "progress.sum[g] + scores[g]", ATTENTION),
    Bug("the values are not rescaled", DECODE, "progress.value[g][c] = before * progress.value[g][c]",
        "progress.value[g][c] = 1.0f * progress.value[g][c]", ATTENTION),
    Bug("values beyond the last key", DECODE, "if (key < count && (", "if ((", ATTENTION),
    Bug("the second block merges, not the last", DECODE, "== blocks - 1 ? 1 : 0", "== 1 ? 1 : 0", ATTENTION, "last_block.h"),
    Bug("the counter stays", DECODE, "if (last[0] != 0) *counter = 0;", "", ATTENTION, "last_block.h"),
    Bug("rows are quantised before all are there", DECODE, "  __syncthreads();\n  quantise_rows", "  quantise_rows", AT_ONCE),
    Bug("rows are quantised as another head's", DECODE, "first / 32 + quad / 8", "quad / 8", AT_ONCE),
    Bug("the parts of a split overlap", DECODE, "kGroup * (d + 2);", "kGroup * d;", ATTENTION),
    barrier("a chunk is overwritten while some still read", PREFILL, "until all have read what lies there", ATTENTION),
    Bug("queries and keys are used before all are there", PREFILL, "thread % 4, k);\n      __syncthreads();", "thread % 4, k);\n", ATTENTION),
    barrier("values overwrite keys, and weights are used before all are there", PREFILL,
            "until the weights are there and all have read what lies in the chunk", ATTENTION),
    Bug("values are used before all are there", PREFILL, "      __syncthreads();\n      add_values", "      add_values", ATTENTION),
    Bug("a query does not see its own key, of many", PREFILL, "min(p.position + token + 1, p.keys)", "min(p.position + token, p.keys)", ATTENTION),
    Bug("a launch of some tokens sees their keys alone", PREFILL, "p.keys) : p.keys", "p.keys) : p.position + p.tokens", ATTENTION),
    Bug("only the first row's mask", PREFILL, "row_of(p, row + r).token);\n    BELAY_UNROLL\n    for (int j", "row_of(p, row).token);\n    BELAY_UNROLL\n    for (int j", ATTENTION),
    Bug("the sum is not rescaled, of many", PREFILL, "progress.sum[r] *= before;", "", ATTENTION),
    Bug("the values are not rescaled, of many", PREFILL, "progress.value[r][c] = before * progress", "progress.value[r][c] = 1.0f * progress", ATTENTION),
    Bug("the wrong query heads", PREFILL, "static_cast<int>(blockIdx.y) * sharing + row % sharing",
        "row % sharing * p.kv_heads + static_cast<int>(blockIdx.y)", ATTENTION),
    Bug("lines of shared memory overlap", PREFILL, "kR * (16 * key + (unit", "kR * (12 * key + (unit", ATTENTION),
    Bug("rows that do not exist are stored", PREFILL, "if (!to.exists) continue;", "", ATTENTION),
    Bug("queries that do not exist are read", PREFILL, "thread / 4 < kRows && from.exists;", "thread / 4 < kRows;", ATTENTION),
    Bug("values beyond the last key, of many", PREFILL, "depth + key < count && 4 * quad < p.d;", "4 * quad < p.d;", ATTENTION),
    Bug("columns beyond the head", PREFILL, "depth + key < count && 4 * quad < p.d;", "depth + key < count;", ATTENTION),
    Bug("the other nibble", "embed", "quants[i % 16] >> (i / 16 * 4) & 15", "quants[i / 2] >> (i % 2 * 4) & 15", "embed*"),
    Bug("the zero of Q5_0", "embed", "bit(block + 2, i % 32) - 16", "bit(block + 2, i % 32) - 8", "embed*"),
    Bug("the scale of the part before", "embed", "(block + 192)[i % 256 / 16]", "(block + 192)[i % 256 / 32]", "embed*"),
    Bug("ids are not checked", "embed", "if (id < 0 || id >= p.vocab)", "if (id < -1 || id >= p.vocab)", "embed*"),
    Bug("the last of equals wins", "argmax", "b.index < a.index", "b.index > a.index", "argmax*"),
    Bug("indices of a row's part are used before all are there", "argmax", "  }\n  __syncthreads();\n  for (int i", "  }\n  for (int i", "argmax*"),
]

TOKENS, ROWS, LENGTHS, FUSED = ("linear: every number of tokens*", "linear: every number of outputs*",
                                "linear: every length*", "linear: up to three*,linear: a residual*,linear: gate*")
SCHEDULES, SUMS = "linear: the order of threads*", "linear: weights at which*"
QUANTISE, GEMV_Q8, GEMM_Q8 = "linear_quantise", "linear_gemv_q8", "linear_gemm_q8"
SWIGLU, GEMV_F32, GEMM_F32 = "linear_swiglu_q8", "linear_gemv_f32", "linear_gemm_f32"
NORM, THE_SUM = "linear_norm_q8", "linear: the sum*"
QUICK_TESTS |= {QUANTISE: "*quantised activations*", GEMV_Q8: FUSED, GEMM_Q8: ROWS, SWIGLU: FUSED, NORM: THE_SUM, GEMV_F32: FUSED, GEMM_F32: ROWS}


def linear(name, family, old, new, tests, file=""):
    return Bug(name, family, old, new, tests, file, LINEAR)


BUGS += [
    linear("a scale of 1/128", QUANTISE, "largest / 127.0f : 0.0f;", "largest / 128.0f : 0.0f;", "*quantised activations*", "quantise.h"),
    linear("a sum of half a block", QUANTISE, "offset = 4; offset > 0; offset /= 2) sum", "offset = 2; offset > 0; offset /= 2) sum",
           "*quantised activations*", "quantise.h"),
    linear("what is not finite is quantised", QUANTISE, "bits < 0x7f800000u", "bits <= 0x7fffffffu", "*quantised act*,*not finite*", "quantise.h"),
    linear("blocks beyond the last are written", QUANTISE, "if (!inside) return;", "", "*quantised activations*", "quantise.h"),
    linear("the fifth bit in another place", GEMV_Q8, "kPlace = kSigned ? 3 : 4", "kPlace = 4", TOKENS, "linear_blocks.h"),
    linear("the fifth bit of the upper values", GEMV_F32, "bits >> (4 + j - kPlace)", "bits >> (5 + j - kPlace)", TOKENS, "linear_blocks.h"),
    linear("minimums are added", GEMM_F32, "-high_half(halves) * static_cast", "high_half(halves) * static_cast", TOKENS, "linear_blocks.h"),
    linear("one scale for both halves of a block of Q6_K", GEMM_F32, "d * byte_of(small, 1)", "d * byte_of(small, 0)", TOKENS, "linear_blocks.h"),
    linear("the scale of another 256 values", GEMV_Q8, "half_to_float(plane_at<unsigned short>(planes.supers, b >> 3))",
           "half_to_float(plane_at<unsigned short>(planes.supers, b >> 4))", TOKENS, "linear_blocks.h"),
    linear("one of two bits", GEMM_Q8, "& 0x0c0c0c0cu", "& 0x04040404u", TOKENS, "linear_blocks.h"),
    linear("parts beyond the row", GEMM_F32, "4 * b + j < parts_of_row ?", "true ?", LENGTHS, "linear_blocks.h"),
    linear("an offset that is not multiplied by the sum of x", GEMM_Q8, "fmaf(scales.second, x.y, added)", "fmaf(scales.second, x.x, added)",
           TOKENS, "linear_q8.h"),
    linear("integers that are off by one", GEMV_Q8, "12582912.0f", "12582911.0f", TOKENS, "linear_q8.h"),
    linear("four products twice", GEMV_Q8, "dp4a(a.z, b.z,", "dp4a(a.z, b.w,", TOKENS, "linear_q8.h"),
    linear("blocks beyond the first 32", GEMV_Q8, "i < x.blocks; i += 32", "i < min(x.blocks, 32); i += 32", LENGTHS, "linear_q8.h"),
    linear("tokens beyond the last are read", GEMV_Q8, "min(c, x.tokens - 1) * x.blocks", "c * x.blocks", TOKENS, "linear_q8.h"),
    linear("a warp's sums begin at 8", GEMV_F32, "int offset = 16;", "int offset = 8;", TOKENS, "linear_outputs.h"),
    linear("the third matrix begins too late", GEMV_F32, "  block -= blocks_of_1;\n", "", FUSED, "linear_outputs.h"),
    linear("a residual without tokens", GEMM_F32, "value + to.residual[at]", "value + to.residual[row]", FUSED, "linear_outputs.h"),
    linear("one bias", GEMM_Q8, ": sum + bias[row]", ": sum + bias[0]", TOKENS, "linear_outputs.h"),
    linear("a row beyond the last", GEMV_Q8, "min(row + 1, rows - 1)", "row + 1", ROWS, "linear_outputs.h"),
    linear("a token beyond the last is stored", GEMV_F32, " || token >= p.tokens", "", TOKENS, "linear_outputs.h"),
    linear("up is the gate", GEMV_F32, "biased(p.matrix[1].bias, pair.row, other)", "biased(p.matrix[1].bias, pair.row, sum)", FUSED,
           "linear_outputs.h"),
    linear("a tile is used before all have brought their part", GEMM_Q8, "source.block < blocks);\n    __syncthreads();", "source.block < blocks);",
           SCHEDULES),
    linear("a tile is overwritten while some still read", GEMM_Q8, "(tile, block, sums);\n    __syncthreads();", "(tile, block, sums);", SCHEDULES),
    linear("a block beyond the last counts", GEMM_Q8, "exists ? make_float2(staged.scales.scale, staged.scales.second) : none",
           "make_float2(staged.scales.scale, staged.scales.second)", TOKENS),
    linear("rows beyond the last are read", GEMM_Q8, "min(first_row + t / kStep, rows - 1)", "(first_row + t / kStep)", ROWS),
    linear("tokens beyond the last are read, of many", GEMM_Q8, "kBlocks / kStep, p.tokens - 1)", "kBlocks / kStep, p.tokens)", TOKENS),
    linear("rows beyond the last are stored", GEMM_Q8, "token < p.tokens && lane_row + more < to.rows", "token < p.tokens", ROWS),
    linear("the rows are quantised before all are there", SWIGLU, "  __syncthreads();\n", "", "linear: gate*"),
    linear("half of the rows", SWIGLU, "i < 32; i += kWarps", "i < 16; i += kWarps", "linear: gate*"),
    linear("a lane brings the values of another", SWIGLU, "(values)[lane % 8]", "(values)[lane / 4]", "linear: gate*"),
    linear("the third block norms", NORM, "== blocks - 1 ? 1 : 0", "== 2 ? 1 : 0", THE_SUM, "last_block.h"),
    linear("a half of the squares", NORM, "half < 2; ++half", "half < 1; ++half", THE_SUM),
    linear("the sum is read before all have written", NORM, "  __syncthreads();\n  float sum", "  float sum", THE_SUM),
    linear("long rows in the order of short ones", NORM, "d <= BELAY_RMS_NORM_SHORT", "d <= 2048", THE_SUM),
    linear("a row's tail is read as a whole quad", GEMV_F32, "if (k % 4 == 0)", "if (k % 2 == 0)", "linear: a token does*", "linear_f32.h"),
    linear("a row's tail goes on into the next", GEMV_F32, "at + 2 < k ?", "true ?", LENGTHS, "linear_f32.h"),
    linear("a tile of floats is used before it is there", GEMM_F32, "first_token, k);\n    __syncthreads();", "first_token, k);", SCHEDULES),
    linear("a tile of floats is overwritten too early", GEMM_F32, "multiply(tile, sums);\n    __syncthreads();", "multiply(tile, sums);", SCHEDULES),
    linear("tokens lie in other banks than they are read from", GEMM_F32, "token_at(k, 32 + lane_token)", "token_at(k + 4, 32 + lane_token)", TOKENS),
]
