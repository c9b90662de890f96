/* belay.compute/1: packed weights and bound kernels. The core owns every byte; the plugin computes. */
#ifndef BELAY_EXT_COMPUTE_H
#define BELAY_EXT_COMPUTE_H

#include <belay/op.h>
#include <belay/plugin.h>

#define BELAY_COMPUTE_1 "belay.compute/1"

typedef struct belay_kernel_t belay_kernel_t;
typedef struct belay_stream_t belay_stream_t; /* see ext/memory.h */

/* Bitwise: the bits of a token do not depend on the tokens beside it (for attention: while the way to compute stays the
 * same) nor on threads. Run to run: the same run gives the same bits again. Tolerance: not even that. */
enum { BELAY_DETERMINISM_BITWISE = 0, BELAY_DETERMINISM_RUN_TO_RUN = 1, BELAY_DETERMINISM_TOLERANCE = 2 };

/* One answer of `supports`. */
typedef struct belay_support_t {
  uint32_t struct_size;
  uint32_t yes;                /* boolean */
  belay_status_t reason;       /* why not: BELAY_UNSUPPORTED, BELAY_OOM_DEVICE, ... */
  int32_t determinism;         /* BELAY_DETERMINISM_* */
  uint64_t cost_ns;            /* estimate for one token, > 0 */
  uint32_t confidence_permille;
  uint32_t reserved;
  char detail[128];            /* why not, in words, terminated */
} belay_support_t;

/* What `pack` will write. Layout 0 is the file's own: nothing is packed, bind takes the constants' bytes as they are. */
typedef struct belay_packed_t {
  uint32_t struct_size;
  uint32_t layout;    /* 0, or the plugin's number for this form; with id and version it names a stored result */
  uint64_t bytes;
  uint64_t alignment; /* a power of two, at most 4096 */
  uint32_t optional;  /* boolean: bind also takes no buffer, and computes on layout 0; else the host must pack */
  uint32_t in_device; /* boolean: the packed bytes are of most use in the device's memory, see bind_device */
} belay_packed_t;

/* The arguments of one run. Shapes now carry the real number of tokens; the rest is as described to `supports`. */
typedef struct belay_run_t {
  uint32_t struct_size;
  uint32_t flags;                        /* 0 */
  const belay_tensor_t* const* inputs;   /* in the op's order */
  uint64_t input_count;
  const belay_tensor_t* const* outputs;  /* in the op's order; kv_write's are the two caches */
  uint64_t output_count;
  uint64_t position;                     /* cache position of the first token: kv_write, attention */
  void* workspace;                       /* at least what workspace() said, 64-byte aligned */
  uint64_t workspace_bytes;
  belay_stream_t* stream;                /* NULL: run is finished when it returns */
  belay_error_t* error;                  /* may be NULL */
  uint64_t workspace_buffer;             /* with a stream: the workspace lies in this buffer of belay.memory/1, from its start */
} belay_run_t;

/* Operands lie in host memory, or, when the plugin offers belay.memory/1 and there is a stream, in buffers of it: data is
 * then NULL, buffer and offset say where. Without a stream all are in host memory, and a plugin whose device has a memory of
 * its own copies them there and back.
 *
 * [stream] Allocates nothing. A run that fails has changed nothing but its outputs and workspace (kv_write: only rows at
 * positions >= run->position), so the next plugin in the chain can run the same op. */
typedef belay_status_t (*belay_run_fn)(belay_kernel_t* kernel, const belay_run_t* run);

/* The head of every kernel, so that a run is one indirect call. The plugin's own data follows it. */
struct belay_kernel_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  belay_run_fn run;
};

/* One op of a sequence that the host runs in order: step i of it. Values have numbers: the same number means the same bytes,
 * perhaps under another shape. */
typedef struct belay_step_t {
  uint32_t struct_size;
  uint32_t flags;             /* 0 */
  const belay_op_t* op;       /* as described to bind */
  belay_kernel_t* kernel;     /* what this plugin bound for it */
  const uint32_t* inputs;     /* the value of each input of the op */
  const uint32_t* outputs;    /* of each output */
  const uint64_t* last_reads; /* of each output: the last step that reads it, or UINT64_MAX when something behind the sequence does;
                                 a cache always is read there, an output that nobody reads names its own step */
} belay_step_t;

typedef struct belay_compute_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */

  /* [any] Pure: no allocation, no device call, the same answer every time. Answers `count` ops at once; a NO is an answer,
   * not an error. The constants' data may be absent. */
  belay_status_t (*supports)(belay_instance_t* instance, const belay_op_t* ops, uint64_t count, belay_support_t* answers, belay_error_t* error);

  /* [any] How much memory the packed constants of an op take, and in which layout. */
  belay_status_t (*packed)(belay_instance_t* instance, const belay_op_t* op, belay_packed_t* packed, belay_error_t* error);

  /* [any] Writes the packed constants into `buffer`, which the core owns. Not called for layout 0. */
  belay_status_t (*pack)(belay_instance_t* instance, const belay_op_t* op, void* buffer, uint64_t bytes, belay_error_t* error);

  /* [control] A kernel over packed constants, small, for an op that `supports` said YES to. `buffer` (what pack wrote; NULL
   * for layout 0, where the op's constants carry the bytes) must live until release. The descriptors need not. */
  belay_status_t (*bind)(belay_instance_t* instance, const belay_op_t* op, const void* buffer, uint64_t bytes, belay_kernel_t** kernel, belay_error_t* error);

  /* [any] Workspace of a run with at most `tokens` tokens; never shrinks as tokens grow. */
  belay_status_t (*workspace)(const belay_kernel_t* kernel, uint64_t tokens, uint64_t* bytes, belay_error_t* error);

  /* [control] Ends a kernel. NULL is ignored. */
  void (*release)(belay_kernel_t* kernel);

  /* [control] Optional: as bind, over packed constants that were copied to `offset` of a device buffer of belay.memory/1,
   * which lives until release. For a form with in_device; such a kernel also runs without a stream. */
  belay_status_t (*bind_device)(belay_instance_t* instance, const belay_op_t* op, uint64_t buffer, uint64_t offset, uint64_t bytes,
                                belay_kernel_t** kernel, belay_error_t* error);

  /* [control] Optional: one kernel that does the work of the first steps of a sequence, of two at least. `taken` says of how
   * many; 0, and no kernel, is an answer, not an error. Its run has all inputs of these steps, one step behind the other, and
   * likewise all outputs. What the steps pass on to each other lies as if they ran one by one: where one value lay, another
   * may lie once the last step that reads the first is done. No output lies where an input from outside does. The run leaves
   * the bits that the steps leave one by one in every output that is read behind them, and anything in the others. The
   * kernels that it stands for live until it is released, and are run by themselves when it fails. The steps need not. */
  belay_status_t (*fuse)(belay_instance_t* instance, const belay_step_t* steps, uint64_t count, uint64_t* taken,
                         belay_kernel_t** kernel, belay_error_t* error);
} belay_compute_t;

#endif
