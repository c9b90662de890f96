/* Element types, quantised blocks, and the descriptor of a tensor. */
#ifndef BELAY_TENSOR_H
#define BELAY_TENSOR_H

#include <belay/abi.h>

/* Plain elements and GGUF's block formats. Blocks run along the last dimension (the input of a weight). Little endian;
 * d, m, dmin are IEEE half floats. Formulas of every block: plugins/cpu_kernels/quant/. */
enum {
  BELAY_DTYPE_F32 = 0,
  BELAY_DTYPE_F16 = 1,
  BELAY_DTYPE_BF16 = 2,
  BELAY_DTYPE_I32 = 3,
  BELAY_DTYPE_I64 = 4,
  BELAY_DTYPE_U8 = 5,
  BELAY_DTYPE_Q8_0 = 16, /* 32 values,  34 bytes: d, i8[32];                     d*q          */
  BELAY_DTYPE_Q4_0 = 17, /* 32 values,  18 bytes: d, nibbles[16];                d*(q-8)      */
  BELAY_DTYPE_Q4_1 = 18, /* 32 values,  20 bytes: d, m, nibbles[16];             d*q+m        */
  BELAY_DTYPE_Q5_0 = 19, /* 32 values,  22 bytes: d, high bits u32, nibbles[16]; d*(q-16)     */
  BELAY_DTYPE_Q5_1 = 20, /* 32 values,  24 bytes: d, m, high bits, nibbles[16];  d*q+m        */
  BELAY_DTYPE_Q4_K = 21, /* 256 values, 144 bytes: d, dmin, 12 bytes of 6-bit scales and mins, nibbles[128] */
  BELAY_DTYPE_Q5_K = 22, /* 256 values, 176 bytes: d, dmin, scales[12], high bits[32], nibbles[128]         */
  BELAY_DTYPE_Q6_K = 23  /* 256 values, 210 bytes: low nibbles[128], high 2 bits[64], i8 scales[16], d      */
};

/* How the elements of a tensor lie. Layout 0 is the file's own: rows of whole blocks, the last dimension contiguous.
 * Other numbers belong to the plugin that packed the tensor. */
enum { BELAY_LAYOUT_ROW = 0 };

enum { BELAY_MAX_RANK = 8 };
enum { BELAY_DYNAMIC = -1 }; /* a dimension that changes from run to run: the number of tokens */

/* A view; it owns nothing. Shapes are given slowest dimension first: a weight is [outputs, inputs].
 * Strides are in bytes; for a block type, the last stride is that of a block. Zero-sized tensors are legal. */
typedef struct belay_tensor_t {
  uint32_t struct_size;
  uint32_t flags;        /* 0 */
  int32_t dtype;         /* BELAY_DTYPE_* */
  int32_t layout;        /* BELAY_LAYOUT_ROW or a plugin's own */
  uint32_t rank;         /* at most BELAY_MAX_RANK */
  uint32_t block_elems;  /* elements of a block along the last dimension */
  uint32_t block_bytes;
  uint32_t reserved0;
  int64_t shape[BELAY_MAX_RANK];
  int64_t stride_bytes[BELAY_MAX_RANK];
  uint64_t offset;       /* bytes from the start of the buffer to the first element */
  uint64_t nbytes;       /* bytes that may be touched from there */
  uint64_t buffer;       /* handle of a buffer of `belay.memory/1`, 0 for host memory */
  void* data;            /* first element in host memory, NULL for another kind of buffer */
  uint8_t reserved[64];
} belay_tensor_t;

#endif
