#include "core/base/zstd.hpp"

#include <zstd.h>

#include <new>

namespace belay {
namespace {

constexpr int kLevel = 1;

}  // namespace

ZstdPacker::ZstdPacker() : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
}

// Into all the room that zstd can need, so that it has no reason to fail but memory.
void ZstdPacker::pack(std::span<const std::byte> bytes, std::vector<std::byte>& packed) {
  packed.resize(ZSTD_compressBound(bytes.size()));
  const std::size_t size =
      ZSTD_compressCCtx(context_.get(), packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  packed.resize(size);
}

void ZstdPacker::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

ZstdUnpacker::ZstdUnpacker() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
}

bool ZstdUnpacker::unpack(std::span<const std::byte> packed, std::span<std::byte> bytes) {
  return ZSTD_decompressDCtx(context_.get(), bytes.data(), bytes.size(), packed.data(), packed.size()) ==
         bytes.size();
}

void ZstdUnpacker::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

}  // namespace belay
