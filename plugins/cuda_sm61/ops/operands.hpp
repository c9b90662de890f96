// The operands of one run, checked against what its kernel expects, and where they lie on the device.
#pragma once

#include "plugins/cuda_sm61/device/buffers.hpp"

#include <belay/ext/compute.h>

#include <array>
#include <cstdint>
#include <span>

namespace belay::cuda {

// What of an operand does not change from run to run.
struct OperandShape {
  enum class Kind {
    kTokens,       // `bytes` for each token, the tokens side by side
    kReadCache,    // [heads, blocks, 64, D] with rows of `bytes`: the positions up to the run's last are read
    kWrittenCache  // the same: the run's positions are written
  };
  Kind kind = Kind::kTokens;
  std::uint64_t bytes = 0;
  std::int64_t heads = 0;  // of a cache
};

// An operand with `count` elements of four bytes for each token.
[[nodiscard]] constexpr OperandShape tokens_of(std::int64_t count) {
  return {OperandShape::Kind::kTokens, 4 * static_cast<std::uint64_t>(count), 0};
}

// Where an operand lies on the device.
struct Place {
  DevicePointer address = 0;
  std::int64_t blocks = 0;  // of a cache: for each head
};

struct Operand {
  const belay_tensor_t* tensor = nullptr;
  OperandShape shape;
  std::uint64_t bytes = 0;  // of the tensor, that a run may touch
  // Of a cache, the blocks of each head that a run touches.
  std::int64_t first_block = 0;
  std::int64_t block_count = 0;

  // What a copy on the device takes of it.
  [[nodiscard]] std::uint64_t copied_bytes() const;
};

class Operands {
 public:
  static constexpr std::size_t kMost = 3;  // inputs, or outputs

  // Checks everything that can be checked without the device; status() says how it went.
  Operands(const belay_run_t& run, std::span<const OperandShape> inputs,
           std::span<const OperandShape> outputs);

  [[nodiscard]] belay_status_t status() const { return status_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::span<const Operand> inputs() const { return {inputs_.data(), input_count_}; }
  [[nodiscard]] std::span<const Operand> outputs() const { return {outputs_.data(), output_count_}; }
  // That a copy of each cache begins with; positions on the device count from there.
  [[nodiscard]] std::int64_t first_block() const;

  // With a stream: finds the place of each operand in its buffer.
  [[nodiscard]] belay_status_t find(const Buffers& buffers, std::span<Place> inputs,
                                    std::span<Place> outputs) const;

 private:
  bool check_tokens();
  bool check(const char* kind, std::size_t index, Operand& operand);
  bool check_cache(const char* kind, std::size_t index, Operand& operand);
  bool find_one(const Buffers& buffers, const Operand& operand, Place& place) const;
  [[gnu::format(printf, 2, 3)]] bool wrong(const char* format, ...);

  const belay_run_t& run_;
  belay_status_t status_ = BELAY_OK;
  std::int64_t tokens_ = 0;
  std::array<Operand, kMost> inputs_{};
  std::array<Operand, kMost> outputs_{};
  std::size_t input_count_;
  std::size_t output_count_;
};

}  // namespace belay::cuda
