#include "plugins/cpu_openblas/openblas.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <array>
#include <string_view>

namespace belay::openblas {
namespace {

constexpr int kRowMajor = 101;  // cblas.h
constexpr int kNoTranspose = 111;
constexpr int kTranspose = 112;

constexpr std::size_t kBytesPerCall = std::size_t{128} << 20U;  // BUFFER_SIZE on x86-64, touched as needed

// One of the library's sets of kernels, and what of the CPU it was seen to need.
struct KernelSet {
  std::string_view name;
  std::array<std::string_view, 3> features;
};
constexpr KernelSet kKernelSets[] = {
    {"Prescott", {"sse3"}},
    {"Core2", {"ssse3"}},
    {"Penryn", {"sse4.1"}},
    {"Dunnington", {"sse4.1"}},
    {"Nehalem", {"sse4.2"}},
    {"Sandybridge", {"avx"}},
    {"Haswell", {"avx2", "fma"}},
    {"Zen", {"avx2", "fma"}},
    {"SkylakeX", {"avx512vl", "avx512bw", "avx512dq"}},
    {"Cooperlake", {"avx512vl", "avx512bw", "avx512bf16"}},
};

template <class Function>
Function find(void* opened, const char* library, const char* name) {
  void* symbol = dlsym(opened, name);
  if (symbol == nullptr) {
    throw sdk::Error(BELAY_NO_DRIVER, "%s has no %s: it is not the OpenBLAS that this plugin knows", library,
                     name);
  }
  return reinterpret_cast<Function>(symbol);
}

// The library chooses by the CPU's own word and by OPENBLAS_CORETYPE; the host knows what the user masked.
void check_kernel_set(const sdk::Host& host, std::string_view name) {
  for (const KernelSet& set : kKernelSets) {
    if (set.name != name) continue;
    for (const std::string_view feature : set.features) {
      if (feature.empty() || host.has_cpu_feature(feature)) continue;
      throw sdk::Error(BELAY_UNSUPPORTED,
                       "OpenBLAS chose its kernels for %s; they need %s, which this CPU lacks or the user "
                       "masked: name others in OPENBLAS_CORETYPE, such as Nehalem",
                       set.name.data(), feature.data());
    }
    return;
  }
  throw sdk::Error(BELAY_UNSUPPORTED,
                   "OpenBLAS chose its kernels for %.*s, of which this plugin does not know what they need: "
                   "name others in OPENBLAS_CORETYPE, such as Prescott or Haswell",
                   static_cast<int>(name.size()), name.data());
}

}  // namespace

OpenBlas::OpenBlas(const sdk::Host& host, const char* library) {
  void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    throw sdk::Error(BELAY_NO_DRIVER, "%s; install OpenBLAS (Debian: libopenblas0-serial)", dlerror());
  }
  sgemm_ = find<Sgemm>(opened, library, "cblas_sgemm");
  sgemv_ = find<Sgemv>(opened, library, "cblas_sgemv");
  take_memory_ = find<void* (*)(int)>(opened, library, "blas_memory_alloc");
  give_memory_ = find<void (*)(void*)>(opened, library, "blas_memory_free");
  constexpr int kOpenMp = 2;  // OPENBLAS_OPENMP; it counts threads for each of the host's anew
  if (find<int (*)()>(opened, library, "openblas_get_parallel")() == kOpenMp) {
    throw sdk::Error(BELAY_NO_DRIVER,
                     "%s is built with OpenMP, whose threads nobody can limit: install the serial or the "
                     "pthread build",
                     library);
  }
  const std::string_view build = find<const char* (*)()>(opened, library, "openblas_get_config")();
  if (build.find("USE64BITINT") != std::string_view::npos) {
    throw sdk::Error(BELAY_NO_DRIVER, "%s is built with 64-bit integers: install the usual build", library);
  }
  check_kernel_set(host, find<const char* (*)()>(opened, library, "openblas_get_corename")());
  find<void (*)(int)>(opened, library, "openblas_set_num_threads")(1);
}

// The library's memory is never unmapped, and it asks again for ever when there is none: tried here first.
void OpenBlas::reserve(std::uint32_t calls) const {
  std::array<void*, kMostCalls> memory{};
  std::uint32_t count = 0;
  const auto map = [] {
    return mmap(nullptr, kBytesPerCall, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  };
  while (count < calls && (memory[count] = map()) != MAP_FAILED) ++count;
  for (std::uint32_t i = 0; i < count; ++i) munmap(memory[i], kBytesPerCall);
  if (count < calls) {
    throw sdk::Error(BELAY_OOM_HOST,
                     "OpenBLAS maps 128 MiB for each of %u threads, and there is room for %u: raise the "
                     "limit of the address space or use fewer threads",
                     calls, count);
  }
  for (std::uint32_t i = 0; i < calls; ++i) memory[i] = take_memory_(0);
  for (std::uint32_t i = 0; i < calls; ++i) give_memory_(memory[i]);
}

void OpenBlas::gemm(const Product& p) const {
  sgemm_(kRowMajor, kNoTranspose, kTranspose, p.tokens, p.rows, p.cols, 1, p.x, p.cols, p.weight, p.cols, 1,
         p.out, p.out_stride);
}

void OpenBlas::gemv(const Product& p) const {
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    sgemv_(kRowMajor, kNoTranspose, p.rows, p.cols, 1, p.weight, p.cols, p.x + t * p.cols, 1, 1,
           p.out + t * p.out_stride, 1);
  }
}

}  // namespace belay::openblas
