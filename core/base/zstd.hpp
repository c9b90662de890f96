// zstd at its fastest real level: on the bytes of weights, which hold few repetitions, a stronger one gains
// nothing (0.843 of F16 at level 1 and at 3, 0.68 and 0.70 of BF16). One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace belay {

class ZstdPacker {
 public:
  ZstdPacker();
  // `packed` becomes what zstd makes of the bytes.
  void pack(std::span<const std::byte> bytes, std::vector<std::byte>& packed);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class ZstdUnpacker {
 public:
  ZstdUnpacker();
  // Fills all of `bytes`, or says false: then they are anything. Allocates nothing.
  [[nodiscard]] bool unpack(std::span<const std::byte> packed, std::span<std::byte> bytes);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace belay
