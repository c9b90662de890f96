#include "core/base/json.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <exception>
#include <vector>

namespace belay {
namespace {

// Builds the tree from the parser's events. Members are appended without nlohmann's search for an equal key,
// which is linear for ordered objects; equal keys are found by sorting when the object ends. (A vocabulary
// has 150 000 keys.)
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit TreeBuilder(const JsonLimits& limits) : limits_(limits) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& digits) override {
    // The parser hands integers beyond 64 bits here; as a float they would silently lose digits.
    if (digits.find_first_of(".eE") != string_t::npos) return add(value);
    return refuse(format("the integer {} does not fit 64 bits", printable(digits, 40)));
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : open_.back()->get_ref<const Json::object_t&>()) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
      return refuse(format("the key \"{}\" stands twice in one object", printable(*twice)));
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return refuse(format("byte {}: {}", position, printable(error.what(), 300)));
  }

 private:
  // Puts a value where the text stands and returns its place, which stays valid while its own children are
  // added.
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    auto& members = parent.get_ref<Json::object_t&>();
    members.emplace_back(std::move(key_), std::move(value));
    return &members.back().second;
  }

  bool add(Json value) {
    if (!count()) return false;
    place(std::move(value));
    return true;
  }

  bool count() {
    if (++values_ <= limits_.max_values) return true;
    return refuse(format("more than {} values", limits_.max_values));
  }

  bool open(Json container) {
    if (open_.size() == limits_.max_depth)
      return refuse(format("nested more than {} levels deep", limits_.max_depth));
    if (!count()) return false;
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;
  std::string key_;
  std::size_t values_ = 0;
  std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, ErrorCode error, const JsonLimits& limits) {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return fail(error, "not valid JSON: byte {} is not valid UTF-8", bad + 1);
  }
  try {
    TreeBuilder builder(limits);
    if (!Json::sax_parse(text, &builder)) return fail(error, "not valid JSON: {}", builder.problem());
    return builder.take();
  } catch (const std::exception& exception) {  // out of memory
    return fail(error, "not readable as JSON: {}", exception.what());
  }
}

std::string to_line(const Json& value) {
  try {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  } catch (const std::exception&) {  // out of memory
    return "null";
  }
}

}  // namespace belay
