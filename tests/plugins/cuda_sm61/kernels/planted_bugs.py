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


NORMS, ATTENTION = "norm*,rms*,layer*", "attention*"
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
    Bug("values are turned, too", "rope", "p.v_cache, false", "p.v_cache, true", "norms of heads*"),
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
    Bug("the second block merges, not the last", DECODE, "== gridDim.x - 1 ? 1 : 0", "== 1 ? 1 : 0", ATTENTION),
    Bug("the counter stays", DECODE, "if (last[0] != 0) p.counters[unit] = 0;", "", ATTENTION),
    Bug("the parts of a split overlap", DECODE, "kGroup * (d + 2);", "kGroup * d;", ATTENTION),
    barrier("a chunk is overwritten while some still read", PREFILL, "until all have read what lies there", ATTENTION),
    Bug("queries and keys are used before all are there", PREFILL, "thread % 4, k);\n      __syncthreads();", "thread % 4, k);\n", ATTENTION),
    barrier("values overwrite keys, and weights are used before all are there", PREFILL,
            "until the weights are there and all have read what lies in the chunk", ATTENTION),
    Bug("values are used before all are there", PREFILL, "      __syncthreads();\n      add_values", "      add_values", ATTENTION),
    Bug("a query does not see its own key, of many", PREFILL, "min(token + 1, p.tokens)", "min(token, p.tokens)", ATTENTION),
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
