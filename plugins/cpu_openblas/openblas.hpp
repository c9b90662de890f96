// OpenBLAS as this plugin uses it: a matrix product on the calling thread. The library is found at run time;
// only openblas_posix.cpp knows it. Copyable; the functions may be called from many threads at once.
#pragma once

#include <belay/cpp/host.hpp>

#include <cstdint>

namespace belay::openblas {

// out[t][n] += x[t] . weight[n], for some rows of the weight and some tokens.
struct Product {
  int tokens;
  int rows;
  int cols;
  const float* x;       // [tokens, cols]
  const float* weight;  // [rows, cols]
  float* out;           // [tokens, rows], with out_stride floats from one token to the next
  int out_stride;
};

class OpenBlas {
 public:
  // The most calls that may be in flight at once.
  static constexpr std::uint32_t kMostCalls = 64;

  // Opens the library, which then stays mapped, and sets it to one thread. Throws sdk::Error when it is not
  // there or must not be used here; the message says what to do.
  OpenBlas(const sdk::Host& host, const char* library);

  // Lets the library map its memory for this many calls at once, so that no later call does. Throws
  // BELAY_OOM_HOST.
  void reserve(std::uint32_t calls) const;

  void gemm(const Product& product) const;
  // Token by token: quicker for few.
  void gemv(const Product& product) const;

 private:
  // Prototypes of cblas.h and of the library's own functions, whose integers have 32 bits.
  using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                         const float* a, int a_stride, const float* b, int b_stride, float beta, float* c,
                         int c_stride);
  using Sgemv = void (*)(int order, int transpose, int m, int n, float alpha, const float* a, int a_stride,
                         const float* x, int x_step, float beta, float* y, int y_step);

  Sgemm sgemm_;
  Sgemv sgemv_;
  void* (*take_memory_)(int);
  void (*give_memory_)(void*);
};

}  // namespace belay::openblas
