#include "tests/plugins/cuda_sm61/emulator/launch.hpp"

#include "tests/plugins/cuda_sm61/emulator/block.hpp"

#include <algorithm>
#include <random>

namespace belay::emulator {

namespace {

// Limits of compute capability 6.1.
constexpr std::uint64_t kMaxThreads = 1024;
constexpr std::uint32_t kMaxGridX = 0x7fffffff;
constexpr std::uint32_t kMaxGridYz = 65535;

void check(Extent grid, Extent size, std::size_t dynamic_shared, const Options& options) {
  const std::uint64_t threads = std::uint64_t{size.x} * size.y * size.z;
  if (threads == 0 || threads > kMaxThreads || size.z > 64) {
    throw LaunchError("a block of " + std::to_string(threads) + " threads", "launch");
  }
  if (threads % 32 != 0) throw LaunchError("a block that is not made of whole warps", "launch");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > kMaxGridX || grid.y > kMaxGridYz ||
      grid.z > kMaxGridYz) {
    throw LaunchError("a grid that is empty or too large", "launch");
  }
  if (dynamic_shared > options.shared_limit)
    throw LaunchError("more dynamic shared memory than a block may have", "launch");
}

Block make_block(Thunk kernel, void** args, Extent grid, Extent size, std::size_t dynamic_shared,
                 const Options& options) {
  Block block;
  block.kernel = kernel;
  block.args = args;
  block.options = options;
  block.threads.resize(std::size_t{size.x} * size.y * size.z);
  block.warps.resize(block.threads.size() / 32);
  block.dynamic = {nullptr, dynamic_shared, std::make_unique<std::byte[]>(dynamic_shared)};
  block.shared_bytes = dynamic_shared;
  for (unsigned i = 0; i < block.threads.size(); ++i) {
    Thread& thread = block.threads[i];
    thread.index = i;
    thread.at.thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    thread.at.block_size = {size.x, size.y, size.z};
    thread.at.grid_size = {grid.x, grid.y, grid.z};
  }
  return block;
}

// Blocks, too, come in an order that a kernel must not depend on.
std::vector<std::uint64_t> block_order(std::uint64_t count, const Options& options) {
  std::vector<std::uint64_t> order(count);
  for (std::uint64_t i = 0; i < count; ++i) order[i] = i;
  if (options.order == Order::kReverse) std::reverse(order.begin(), order.end());
  if (options.order == Order::kShuffled) std::shuffle(order.begin(), order.end(), std::mt19937(options.seed));
  return order;
}

}  // namespace

Stats launch(Thunk kernel, void** args, Extent grid, Extent block_size, std::size_t dynamic_shared,
             const Options& options) {
  check(grid, block_size, dynamic_shared, options);
  Block block = make_block(kernel, args, grid, block_size, dynamic_shared, options);
  for (Thread& thread : block.threads) thread.block = &block;
  for (const std::uint64_t i : block_order(std::uint64_t{grid.x} * grid.y * grid.z, options)) {
    begin_block(block, {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                        static_cast<unsigned>(i / (std::uint64_t{grid.x} * grid.y))});
    run_threads(block);
    if (block.error) throw LaunchError(*block.error);
    ++block.stats.blocks;
  }
  block.stats.shared_bytes = block.shared_bytes;
  return block.stats;
}

}  // namespace belay::emulator
