#include "core/formats/safetensors.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/safetensors_header.hpp"

#include <algorithm>
#include <utility>

namespace belay::formats {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

Result<std::string_view> read_header_text(ByteReader& reader) {
  BELAY_TRY_ASSIGN(const auto length, reader.number<std::uint64_t>("the length of the header"));
  if (length > kMaxHeaderBytes) {
    return reader.error_at(0, "the header claims {} bytes, at most {} are allowed; not a safetensors file?",
                           length, kMaxHeaderBytes);
  }
  BELAY_TRY_ASSIGN(const auto header, reader.bytes(length, "the header"));
  if (header.empty() || header[0] != std::byte{'{'}) {
    return reader.error_at(sizeof length, "the header does not start with '{{'; not a safetensors file");
  }
  return std::string_view(reinterpret_cast<const char*>(header.data()), header.size());
}

Error about(std::string_view file, const SafetensorsInfo& tensor, std::string_view problem) {
  return fail(ErrorCode::kBadInput, "{}: tensor '{}': {}", printable(file, 400), printable(tensor.name),
              problem);
}

// The bytes of the tensor inside `data`, or why not.
Result<Bytes> data_of(const SafetensorsInfo& tensor, Bytes data, std::string_view file) {
  CheckedU64 bytes = info(*tensor.dtype).block_bytes;
  for (const std::uint64_t dim : tensor.shape) bytes *= dim;
  const std::uint64_t begin = tensor.offsets[0];
  const std::uint64_t end = tensor.offsets[1];
  if (begin > end)
    return about(file, tensor, format("data_offsets [{}, {}] end before they begin", begin, end));
  if (bytes.value() != end - begin) {
    return about(file, tensor,
                 format("{} bytes do not hold {} of shape [{}]", end - begin, to_string(*tensor.dtype),
                        join(tensor.shape, ", ")));
  }
  if (end > data.size()) {
    return about(
        file, tensor,
        format(
            "its data ends at {}, the file has {} bytes of data; the download may be incomplete: fetch the "
            "file again",
            end, data.size()));
  }
  return data.subspan(begin, end - begin);
}

// Every byte behind the header belongs to exactly one tensor.
Status check_packed(std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges, std::uint64_t size,
                    std::string_view file) {
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t at = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != at) {
      return fail(ErrorCode::kBadInput,
                  "{}: the data of tensors {} at byte {} of the data; the file is broken",
                  printable(file, 400), begin < at ? "overlaps" : "has a hole", std::min(begin, at));
    }
    at = end;
  }
  if (at == size) return {};
  return fail(ErrorCode::kBadInput, "{}: {} bytes behind the last tensor belong to none; the file is broken",
              printable(file, 400), size - at);
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  BELAY_TRY_ASSIGN(MappedFile mapping, MappedFile::open(path));
  BELAY_TRY_ASSIGN(SafetensorsFile file, parse(mapping.bytes(), path.string()));
  file.mapping_ = std::move(mapping);
  for (TensorView& tensor : file.tensors_) tensor.in_file = true;
  return file;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::string_view name) {
  ByteReader reader(bytes, name);
  BELAY_TRY_ASSIGN(const std::string_view text, read_header_text(reader));
  BELAY_TRY_ASSIGN(SafetensorsHeader header, parse_safetensors_header(text, name));
  const Bytes data = bytes.subspan(reader.offset());
  auto& infos = header.tensors;
  std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.name < b.name; });

  SafetensorsFile file;
  file.file_bytes_ = bytes.size();
  file.attributes_ = std::move(header.attributes);
  file.names_.reserve(infos.size());
  file.tensors_.reserve(infos.size());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (SafetensorsInfo& tensor : infos) {
    if (!file.names_.empty() && file.names_.back() == tensor.name)
      return about(name, tensor, "the name occurs twice");
    BELAY_TRY_ASSIGN(const Bytes part, data_of(tensor, data, name));
    ranges.emplace_back(tensor.offsets[0], tensor.offsets[1]);
    file.names_.push_back(std::move(tensor.name));
    file.tensors_.push_back({file.names_.back(), *tensor.dtype, std::move(tensor.shape), part});
  }
  BELAY_TRY(check_packed(std::move(ranges), data.size(), name));
  return file;
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto at = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorView& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

std::optional<std::string_view> SafetensorsFile::attribute(std::string_view key) const {
  for (const auto& [name, value] : attributes_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

}  // namespace belay::formats
