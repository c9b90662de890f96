#include "core/tokenizer/generation_config.hpp"

#include "core/base/format.hpp"
#include "core/base/json_fields.hpp"
#include "core/base/text.hpp"

namespace belay::tokenizer {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxEnds = 64;  // each token of an answer is compared with all of them

struct Range {
  float least;
  float most;
  bool with_least = true;

  [[nodiscard]] bool has(float value) const {
    return (with_least ? value >= least : value > least) && value <= most;
  }
};

Status read_float(const JsonFields& fields, std::string_view key, const Range& range,
                  std::optional<float>& out) {
  BELAY_TRY_ASSIGN(const std::optional<double> value, fields.number(key));
  if (!value) return {};
  out = static_cast<float>(*value);
  if (range.has(*out)) return {};  // as a float: the smallest doubles become 0
  return fail(ErrorCode::kBadInput, "{} is {}; it must be {} {} and at most {}", fields.name(key), *value,
              range.with_least ? "at least" : "above", range.least, range.most);
}

Status read_top_k(const JsonFields& fields, std::optional<std::int32_t>& out) {
  constexpr std::string_view kKey = "top_k";
  const Json* value = fields.find(kKey);
  if (value == nullptr) return {};
  out = whole_number(*value);
  if (out) return {};
  return fail(ErrorCode::kBadInput, "{} is {}; it must be a whole number from 0 (all) on", fields.name(kKey),
              printable(to_line(*value)));
}

// A number, or a list of them.
Result<std::vector<std::int32_t>> read_ends(const JsonFields& fields) {
  constexpr std::string_view kKey = "eos_token_id";
  std::vector<std::int32_t> ends;
  const Json* value = fields.find(kKey);
  if (value == nullptr) return ends;
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > kMaxEnds) {
    return fail(ErrorCode::kBadInput, "{} has {} ids; the limit is {}", fields.name(kKey), list.size(),
                kMaxEnds);
  }
  for (const Json& item : list) {
    const auto id = whole_number(item);
    if (!id) {
      return fail(ErrorCode::kBadInput, "{} is {}; token ids belong there", fields.name(kKey),
                  printable(to_line(*value)));
    }
    ends.push_back(*id);
  }
  return ends;
}

Result<GenerationDefaults> read_defaults(const JsonFields& fields) {
  GenerationDefaults defaults;
  BELAY_TRY_ASSIGN(defaults.ends, read_ends(fields));
  BELAY_TRY_ASSIGN(defaults.do_sample, fields.flag_or("do_sample", false));
  BELAY_TRY(read_float(fields, "temperature", {0, 100}, defaults.temperature));
  BELAY_TRY(read_top_k(fields, defaults.top_k));
  BELAY_TRY(read_float(fields, "top_p", {0, 1, false}, defaults.top_p));
  BELAY_TRY(read_float(fields, "min_p", {0, 1}, defaults.min_p));
  BELAY_TRY(read_float(fields, "repetition_penalty", {0, 10, false}, defaults.repetition_penalty));
  return defaults;
}

}  // namespace

Result<GenerationDefaults> read_generation_defaults(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "generation_config.json";
  BELAY_TRY_ASSIGN(const std::optional<Json> json, read_object(path, kMaxFileBytes));
  if (!json) return GenerationDefaults();
  const std::string file = path.string();
  return read_defaults(JsonFields(*json, file));
}

}  // namespace belay::tokenizer
