// A private layout of test.faulty, number 1: a header, then each constant with its bytes inverted, 64-byte
// aligned. Useless but different: a core that hands out the wrong buffer, an unpacked one, or one that it
// freed computes nonsense or is told.
#pragma once

#include <belay/cpp/plugin.hpp>

#include <cstdint>
#include <vector>

namespace faulty {

inline constexpr std::uint32_t kPackedLayout = 1;

// Nothing to pack: layout 0.
[[nodiscard]] belay_packed_t packed_form(const belay_op_t& op);

// Throws sdk::Error when `bytes` is not what packed_form said.
void pack_constants(const belay_op_t& op, void* buffer, std::uint64_t bytes);

// The constants as they were, decoded from a buffer that pack_constants wrote. Reads the buffer again at
// refresh().
class Unpacked {
 public:
  // Throws sdk::Error for a buffer of another size or origin.
  Unpacked(const belay_op_t& op, const void* buffer, std::uint64_t bytes);

  [[nodiscard]] const std::vector<belay_tensor_t>& constants() const { return constants_; }
  // Decodes again in place; false when the buffer is not what it was. Allocates nothing.
  [[nodiscard]] bool refresh();

 private:
  const std::uint8_t* buffer_;
  std::uint64_t bytes_;
  std::vector<std::uint8_t> plain_;
  std::vector<belay_tensor_t> constants_;
};

}  // namespace faulty
