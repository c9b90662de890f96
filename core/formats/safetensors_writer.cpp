#include "core/formats/safetensors_writer.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/replace_file.hpp"
#include "core/formats/safetensors_header.hpp"

#include <algorithm>
#include <cstring>

namespace belay::formats {
namespace {

constexpr std::string_view kMetadata = "__metadata__";

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != kMetadata &&
         find_invalid_utf8(name) == std::string_view::npos;
}

}  // namespace

Status SafetensorsWriter::add(std::string_view name, std::span<const std::uint64_t> shape,
                              std::span<const float> values) {
  return add_bytes(name, DType::kF32, shape, std::as_bytes(values));
}

Status SafetensorsWriter::add(std::string_view name, std::span<const std::uint64_t> shape,
                              std::span<const std::int32_t> values) {
  return add_bytes(name, DType::kI32, shape, std::as_bytes(values));
}

Status SafetensorsWriter::add(std::string_view name, std::span<const std::uint64_t> shape,
                              std::span<const std::int64_t> values) {
  return add_bytes(name, DType::kI64, shape, std::as_bytes(values));
}

Status SafetensorsWriter::add(std::string_view name, std::span<const std::uint64_t> shape,
                              std::span<const std::uint8_t> values) {
  return add_bytes(name, DType::kU8, shape, std::as_bytes(values));
}

Status SafetensorsWriter::add_bytes(std::string_view name, DType dtype, std::span<const std::uint64_t> shape,
                                    std::span<const std::byte> bytes) {
  const auto taken = [&](const Tensor& tensor) { return tensor.name == name; };
  if (!is_valid_name(name) || std::any_of(tensors_.begin(), tensors_.end(), taken)) {
    return fail(ErrorCode::kGeneral, "tensor '{}': not a new name of 1 to {} bytes of UTF-8", printable(name),
                kMaxNameBytes);
  }
  CheckedU64 expected = info(dtype).block_bytes;
  for (const std::uint64_t dim : shape) expected *= dim;
  if (safetensors_name(dtype).empty() || expected.value() != bytes.size()) {
    return fail(ErrorCode::kGeneral, "tensor '{}': {} bytes are no {} of shape [{}]", printable(name),
                bytes.size(), to_string(dtype), join(shape, ", "));
  }
  const auto place = std::upper_bound(
      tensors_.begin(), tensors_.end(), info(dtype).block_bytes,
      [](std::uint32_t width, const Tensor& tensor) { return width > info(tensor.dtype).block_bytes; });
  tensors_.insert(place,
                  {std::string(name), dtype, {shape.begin(), shape.end()}, {bytes.begin(), bytes.end()}});
  return {};
}

void SafetensorsWriter::set_attribute(std::string_view key, std::string_view text) {
  for (auto& [name, value] : attributes_) {
    if (name == key) {
      value = text;
      return;
    }
  }
  attributes_.emplace_back(key, text);
}

std::string SafetensorsWriter::header() const {
  Json json = Json::object();
  if (!attributes_.empty()) {
    Json& metadata = json[kMetadata.data()] = Json::object();
    for (const auto& [key, text] : attributes_) metadata[key] = text;
  }
  std::uint64_t at = 0;
  for (const Tensor& tensor : tensors_) {
    const std::uint64_t end = at + tensor.bytes.size();
    json[tensor.name] = {
        {"dtype", safetensors_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = to_line(json);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out + text;
}

Status SafetensorsWriter::write(const std::filesystem::path& path) const {
  const std::string head = header();
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(head))};
  for (const Tensor& tensor : tensors_) pieces.emplace_back(tensor.bytes);
  return replace_file(path, pieces);
}

}  // namespace belay::formats
