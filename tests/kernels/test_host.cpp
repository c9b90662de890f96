#include "tests/kernels/test_host.hpp"

#include <belay/abi.h>

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace belay::kernel_tests {
namespace {

TestHost& host_of(void* context) { return *static_cast<TestHost*>(context); }
std::string_view view(belay_str_t text) { return {text.data, text.size}; }

thread_local bool inside_parallel_for = false;

std::uint64_t now_ns(void* /*context*/) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

std::uint32_t float_state() {
  constexpr std::uint32_t kStickyFlags = 0x3F;
  return _mm_getcsr() & ~kStickyFlags;
}

bool cpu_has(std::string_view feature) {
  __builtin_cpu_init();
  if (feature == "sse2") return __builtin_cpu_supports("sse2") != 0;
  if (feature == "sse3") return __builtin_cpu_supports("sse3") != 0;
  if (feature == "ssse3") return __builtin_cpu_supports("ssse3") != 0;
  if (feature == "sse4.1") return __builtin_cpu_supports("sse4.1") != 0;
  if (feature == "sse4.2") return __builtin_cpu_supports("sse4.2") != 0;
  if (feature == "popcnt") return __builtin_cpu_supports("popcnt") != 0;
  if (feature == "avx") return __builtin_cpu_supports("avx") != 0;
  if (feature == "avx2") return __builtin_cpu_supports("avx2") != 0;
  if (feature == "fma") return __builtin_cpu_supports("fma") != 0;
  if (feature == "bmi") return __builtin_cpu_supports("bmi") != 0;
  if (feature == "bmi2") return __builtin_cpu_supports("bmi2") != 0;
  if (feature == "avx512dq") return __builtin_cpu_supports("avx512dq") != 0;
  if (feature == "avx512bw") return __builtin_cpu_supports("avx512bw") != 0;
  if (feature == "avx512vl") return __builtin_cpu_supports("avx512vl") != 0;
  if (feature == "avx512bf16") return __builtin_cpu_supports("avx512bf16") != 0;
#if !defined(__clang__)  // clang 14 and 16 refuse these names
  if (feature == "f16c") return __builtin_cpu_supports("f16c") != 0;
  // Names that the compiler's own test lacks: the level of the psABI that contains them.
  if (feature == "cx16" || feature == "sahf") return __builtin_cpu_supports("x86-64-v2") != 0;
  if (feature == "movbe" || feature == "lzcnt") return __builtin_cpu_supports("x86-64-v3") != 0;
#endif
  return false;
}

TestHost::TestHost() {
  table_.struct_size = sizeof table_;
  table_.abi_major = BELAY_ABI_MAJOR;
  table_.max_minor = BELAY_ABI_MINOR;
  table_.context = this;
  table_.allocate = allocate;
  table_.release = release;
  table_.log = [](void*, std::int32_t, belay_str_t) {};
  table_.parallel_for = parallel_for;
  table_.max_concurrency = [](void*) { return kWorkers; };
  table_.now_ns = now_ns;
  table_.cancelled = [](void*) -> std::uint32_t { return 0; };
  table_.has_cpu_feature = has_cpu_feature;
  table_.config = config;
}

void TestHost::reset() {
  allocations_ = 0;
  nested_ = false;
  changed_float_state_ = false;
}

void* TestHost::allocate(void* context, std::uint64_t bytes, std::uint64_t alignment, belay_str_t /*tag*/) {
  TestHost& host = host_of(context);
  ++host.allocations_;
  host.live_bytes_ += bytes;
  const std::uint64_t step = std::max<std::uint64_t>(alignment, alignof(std::max_align_t));
  return std::aligned_alloc(step, (bytes + step - 1) / step * step);
}

void TestHost::release(void* context, void* memory, std::uint64_t bytes) {
  if (memory == nullptr) return;
  host_of(context).live_bytes_ -= bytes;
  std::free(memory);
}

void TestHost::run_range(belay_range_fn body, void* user, std::uint64_t begin, std::uint64_t end,
                         std::uint32_t worker) {
  const std::uint32_t before = float_state();
  inside_parallel_for = true;
  body(user, begin, end, worker);
  inside_parallel_for = false;
  if (float_state() != before) changed_float_state_ = true;
}

void TestHost::run_many(std::uint64_t count, std::uint64_t grain, belay_range_fn body, void* user) {
  std::vector<std::uint64_t> begins;  // ranges of grain, grain+1, grain+2 indices in turn
  const std::uint64_t step = std::max<std::uint64_t>(grain, 1);
  for (std::uint64_t at = 0; at < count; at += step + begins.size() % 3) begins.push_back(at);
  std::atomic<std::size_t> next = kWorkers;  // each worker's first range is its own, so that all take part
  const auto work = [&](std::uint32_t worker) {
    for (std::size_t range = worker; range < begins.size(); range = next++) {
      // From both ends in turn, so that neighbours run at the same time on different workers only by chance.
      const std::size_t at = range % 2 == 0 ? range / 2 : begins.size() - 1 - range / 2;
      run_range(body, user, begins[at], at + 1 == begins.size() ? count : begins[at + 1], worker);
    }
  };
  std::array<std::thread, kWorkers - 1> threads;
  for (std::uint32_t i = 0; i < threads.size(); ++i) threads[i] = std::thread(work, i + 1);
  work(0);
  for (std::thread& thread : threads) thread.join();
}

belay_status_t TestHost::parallel_for(void* context, std::uint64_t count, std::uint64_t grain,
                                      belay_range_fn body, void* user) {
  TestHost& host = host_of(context);
  if (inside_parallel_for) host.nested_ = true;
  if (count == 0) return BELAY_OK;
  if (host.threading == Threading::kSerial || inside_parallel_for) {
    host.run_range(body, user, 0, count, 0);
  } else {
    host.run_many(count, grain, body, user);
  }
  return BELAY_OK;
}

belay_status_t TestHost::config(void* context, belay_str_t key, belay_str_t* value) {
  const TestHost& host = host_of(context);
  const auto found = host.settings.find(view(key));
  if (found == host.settings.end()) return BELAY_UNSUPPORTED;
  *value = {found->second.data(), found->second.size()};
  return BELAY_OK;
}

std::uint32_t TestHost::has_cpu_feature(void* /*context*/, belay_str_t name) {
  return cpu_has(view(name)) ? 1U : 0U;
}

}  // namespace belay::kernel_tests
