#include "host/logits_dump.hpp"

#include "core/formats/safetensors_writer.hpp"

#include <array>

namespace belay::host {

Status LogitsDump::write(const std::filesystem::path& path, std::span<const std::int32_t> ids) const {
  formats::SafetensorsWriter writer;
  const std::vector<std::int64_t> wide(ids.begin(), ids.end());
  const std::array<std::uint64_t, 1> id_shape = {ids.size()};
  const std::array<std::uint64_t, 2> shape = {ids.size(), vocab_};
  BELAY_TRY(writer.add("input_ids", id_shape, wide));
  BELAY_TRY(writer.add("logits", shape, std::span(rows_).first(ids.size() * vocab_)));
  return writer.write(path);
}

}  // namespace belay::host
