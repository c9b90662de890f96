// The logits of a run, kept for `--dump`: a safetensors file with input_ids i64 [positions] and logits f32
// [positions, vocab].
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace belay::host {

class LogitsDump {
 public:
  // The row behind the next position.
  [[nodiscard]] Status add(std::span<const float> row) {
    rows_.insert(rows_.end(), row.begin(), row.end());
    vocab_ = row.size();
    return {};
  }
  // `ids`: the token at each position; rows beyond them are dropped (a step that was interrupted).
  [[nodiscard]] Status write(const std::filesystem::path& path, std::span<const std::int32_t> ids) const;

 private:
  std::vector<float> rows_;
  std::size_t vocab_ = 0;
};

}  // namespace belay::host
