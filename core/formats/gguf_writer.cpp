#include "core/formats/gguf_writer.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/formats/byte_writer.hpp"

#include <array>
#include <cassert>
#include <optional>
#include <type_traits>
#include <utility>

namespace belay::formats {
namespace {

void pad(Bytes& out, std::uint32_t alignment) {
  out.resize((out.size() + alignment - 1) / alignment * alignment);
}

std::optional<std::uint64_t> bytes_of_shape(DType dtype, std::span<const std::uint64_t> shape) {
  if (shape.empty() || shape.size() > kMaxGgufDims) return std::nullopt;
  const std::optional<std::uint64_t> row = row_bytes(dtype, shape.back());
  if (!row) return std::nullopt;
  CheckedU64 bytes = *row;
  for (const std::uint64_t dim : shape.first(shape.size() - 1)) bytes *= dim;
  return bytes.value();
}

}  // namespace

GgufWriter::GgufWriter(std::uint32_t alignment) : alignment_(alignment) {
  if (alignment != kDefaultGgufAlignment) add_u32("general.alignment", alignment);
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  add_head(key, GgufType::kU32);
  put(entries_, value);
}

void GgufWriter::add_u64(std::string_view key, std::uint64_t value) {
  add_head(key, GgufType::kU64);
  put(entries_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  add_head(key, GgufType::kF32);
  put(entries_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  add_head(key, GgufType::kBool);
  put(entries_, std::uint8_t{value});
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  add_head(key, GgufType::kString);
  put_string(entries_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  add_array_head(key, GgufType::kString, values.size());
  for (const std::string& value : values) put_string(entries_, value);
}

void GgufWriter::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  add_array_head(key, GgufType::kI32, values.size());
  put_bytes(entries_, std::as_bytes(values));
}

void GgufWriter::add_f32s(std::string_view key, std::span<const float> values) {
  add_array_head(key, GgufType::kF32, values.size());
  put_bytes(entries_, std::as_bytes(values));
}

void GgufWriter::add_bools(std::string_view key, const std::vector<bool>& values) {
  add_array_head(key, GgufType::kBool, values.size());
  for (const bool value : values) put(entries_, std::uint8_t{value});
}

Status GgufWriter::declare_tensor(std::string_view name, DType dtype, std::span<const std::uint64_t> shape) {
  const std::optional<std::uint32_t> type = ggml_of_dtype(dtype);
  const std::uint64_t bytes = bytes_of_shape(dtype, shape).value_or(0);
  const std::optional<std::uint64_t> end = (CheckedU64(data_bytes_) + bytes).align_up(alignment_).value();
  if (!type || bytes == 0 || !end) {
    return fail(ErrorCode::kGeneral, "tensor '{}': no GGUF tensor has type {} and shape [{}]",
                printable(name), to_string(dtype), join(shape, ", "));
  }
  put_string(infos_, name);
  put(infos_, static_cast<std::uint32_t>(shape.size()));
  for (std::size_t i = shape.size(); i > 0; --i) put(infos_, shape[i - 1]);
  put(infos_, *type);
  put(infos_, data_bytes_);
  tensors_.push_back({std::string(name), bytes, {}});
  data_bytes_ = *end;
  return {};
}

Status GgufWriter::add_tensor(std::string_view name, DType dtype, std::span<const std::uint64_t> shape,
                              std::span<const std::byte> data) {
  if (bytes_of_shape(dtype, shape) != data.size()) {
    return fail(ErrorCode::kGeneral, "tensor '{}': {} bytes are no GGUF tensor of type {} and shape [{}]",
                printable(name), data.size(), to_string(dtype), join(shape, ", "));
  }
  BELAY_TRY(declare_tensor(name, dtype, shape));
  tensors_.back().data = data;
  return {};
}

std::vector<std::byte> GgufWriter::header() const {
  Bytes out;
  put_bytes(out, std::as_bytes(std::span(std::string_view("GGUF"))));
  put(out, std::uint32_t{3});
  put(out, std::uint64_t{tensors_.size()});
  put(out, n_entries_);
  put_bytes(out, entries_);
  put_bytes(out, infos_);
  pad(out, alignment_);
  return out;
}

std::vector<std::byte> GgufWriter::to_bytes() const {
  Bytes out = header();
  out.reserve(out.size() + data_bytes_);
  for (const Tensor& tensor : tensors_) {
    assert(tensor.data.size() == tensor.bytes);
    put_bytes(out, tensor.data);
    pad(out, alignment_);
  }
  return out;
}

void GgufWriter::add_head(std::string_view key, GgufType type) {
  put_string(entries_, key);
  put(entries_, static_cast<std::uint32_t>(type));
  ++n_entries_;
}

void GgufWriter::add_array_head(std::string_view key, GgufType element, std::size_t count) {
  add_head(key, GgufType::kArray);
  put(entries_, static_cast<std::uint32_t>(element));
  put(entries_, std::uint64_t{count});
}

GgufFileWriter::GgufFileWriter(Replacement file, const GgufWriter& description)
    : file_(std::move(file)), alignment_(description.alignment_), tensors_(description.tensors_) {}

Result<GgufFileWriter> GgufFileWriter::begin(const std::filesystem::path& path,
                                             const GgufWriter& description) {
  const std::vector<std::byte> header = description.header();
  BELAY_TRY_ASSIGN(Replacement file, Replacement::begin(path, header.size() + description.data_bytes_));
  BELAY_TRY(file.write(header));
  return GgufFileWriter(std::move(file), description);
}

Status GgufFileWriter::append(std::string_view name, std::span<const std::byte> data) {
  const bool is_known = current_ < tensors_.size() && tensors_[current_].name == name;
  if (!is_known || data.size() > tensors_[current_].bytes - written_) {
    return fail(ErrorCode::kGeneral, "{}: {} bytes of tensor '{}' where {} belong",
                printable(file_.path().string(), 400), data.size(), printable(name), missing());
  }
  BELAY_TRY(file_.write(data));
  written_ += data.size();
  if (written_ < tensors_[current_].bytes) return {};
  constexpr std::array<std::byte, kMaxGgufAlignment> kZeros = {};
  const std::uint64_t padding = (alignment_ - written_ % alignment_) % alignment_;
  ++current_;
  written_ = 0;
  return file_.write(std::span(kZeros).first(padding));
}

Status GgufFileWriter::finish() {
  if (current_ == tensors_.size()) return file_.commit();
  return fail(ErrorCode::kGeneral, "{}: ends where {} belong", printable(file_.path().string(), 400),
              missing());
}

std::string GgufFileWriter::missing() const {
  if (current_ == tensors_.size()) return "no more bytes";
  const GgufWriter::Tensor& tensor = tensors_[current_];
  return format("{} bytes of tensor '{}'", tensor.bytes - written_, printable(tensor.name));
}

}  // namespace belay::formats
