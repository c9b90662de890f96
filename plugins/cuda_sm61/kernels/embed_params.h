// Parameters of embed.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

// Row ids[t] of a table in the file's own layout becomes y[t]; a row of zeros for an id that names none. Grid
// {tokens}.
struct EmbedParams {
  const void* table;  // [vocab, width], rows of whole blocks, as belay/tensor.h has them
  const int* ids;
  float* y;  // [tokens, width]
  long long row_bytes;
  int width;
  int vocab;
  int type;  // BELAY_DTYPE_* of the table: any of floats and blocks
  int reserved;
};
