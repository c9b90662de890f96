#include "tests/faulty_plugins/packing.hpp"

#include <cstring>

namespace faulty {
namespace {

namespace sdk = belay::sdk;

constexpr std::uint64_t kAlignment = 64;

struct Header {
  std::uint64_t magic;
  std::uint64_t bytes;
  std::uint64_t sum;  // of the payload, against a buffer that somebody changed
};
constexpr std::uint64_t kMagic = 0x4445504C55574F42U;

std::uint64_t align_up(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::uint64_t payload_bytes(const belay_op_t& op) {
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < op.constant_count; ++i) bytes += align_up(op.constants[i].nbytes);
  return bytes;
}

std::uint64_t sum_of(const std::uint8_t* bytes, std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum = sum * 31 + bytes[i];
  return sum;
}

void invert(std::uint8_t* to, const std::uint8_t* from, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(~from[i]);
}

}  // namespace

belay_packed_t packed_form(const belay_op_t& op) {
  const std::uint64_t payload = payload_bytes(op);
  if (payload == 0) return {sizeof(belay_packed_t), BELAY_LAYOUT_ROW, 0, 1, 0, 0};
  return {sizeof(belay_packed_t), kPackedLayout, kAlignment + payload, kAlignment, 0, 0};
}

void pack_constants(const belay_op_t& op, void* buffer, std::uint64_t bytes) {
  if (bytes != packed_form(op).bytes)
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "pack: the buffer has another size than packed() said");
  auto* payload = static_cast<std::uint8_t*>(buffer) + kAlignment;
  std::memset(buffer, 0, bytes);
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < op.constant_count; ++i) {
    const belay_tensor_t& constant = op.constants[i];
    if (constant.nbytes == 0) continue;
    if (constant.data == nullptr) throw sdk::Error(BELAY_INVALID_ARGUMENT, "pack: a constant has no data");
    invert(payload + at, static_cast<const std::uint8_t*>(constant.data), constant.nbytes);
    at += align_up(constant.nbytes);
  }
  const Header header{kMagic, bytes, sum_of(payload, at)};
  std::memcpy(buffer, &header, sizeof header);
}

Unpacked::Unpacked(const belay_op_t& op, const void* buffer, std::uint64_t bytes)
    : buffer_(static_cast<const std::uint8_t*>(buffer)), bytes_(bytes), plain_(payload_bytes(op)) {
  if (buffer == nullptr || bytes != packed_form(op).bytes) {
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "bind: %llu bytes of packed constants, expected %llu",
                     static_cast<unsigned long long>(bytes),
                     static_cast<unsigned long long>(packed_form(op).bytes));
  }
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < op.constant_count; ++i) {
    constants_.push_back(op.constants[i]);
    constants_.back().data = op.constants[i].nbytes == 0 ? nullptr : plain_.data() + at;
    at += align_up(op.constants[i].nbytes);
  }
  if (!refresh()) throw sdk::Error(BELAY_CORRUPT, "bind: the buffer was not written by pack");
}

bool Unpacked::refresh() {
  Header header{};
  std::memcpy(&header, buffer_, sizeof header);
  const std::uint8_t* payload = buffer_ + kAlignment;
  if (header.magic != kMagic || header.bytes != bytes_ || header.sum != sum_of(payload, plain_.size()))
    return false;
  invert(plain_.data(), payload, plain_.size());
  return true;
}

}  // namespace faulty
