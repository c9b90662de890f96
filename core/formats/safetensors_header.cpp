#include "core/formats/safetensors_header.hpp"

#include "core/base/format.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace belay::formats {
namespace {

constexpr std::size_t kMaxTensors = 65'536;
constexpr std::size_t kMaxAttributes = 65'536;
constexpr std::size_t kMaxDims = 8;
constexpr std::size_t kMaxNameBytes = 1024;

struct TypeName {
  std::string_view name;
  DType dtype;
};

constexpr std::array<TypeName, 6> kTypeNames = {{
    {"F32", DType::kF32},
    {"F16", DType::kF16},
    {"BF16", DType::kBF16},
    {"I32", DType::kI32},
    {"I64", DType::kI64},
    {"U8", DType::kU8},
}};

std::optional<DType> dtype_of(std::string_view name) {
  for (const TypeName& row : kTypeNames) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

// Takes the parser's events. A header is exactly {"name": {"dtype": "F32", "shape": [n...], "data_offsets":
// [b, e]}, ...} and at most one "__metadata__": {"key": "text", ...}; the first event that does not fit stops
// the parser.
class HeaderEvents final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderEvents(SafetensorsHeader& header) : header_(header) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }

  bool start_object(std::size_t /*elements*/) override {
    if (place_ == Place::kStart) return enter(Place::kTop);
    if (place_ == Place::kMetadataKey) return enter(Place::kMetadata);
    if (place_ == Place::kTensorKey) return enter(Place::kTensor);
    return refuse("an object where none belongs");
  }

  bool end_object() override {
    if (place_ == Place::kTensor && !complete(header_.tensors.back())) {
      return refuse("a tensor needs dtype, shape and two data_offsets");
    }
    return enter(place_ == Place::kTop ? Place::kEnd : Place::kTop);
  }

  bool key(string_t& text) override {
    if (place_ == Place::kTop) return start_entry(text);
    if (place_ == Place::kMetadata) {
      if (header_.attributes.size() >= kMaxAttributes) return refuse("too many entries in __metadata__");
      header_.attributes.emplace_back(text, std::string());
      return enter(Place::kMetadataValue);
    }
    if (text == "dtype") return enter(Place::kDtype);
    if (text == "shape") return enter(Place::kShape);
    if (text == "data_offsets") return enter(Place::kOffsets);
    return refuse(format("the unknown field '{}'", printable(text)));
  }

  bool string(string_t& text) override {
    if (place_ == Place::kMetadataValue) {
      header_.attributes.back().second = text;
      return enter(Place::kMetadata);
    }
    SafetensorsInfo* tensor = place_ == Place::kDtype ? &header_.tensors.back() : nullptr;
    if (tensor == nullptr) return refuse("a string where none belongs");
    if (tensor->dtype) return refuse("dtype occurs twice");
    tensor->dtype = dtype_of(text);
    if (!tensor->dtype)
      return refuse(format("dtype '{}' is not one of F32, F16, BF16, I32, I64, U8", printable(text)));
    return enter(Place::kTensor);
  }

  bool start_array(std::size_t /*elements*/) override {
    if (place_ == Place::kShape) {
      if (header_.tensors.back().has_shape) return refuse("shape occurs twice");
      header_.tensors.back().has_shape = true;
      return enter(Place::kShapeItems);
    }
    if (place_ != Place::kOffsets) return refuse("an array where none belongs");
    if (!header_.tensors.back().offsets.empty()) return refuse("data_offsets occurs twice");
    return enter(Place::kOffsetItems);
  }

  bool number_unsigned(number_unsigned_t number) override {
    const bool is_dim = place_ == Place::kShapeItems;
    if (!is_dim && place_ != Place::kOffsetItems) return refuse("a number where none belongs");
    auto& list = is_dim ? header_.tensors.back().shape : header_.tensors.back().offsets;
    if (list.size() >= (is_dim ? kMaxDims : 2)) return refuse("a list of numbers is too long");
    list.push_back(number);
    return true;
  }

  bool end_array() override { return enter(Place::kTensor); }

  bool null() override { return refuse("null"); }
  bool boolean(bool /*value*/) override { return refuse("a bool"); }
  bool number_integer(number_integer_t /*value*/) override { return refuse("a negative number"); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return refuse("a number that is not a whole number below 2^64");
  }
  bool binary(binary_t& /*value*/) override { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& e) override {
    return refuse(
        format("it is no valid JSON at byte {} of the header: {}", position, printable(e.what(), 200)));
  }

 private:
  // Which event may come next.
  enum class Place {
    kStart,
    kTop,
    kMetadataKey,
    kMetadata,
    kMetadataValue,
    kTensorKey,
    kTensor,
    kDtype,
    kShape,
    kShapeItems,
    kOffsets,
    kOffsetItems,
    kEnd,
  };

  static bool complete(const SafetensorsInfo& tensor) {
    return tensor.dtype && tensor.has_shape && tensor.offsets.size() == 2;
  }

  bool enter(Place place) {
    place_ = place;
    return true;
  }

  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  bool start_entry(const std::string& name) {
    if (name == "__metadata__") {
      if (seen_metadata_) return refuse("__metadata__ occurs twice");
      seen_metadata_ = true;
      return enter(Place::kMetadataKey);
    }
    if (name.empty() || name.size() > kMaxNameBytes) {
      return refuse(format("a tensor name of {} bytes; 1 to {} are allowed", name.size(), kMaxNameBytes));
    }
    if (header_.tensors.size() >= kMaxTensors) return refuse(format("more than {} tensors", kMaxTensors));
    header_.tensors.emplace_back().name = name;
    return enter(Place::kTensorKey);
  }

  SafetensorsHeader& header_;
  Place place_ = Place::kStart;
  bool seen_metadata_ = false;
  std::string problem_;
};

std::optional<std::string_view> repeated_key(
    std::span<const std::pair<std::string, std::string>> attributes) {
  std::vector<std::string_view> keys;
  for (const auto& [key, text] : attributes) keys.emplace_back(key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  return twice == keys.end() ? std::nullopt : std::optional(*twice);
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view text, std::string_view file) {
  SafetensorsHeader header;
  HeaderEvents events(header);
  if (!Json::sax_parse(text.begin(), text.end(), &events)) {
    return fail(
        ErrorCode::kBadInput, "{}: the header is not that of a safetensors file: {}{}", printable(file, 400),
        events.problem(),
        header.tensors.empty() ? "" : format(" (tensor '{}')", printable(header.tensors.back().name)));
  }
  if (const auto twice = repeated_key(header.attributes)) {
    return fail(ErrorCode::kBadInput, "{}: the key '{}' of __metadata__ occurs twice", printable(file, 400),
                printable(*twice));
  }
  return header;
}

std::string_view safetensors_name(DType dtype) {
  for (const TypeName& row : kTypeNames) {
    if (row.dtype == dtype) return row.name;
  }
  return {};
}

}  // namespace belay::formats
