#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/memory/buffer.hpp"

#include <sys/mman.h>

namespace belay::memory {

Result<Buffer> Buffer::allocate(std::uint64_t bytes, std::string_view purpose, Pages pages) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  // Whole pages, which are aligned to far more than 64 bytes. Address space is not memory: an absurd size
  // fails here.
  void* address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return fail(ErrorCode::kOutOfMemory, "no memory for {}: {} bytes asked; use a smaller context or model",
                purpose, bytes);
  }
  if (pages == Pages::kLarge) ::madvise(address, bytes, MADV_HUGEPAGE);  // advice: a refusal costs only speed
  buffer.data_ = static_cast<std::byte*>(address);
  buffer.size_ = bytes;
  return buffer;
}

Buffer::~Buffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace belay::memory
