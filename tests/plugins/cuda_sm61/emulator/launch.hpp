// Runs kernels that were compiled as C++: the threads of a block are fibers of the calling thread; blocks run
// one after the other. What a GPU leaves undefined is an error here: barriers that not all threads reach,
// warp intrinsics of half a warp, shared memory over the limit. Under ThreadSanitizer, a block's threads that
// touch the same memory with no barrier between them are a data race. Any thread may launch; launches of
// different threads do not know each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace belay::emulator {

// Which thread of a block goes on while several could.
enum class Order {
  kForward,   // every ready thread takes a step, the first thread first
  kReverse,   // the last thread first
  kShuffled,  // in a new random order each round
  kGreedy,  // a warp runs as far as it gets before the next begins: barriers missing between warps show. Odd
            // seed: last warp first
};

struct Options {
  Order order = Order::kForward;
  std::uint32_t seed = 1;
  std::size_t shared_limit = std::size_t{48} << 10;  // of a block, static and dynamic together
};

struct Extent {
  std::uint32_t x = 1;
  std::uint32_t y = 1;
  std::uint32_t z = 1;
};

struct Stats {
  std::uint64_t blocks = 0;
  std::uint64_t barriers = 0;        // __syncthreads of whole blocks
  std::uint64_t warp_exchanges = 0;  // warp intrinsics of whole warps
  std::size_t shared_bytes = 0;      // most that a block used
};

// A launch that would be undefined on a device, or never end.
class LaunchError : public std::runtime_error {
 public:
  LaunchError(const std::string& what, std::string where)
      : std::runtime_error(what + " (" + where + ")"), where_(std::move(where)) {}
  // The source lines, the block and the thread, as far as they are known.
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  std::string where_;
};

// Calls a kernel with its arguments taken from where `args` point, as cuLaunchKernel has them.
using Thunk = void (*)(void** args);

// Runs all blocks; returns when the last one is done. Throws LaunchError.
Stats launch(Thunk kernel, void** args, Extent grid, Extent block, std::size_t dynamic_shared,
             const Options& options = {});

template <auto Kernel>
struct ThunkOf;
template <class Params, void (*Kernel)(Params)>
struct ThunkOf<Kernel> {
  static void run(void** args) { Kernel(*static_cast<Params*>(args[0])); }
};

// launch<belay_add>(params, grid, block)
template <auto Kernel, class Params>
Stats launch(Params params, Extent grid, Extent block, const Options& options = {},
             std::size_t dynamic_shared = 0) {
  void* args[] = {&params};
  return launch(&ThunkOf<Kernel>::run, args, grid, block, dynamic_shared, options);
}

}  // namespace belay::emulator
