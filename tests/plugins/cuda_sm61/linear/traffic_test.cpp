// What decode reads, counted: the kernel's own text with loads that keep a list. It is compiled in a
// namespace of its own, since its inline functions are others than those of the kernels that the rest of this
// program calls.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/weights/pack.hpp"
#include "tests/plugins/cuda_sm61/linear/emulated_linear.hpp"
#include "tests/support/doctest.hpp"

#include <mutex>
#include <set>

namespace belay::cuda_tests {

struct Load {
  const char* address;
  std::size_t bytes;
};

static std::vector<Load> loads;
static std::mutex loads_mutex;  // the kernel's threads take turns, but nothing orders them

template <class T>
static T counting_load(const T* from) {
  const std::lock_guard lock(loads_mutex);
  loads.push_back({reinterpret_cast<const char*>(from), sizeof(T)});
  return *from;
}

#define load_constant counting_load  // NOLINT(readability-identifier-naming): a name of device.h
#undef BELAY_KERNEL_BOUNDS
#define BELAY_KERNEL_BOUNDS(name, param, threads, blocks) [[maybe_unused]] static void counted_##name(param)
#include "plugins/cuda_sm61/kernels/linear_gemv_q8.cu"
#undef load_constant

namespace {

constexpr std::uintptr_t kSector = 32;  // what a GPU fetches from memory at least

struct Traffic {
  std::size_t loaded = 0;  // bytes that all loads asked for
  std::set<std::uintptr_t> sectors;
};

Traffic traffic_in(const GuardedMemory& memory, std::uint64_t from, std::uint64_t to) {
  const char* begin = memory.as<char>() + from;
  const char* end = memory.as<char>() + to;
  Traffic traffic;
  for (const Load& load : loads) {
    if (load.address < begin || load.address >= end) continue;
    traffic.loaded += load.bytes;
    const auto first = reinterpret_cast<std::uintptr_t>(load.address) / kSector;
    const auto last = (reinterpret_cast<std::uintptr_t>(load.address) + load.bytes - 1) / kSector;
    for (std::uintptr_t sector = first; sector <= last; ++sector) traffic.sectors.insert(sector);
  }
  return traffic;
}

using CountedKernel = void (*)(LinearParams);
template <CountedKernel Kernel>
void launch_counted(const LinearParams& params, std::uint32_t blocks) {
  loads.clear();
  emulator::launch<Kernel>(params, {blocks, 1, 1}, {BELAY_LINEAR_GEMV_THREADS, 1, 1});
}

template <CountedKernel Kernel>
void check_traffic(DType dtype) {
  constexpr std::size_t kRows = 256;
  constexpr std::size_t kCols = 1024;
  const auto op_case =
      kernel_tests::linear_case(dtype, BELAY_NUMERICS_ACT_Q8, {.tokens = 1, .k = kCols, .n = kRows},
                                kernel_tests::Fill::kNormal, kernel_tests::WeightFill::kNormal, 9);
  const PackedWeight weight(op_case.constants[0]);
  const QuantisedOnDevice x(op_case.inputs[0].bytes, 1, kCols);
  std::vector<float> y(kRows);
  LinearParams params{};
  params.matrix[0].weight = weight.planes();
  params.matrix[0].y = y.data();
  params.matrix[0].rows = kRows;
  params.low = x.low.as<signed char>();
  params.high = x.high.as<signed char>();
  params.scales = x.scales.as<float>();
  params.tokens = 1;
  params.k = kCols;
  launch_counted<Kernel>(params, kRows / BELAY_LINEAR_GEMV_ROWS);

  const std::size_t useful = op_case.constants[0].bytes.size();
  const std::size_t fetched = kSector * traffic_in(weight.memory, 0, weight.layout.bytes).sectors.size();
  const std::size_t others =
      x.low.bytes().size() + x.high.bytes().size() + x.scales.bytes().size() + y.size() * sizeof(float);
  INFO(belay::to_string(dtype), ": ", useful, " bytes of weights, ", fetched, " fetched, ", others,
       " of x and y");
  CHECK(useful * 100 >= (fetched + others) * 90);
  // Nothing is asked for twice, but for the scales that 8 blocks have in common.
  const std::size_t once = traffic_in(weight.memory, 0, weight.layout.supers).loaded;
  const bool has_supers = info(dtype).block_elems == 256;
  const std::size_t supers = has_supers ? kRows * kCols / 256 * (dtype == DType::kQ6_K ? 2 : 4) : 0;
  CHECK(once + supers <= fetched);
  CHECK(once + supers >= useful);
}

TEST_CASE("nine tenths of what a decode step reads are the file's weights") {
  check_traffic<&counted_belay_linear_gemv_q8x1_q8_0>(DType::kQ8_0);
  check_traffic<&counted_belay_linear_gemv_q8x1_q4_0>(DType::kQ4_0);
  check_traffic<&counted_belay_linear_gemv_q8x1_q4_1>(DType::kQ4_1);
  check_traffic<&counted_belay_linear_gemv_q8x1_q5_0>(DType::kQ5_0);
  check_traffic<&counted_belay_linear_gemv_q8x1_q5_1>(DType::kQ5_1);
  check_traffic<&counted_belay_linear_gemv_q8x1_q4_k>(DType::kQ4_K);
  check_traffic<&counted_belay_linear_gemv_q8x1_q5_k>(DType::kQ5_K);
  check_traffic<&counted_belay_linear_gemv_q8x1_q6_k>(DType::kQ6_K);
}

}  // namespace
}  // namespace belay::cuda_tests
