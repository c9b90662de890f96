#include "core/formats/safetensors_index.hpp"

#include "core/base/format.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/formats/byte_reader.hpp"

#include <algorithm>
#include <map>

namespace belay::formats {
namespace {

constexpr std::size_t kMaxShards = 4096;
constexpr std::size_t kMaxFileNameBytes = 255;
constexpr std::size_t kMaxDepth = 16;

// Names from a file never become paths: no folder, no "..", nothing hidden, no control characters.
bool is_plain_file_name(std::string_view name) {
  const auto is_odd = [](char letter) {
    return letter == '/' || letter == '\\' || static_cast<unsigned char>(letter) < 0x20;
  };
  return name.size() <= kMaxFileNameBytes && name.ends_with(".safetensors") && !name.starts_with('.') &&
         std::none_of(name.begin(), name.end(), is_odd);
}

// Takes the parser's events. An index is {"weight_map": {"tensor": "file", ...}, ...}; what else it has, such
// as "metadata", may be anything.
class IndexEvents final : public nlohmann::json_sax<Json> {
 public:
  explicit IndexEvents(SafetensorsIndex& index) : index_(index) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool seen_map() const { return seen_map_; }

  bool start_object(std::size_t /*elements*/) override {
    if (depth_ == 1 && at_map_) {
      if (seen_map_) return refuse("weight_map occurs twice");
      seen_map_ = in_map_ = true;
    } else if (in_map_) {
      return refuse_value();
    }
    return open();
  }
  bool end_object() override {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }
  bool key(string_t& text) override {
    if (depth_ == 1) at_map_ = text == "weight_map";
    if (in_map_) tensor_ = std::move(text);
    return true;
  }
  bool string(string_t& text) override {
    if (!in_map_) return value();
    if (tensor_.empty() || tensor_.size() > kMaxNameBytes)
      return refuse(format("a tensor name of {} bytes; 1 to {} are allowed", tensor_.size(), kMaxNameBytes));
    if (!is_plain_file_name(text)) {
      return refuse(format("tensor '{}' is said to be in '{}', which is no plain name of a .safetensors file",
                           printable(tensor_), printable(text)));
    }
    const auto [at, is_new] = shards_.try_emplace(text, static_cast<std::uint32_t>(index_.shards.size()));
    if (is_new && index_.shards.size() == kMaxShards) return refuse(format("more than {} files", kMaxShards));
    if (is_new) index_.shards.push_back(text);
    index_.entries.push_back({std::move(tensor_), at->second});
    return true;
  }

  bool start_array(std::size_t /*elements*/) override { return value() && open(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool null() override { return value(); }
  bool boolean(bool /*value*/) override { return value(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return value(); }
  bool number_integer(number_integer_t /*value*/) override { return value(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return value(); }
  bool binary(binary_t& /*value*/) override { return value(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& e) override {
    return refuse(format("it is no valid JSON at byte {}: {}", position, printable(e.what(), 200)));
  }

 private:
  bool open() {
    if (++depth_ > kMaxDepth) return refuse(format("nested more than {} levels deep", kMaxDepth));
    return true;
  }
  // A value that is no object and no name of a file.
  bool value() {
    if (in_map_) return refuse_value();
    if (depth_ == 0) return refuse("it is no object");
    return depth_ > 1 || !at_map_ || refuse("weight_map is no object");
  }
  bool refuse_value() {
    return refuse(format("weight_map gives no file name for tensor '{}'", printable(tensor_)));
  }
  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  SafetensorsIndex& index_;
  std::map<std::string, std::uint32_t, std::less<>> shards_;
  std::size_t depth_ = 0;  // of the objects and arrays that are open
  bool at_map_ = false;    // the last key of the outer object was weight_map
  bool in_map_ = false;
  bool seen_map_ = false;
  std::string tensor_;
  std::string problem_;
};

Error about(std::string_view file, std::string_view problem) {
  return fail(ErrorCode::kBadInput, "{}: not an index of safetensors files: {}", printable(file, 400),
              problem);
}

}  // namespace

Result<SafetensorsIndex> parse_safetensors_index(std::string_view text, std::string_view file) {
  if (text.size() > kMaxIndexBytes)
    return about(file, format("it has {} bytes, at most {} are read", text.size(), kMaxIndexBytes));
  SafetensorsIndex index;
  IndexEvents events(index);
  if (!Json::sax_parse(text.begin(), text.end(), &events)) return about(file, events.problem());
  if (!events.seen_map()) return about(file, "it has no weight_map");
  if (index.entries.empty()) return about(file, "its weight_map is empty");
  const auto by_tensor = [](const auto& a, const auto& b) { return a.tensor < b.tensor; };
  std::sort(index.entries.begin(), index.entries.end(), by_tensor);
  const auto same = [](const auto& a, const auto& b) { return a.tensor == b.tensor; };
  const auto twice = std::adjacent_find(index.entries.begin(), index.entries.end(), same);
  if (twice != index.entries.end())
    return about(file, format("tensor '{}' occurs twice", printable(twice->tensor)));
  return index;
}

}  // namespace belay::formats
