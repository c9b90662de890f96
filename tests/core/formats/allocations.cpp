#include "tests/core/formats/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::uint64_t> total_bytes = 0;

}  // namespace

namespace belay::test {

std::uint64_t allocated_bytes() { return total_bytes; }
void reset_allocated_bytes() { total_bytes = 0; }

}  // namespace belay::test

void* operator new(std::size_t size) {
  total_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
