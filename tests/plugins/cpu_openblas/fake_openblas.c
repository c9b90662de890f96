/* A library with the functions of OpenBLAS that the plugin looks for. What it says of itself is set when it
 * is built. */
#include <stdlib.h>

#ifndef FAKE_PARALLEL
#define FAKE_PARALLEL 0
#endif
#ifndef FAKE_CONFIG
#define FAKE_CONFIG "OpenBLAS 0.3.21 DYNAMIC_ARCH"
#endif
#ifndef FAKE_CORE
#define FAKE_CORE "Haswell"
#endif

int openblas_get_parallel(void) { return FAKE_PARALLEL; }
const char* openblas_get_config(void) { return FAKE_CONFIG; }
const char* openblas_get_corename(void) { return FAKE_CORE; }

int fake_threads = 0;
void openblas_set_num_threads(int threads) { fake_threads = threads; }

int fake_in_use = 0;
int fake_most_in_use = 0;
void* blas_memory_alloc(int position) {
  (void)position;
  if (++fake_in_use > fake_most_in_use) fake_most_in_use = fake_in_use;
  return malloc(1);
}
void blas_memory_free(void* memory) {
  --fake_in_use;
  free(memory);
}

#ifndef FAKE_NO_GEMM
void cblas_sgemm(void) {}
#endif
void cblas_sgemv(void) {}
