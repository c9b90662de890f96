#include "core/formats/gguf_tensors.hpp"

#include "core/base/checked.hpp"
#include "core/base/text.hpp"
#include "core/formats/gguf_types.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

namespace belay::formats {
namespace {

// Length, one byte of name, number of dimensions, one dimension, type, offset.
constexpr std::uint64_t kMinInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;

// Where a tensor's data lies, in bytes from the start of the data.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

Status read_shape(ByteReader& reader, TensorView& tensor) {
  const std::uint64_t start = reader.offset();
  BELAY_TRY_ASSIGN(const auto n_dims, reader.number<std::uint32_t>("the number of dimensions"));
  if (n_dims == 0 || n_dims > kMaxGgufDims) {
    return reader.error_at(start, "{} dimensions, a tensor has 1 to {}", n_dims, kMaxGgufDims);
  }
  tensor.shape.resize(n_dims);
  for (std::uint32_t i = 0; i < n_dims; ++i) {
    BELAY_TRY_ASSIGN(tensor.shape[n_dims - 1 - i], reader.number<std::uint64_t>("a dimension"));
  }
  return {};
}

Status read_dtype(ByteReader& reader, TensorView& tensor) {
  const std::uint64_t start = reader.offset();
  BELAY_TRY_ASSIGN(const auto number, reader.number<std::uint32_t>("the type of a tensor"));
  const std::optional<DType> dtype = dtype_of_ggml(number);
  if (!dtype) {
    return reader.error_at(start,
                           "the type {} is not supported; Belay reads {}: use a file of one of these types",
                           ggml_type_name(number), supported_ggml_types());
  }
  tensor.dtype = *dtype;
  return {};
}

// Bytes of the whole tensor. Products stay below 2^63, so that shapes fit the signed numbers of the plugin
// boundary.
Result<std::uint64_t> tensor_bytes(const ByteReader& reader, std::uint64_t start, const TensorView& tensor) {
  const std::uint64_t row = tensor.shape.back();
  const DTypeInfo& type = info(tensor.dtype);
  if (row % type.block_elems != 0) {
    return reader.error_at(start, "rows of {} elements are not whole blocks of {} ({} elements each)", row,
                           type.name, type.block_elems);
  }
  CheckedU64 elements = 1;
  for (const std::uint64_t dim : tensor.shape) elements *= dim;
  const CheckedU64 bytes = CheckedU64(elements.value().value_or(0) / type.block_elems) * type.block_bytes;
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!elements.fits(kMost) || !bytes.fits(kMost)) {
    return reader.error_at(start, "the shape [{}] is larger than any file", join(tensor.shape, ", "));
  }
  if (*elements.value() == 0)
    return reader.error_at(start, "the shape [{}] has no elements", join(tensor.shape, ", "));
  return *bytes.value();
}

Status read_body(ByteReader& reader, TensorView& tensor, Extent& extent, std::uint32_t alignment) {
  const std::uint64_t start = reader.offset();
  BELAY_TRY(read_shape(reader, tensor));
  BELAY_TRY(read_dtype(reader, tensor));
  BELAY_TRY_ASSIGN(extent.bytes, tensor_bytes(reader, start, tensor));
  BELAY_TRY_ASSIGN(extent.offset, reader.number<std::uint64_t>("the offset of a tensor"));
  if (extent.offset % alignment != 0) {
    return reader.error_at(start, "the data offset {} is no multiple of the alignment {}", extent.offset,
                           alignment);
  }
  return {};
}

Error about_tensor(const Error& error, std::string_view name) {
  return Error{error.code, format("{} (tensor '{}')", error.message, printable(name))};
}

Status read_info(ByteReader& reader, TensorView& tensor, Extent& extent, std::uint32_t alignment) {
  BELAY_TRY_ASSIGN(tensor.name, reader.name("a tensor name"));
  const Status body = read_body(reader, tensor, extent, alignment);
  return body.ok() ? Status() : about_tensor(body.error(), tensor.name);
}

Status locate(const ByteReader& reader, TensorView& tensor, const Extent& extent, CheckedU64 data_start) {
  const CheckedU64 first = data_start + extent.offset;
  const CheckedU64 end = first + extent.bytes;
  if (!end.fits(reader.all().size())) {
    return about_tensor(
        reader.error_at(reader.offset(),
                        "a tensor of {} bytes at offset {} ends behind the file's {} bytes; the "
                        "download may be incomplete: fetch the file again",
                        extent.bytes, extent.offset, reader.all().size()),
        tensor.name);
  }
  tensor.data = reader.all().subspan(*first.value(), extent.bytes);
  return {};
}

template <class Less>
std::vector<std::uint32_t> sorted_indices(std::size_t count, Less less) {
  std::vector<std::uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0U);
  std::sort(indices.begin(), indices.end(), less);
  return indices;
}

Status check_overlap(const ByteReader& reader, std::span<const TensorView> tensors) {
  const auto by_place = sorted_indices(tensors.size(), [&](std::uint32_t a, std::uint32_t b) {
    return tensors[a].data.data() < tensors[b].data.data();
  });
  for (std::size_t i = 1; i < by_place.size(); ++i) {
    const TensorView& before = tensors[by_place[i - 1]];
    const TensorView& behind = tensors[by_place[i]];
    if (before.data.data() + before.data.size() > behind.data.data()) {
      return reader.error_at(static_cast<std::uint64_t>(behind.data.data() - reader.all().data()),
                             "the data of the tensors '{}' and '{}' overlap; the file is broken",
                             printable(before.name), printable(behind.name));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TensorView>> parse_tensors(ByteReader& reader, std::uint64_t count,
                                              std::uint32_t alignment) {
  if (count > kMaxGgufTensors || !(CheckedU64(count) * kMinInfoBytes).fits(reader.left())) {
    return reader.error_at(
        reader.offset(),
        "the file claims {} tensors, {} bytes are left and at most {} tensors are read; the file is "
        "damaged or incomplete: fetch it again",
        count, reader.left(), kMaxGgufTensors);
  }
  std::vector<TensorView> tensors(count);
  std::vector<Extent> extents(count);
  for (std::size_t i = 0; i < count; ++i) BELAY_TRY(read_info(reader, tensors[i], extents[i], alignment));
  const CheckedU64 data_start = CheckedU64(reader.offset()).align_up(alignment);
  for (std::size_t i = 0; i < count; ++i) BELAY_TRY(locate(reader, tensors[i], extents[i], data_start));
  BELAY_TRY(check_overlap(reader, tensors));
  return tensors;
}

Result<std::vector<std::uint32_t>> index_by_name(const ByteReader& reader,
                                                 std::span<const TensorView> tensors) {
  auto indices = sorted_indices(
      tensors.size(), [&](std::uint32_t a, std::uint32_t b) { return tensors[a].name < tensors[b].name; });
  for (std::size_t i = 1; i < indices.size(); ++i) {
    const std::string_view name = tensors[indices[i]].name;
    if (tensors[indices[i - 1]].name == name) {
      return reader.error_at(reader.offset(), "the tensor name '{}' occurs twice; the file is broken",
                             printable(name));
    }
  }
  return indices;
}

}  // namespace belay::formats
