// Parameters of argmax.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

// indices[row] = the first position of the largest of x[row]; NaNs are not looked at, and a row of them gives
// 0. Grid {parts, rows}: the last block of a row to end picks among the parts. With one part there is no
// workspace.
struct ArgmaxParams {
  const float* x;  // [rows, n]
  int* indices;    // [rows]
  // workspace for more than one part: [rows, parts] each, and [rows] counters that are 0 before the launch
  // and after it
  float* part_values;
  int* part_indices;
  unsigned* counters;
  int n;
  int reserved;
};
