// The emulator itself: what it lets pass, what it refuses, and with which words. The kernels here are small
// and mostly wrong.
#include "plugins/cuda_sm61/kernels/device.h"
#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"
#include "tests/plugins/cuda_sm61/emulator/launch.hpp"
#include "tests/reference/quant.hpp"
#include "tests/support/doctest.hpp"

#include <vector>

using belay::emulator::launch;
using belay::emulator::LaunchError;
using belay::emulator::Options;
using belay::emulator::Order;

namespace {

struct Buffer {
  int* data;
};

// Every thread writes what the thread after it in the block brought.
void neighbour(Buffer p) {
  BELAY_SHARED(int, values, 96);
  const int i = static_cast<int>(threadIdx.x);
  values[i] = 10 * i;
  __syncthreads();
  p.data[blockIdx.x * 96 + threadIdx.x] = values[(i + 1) % 96];
}

void neighbour_without_barrier(Buffer p) {
  BELAY_SHARED(int, values, 96);
  const int i = static_cast<int>(threadIdx.x);
  values[i] = 10 * i;
  p.data[blockIdx.x * 96 + threadIdx.x] = values[(i + 1) % 96];
}

constexpr int kLineAbove = __LINE__;
void barrier_of_some(Buffer) {
  if (threadIdx.x < 32) {  // NOLINT(bugprone-branch-clone): two barriers, not one
    __syncthreads();
  } else {
    __syncthreads();
  }
}
void exit_before_barrier(Buffer) {
  if (threadIdx.x == 40) return;
  __syncthreads();
}
void exchange_of_some(Buffer p) {
  if (threadIdx.x % 32 < 16) p.data[0] = __shfl_sync(BELAY_FULL_WARP, 1, 0);
}
void exchange_of_half(Buffer p) { p.data[0] = __shfl_sync(0xffffu, 1, 0); }
void different_exchanges(Buffer p) {
  if (threadIdx.x % 2 == 0) {
    p.data[0] = __shfl_sync(BELAY_FULL_WARP, 1, 0);
  } else {
    p.data[0] = __shfl_xor_sync(BELAY_FULL_WARP, 1, 1);
  }
}
void barrier_against_exchange(Buffer) {
  if (threadIdx.x == 0) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}
void too_much_shared(Buffer p) {
  BELAY_SHARED(int, values, (48 << 10) / 4 + 1);
  p.data[0] = values[0];
}
void shared_before_written(Buffer p) {
  BELAY_SHARED(int, values, 32);
  if (threadIdx.x == 0) {
    p.data[blockIdx.x] = values[7];
    values[7] = 3;
  }
}

struct Shuffles {
  int* from;
  int* xored;
  int* down;
  int* up;
  unsigned* votes;
};
void shuffles(Shuffles p) {
  const int me = static_cast<int>(threadIdx.x);
  p.from[me] = __shfl_sync(BELAY_FULL_WARP, me, 5, 16);
  p.xored[me] = __shfl_xor_sync(BELAY_FULL_WARP, me, 3);
  p.down[me] = __shfl_down_sync(BELAY_FULL_WARP, me, 20);
  p.up[me] = __shfl_up_sync(BELAY_FULL_WARP, me, 3, 8);
  if (me < 32) {  // a whole warp
    const unsigned odd = __ballot_sync(BELAY_FULL_WARP, me % 2);
    const int any = __any_sync(BELAY_FULL_WARP, me == 9);
    const int all = __all_sync(BELAY_FULL_WARP, me == 9);
    if (me == 0) p.votes[0] = odd;
    if (me == 0) p.votes[1] = static_cast<unsigned>(any * 2 + all);
  }
}

std::string line(int below) { return "emulator_test.cpp:" + std::to_string(kLineAbove + below); }

template <auto Kernel>
std::string refusal(Order order = Order::kForward) {
  std::vector<int> data(96);
  try {
    launch<Kernel>(Buffer{data.data()}, {1}, {96}, {order});
  } catch (const LaunchError& error) {
    return error.what();
  }
  return "";
}

const Options kSchedules[] = {
    {Order::kForward}, {Order::kReverse}, {Order::kShuffled, 7}, {Order::kGreedy, 0}, {Order::kGreedy, 1}};

}  // namespace

TEST_CASE("threads of a block see each other's shared memory after a barrier, in every schedule") {
  for (const Options& options : kSchedules) {
    std::vector<int> data(std::size_t{3} * 96, -1);
    const auto stats = launch<neighbour>(Buffer{data.data()}, {3}, {96}, options);
    for (int i = 0; i < 3 * 96; ++i) CHECK(data[static_cast<std::size_t>(i)] == (i % 96 + 1) % 96 * 10);
    CHECK(stats.blocks == 3);
    CHECK(stats.barriers == 3);
    CHECK(stats.shared_bytes == 96 * sizeof(int));
  }
}

// ThreadSanitizer ends this one with a report; see CMakeLists.txt.
TEST_CASE("a missing barrier gives wrong values") {
  for (const Options& options : kSchedules) {
    std::vector<int> data(96);
    launch<neighbour_without_barrier>(Buffer{data.data()}, {1}, {96}, options);
    int wrong = 0;
    for (int i = 0; i < 96; ++i) wrong += data[static_cast<std::size_t>(i)] != (i + 1) % 96 * 10 ? 1 : 0;
    CHECK(wrong > 0);
  }
}

TEST_CASE("shared memory is NaN when a block begins, also after another block") {
  std::vector<int> data(4);
  launch<shared_before_written>(Buffer{data.data()}, {4}, {32});
  for (const int value : data) CHECK(std::isnan(bits_to_float(static_cast<unsigned>(value))));
}

TEST_CASE("what a device leaves undefined is refused, with the lines and the thread") {
  for (const Options& options : kSchedules) {
    const std::string divergent = refusal<barrier_of_some>(options.order);
    CHECK(divergent.find("different __syncthreads") != std::string::npos);
    CHECK(divergent.find(line(3)) != std::string::npos);
    CHECK(divergent.find(line(5)) != std::string::npos);
    CHECK(divergent.find("block 0,0,0, thread ") != std::string::npos);
    CHECK(refusal<exit_before_barrier>(options.order).find("exit") != std::string::npos);
    CHECK(refusal<exchange_of_some>(options.order).find("warp intrinsic") != std::string::npos);
    CHECK(refusal<exchange_of_half>(options.order).find("all 32 lanes") != std::string::npos);
    CHECK(refusal<different_exchanges>(options.order).find("different warp intrinsics") != std::string::npos);
    CHECK(refusal<barrier_against_exchange>(options.order).find("deadlock") != std::string::npos);
    CHECK(refusal<too_much_shared>(options.order).find("49156 bytes") != std::string::npos);
    CHECK(refusal<neighbour>(options.order).empty());
  }
}

TEST_CASE("launches that no device takes are refused") {
  std::vector<int> data(2048);
  const Buffer buffer{data.data()};
  CHECK_THROWS_AS(launch<neighbour>(buffer, {0}, {96}), LaunchError);
  CHECK_THROWS_AS(launch<neighbour>(buffer, {1, 65536}, {96}), LaunchError);
  CHECK_THROWS_AS(launch<neighbour>(buffer, {1}, {33}), LaunchError);
  CHECK_THROWS_AS(launch<neighbour>(buffer, {1}, {1056}), LaunchError);
  CHECK_THROWS_AS(launch<neighbour>(buffer, {1}, {96}, {}, (48 << 10) + 1), LaunchError);
  CHECK_THROWS_AS(launch<neighbour>(buffer, {1}, {96}, {}, (48 << 10) - 96),
                  LaunchError);  // with the 384 bytes declared
}

TEST_CASE("warp intrinsics move what CUDA's move") {
  for (const Options& options : kSchedules) {
    std::vector<int> from(64);
    std::vector<int> xored(64);
    std::vector<int> down(64);
    std::vector<int> up(64);
    std::vector<unsigned> votes(2);
    launch<shuffles>(Shuffles{from.data(), xored.data(), down.data(), up.data(), votes.data()}, {1}, {64},
                     options);
    for (int i = 0; i < 64; ++i) {
      const auto at = static_cast<std::size_t>(i);
      CHECK(from[at] == i / 16 * 16 + 5);
      CHECK(xored[at] == (i ^ 3));
      CHECK(down[at] == (i % 32 < 12 ? i + 20 : i));
      CHECK(up[at] == (i % 8 >= 3 ? i - 3 : i));
    }
    CHECK(votes[0] == 0xaaaaaaaaU);
    CHECK(votes[1] == 2);
  }
}

TEST_CASE("dp4a multiplies signed bytes and wraps") {
  CHECK(dp4a(static_cast<int>(0x80808080U), static_cast<int>(0x80808080U), 1) == 4 * 128 * 128 + 1);
  CHECK(dp4a(static_cast<int>(0x7f01ff80U), 0x02030405, 0) == 127 * 2 + 3 - 4 - 128 * 5);
  CHECK(dp4a(0x01010101, 0x01010101, 2147483647) == -2147483645);
}

TEST_CASE("halves widen and round as IEEE says") {
  for (unsigned bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<unsigned short>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) continue;
    REQUIRE(double{value} == belay::reference::half_to_double(half));
    REQUIRE(float_to_half(value) == half);
  }
  for (unsigned bits = 0; bits < 0x7f800000U; bits += 0x1235U) {
    const float value = bits_to_float(bits);
    REQUIRE(float_to_half(value) == belay::reference::double_to_half(double{value}));
    REQUIRE(float_to_half(-value) == belay::reference::double_to_half(-double{value}));
  }
  CHECK(std::isnan(half_to_float(float_to_half(std::nanf("")))));
}

TEST_CASE("every kernel of the list is found by its name") {
  for (const auto& kernel : belay::emulator::kernels()) {
    CHECK(belay::emulator::find_kernel(kernel.name) == &kernel);
    CHECK(kernel.threads % 32 == 0);
  }
  CHECK(belay::emulator::find_kernel("belay_nothing") == nullptr);
}
