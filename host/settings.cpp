#include "host/settings.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/hardware/cpu_features.hpp"
#include "core/images/image_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace belay::host {
namespace {

Error bad_value(const Options& options, std::string_view name, const std::string& value,
                const std::string& allowed) {
  const std::string& source = options.texts().find(name)->second.source;
  return fail(ErrorCode::kUsage, "--{}: \"{}\" ({}) is not {}", name, printable(value), source, allowed);
}

// A whole text as a number; nothing for anything else around it.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMG";
  unsigned shift = 0;
  if (!text.empty()) {
    const std::size_t unit = kUnits.find(static_cast<char>(text.back() & ~0x20));  // either case
    if (unit != std::string_view::npos) {
      shift = 10 * static_cast<unsigned>(unit + 1);
      text.remove_suffix(1);
    }
  }
  const auto count = parse_number<std::uint64_t>(text);
  if (!count || (*count << shift) >> shift != *count) return std::nullopt;
  return *count << shift;
}

Result<std::string> read_choice(const Options& options, const char* name, const std::string& fallback,
                                std::initializer_list<std::string_view> choices) {
  const auto text = options.text(name);
  if (!text) return fallback;
  if (std::find(choices.begin(), choices.end(), *text) != choices.end()) return *text;
  return bad_value(options, name, *text, format("one of {}", fmt::join(choices, ", ")));
}

std::optional<std::filesystem::path> read_path(const Options& options, const char* name) {
  const auto text = options.text(name);
  return text ? std::optional<std::filesystem::path>(*text) : std::nullopt;
}

Result<std::map<std::string, std::string, std::less<>>> read_plugin_options(const Options& options) {
  std::map<std::string, std::string, std::less<>> settings;
  for (const std::string& text : options.all("plugin-option")) {
    const std::size_t equals = text.find('=');
    const std::size_t dot = text.substr(0, equals).rfind('.');
    if (equals == std::string::npos || dot == std::string::npos || dot == 0) {
      return bad_value(options, "plugin-option", text, "of the form ID.KEY=VALUE");
    }
    settings[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return settings;
}

}  // namespace

Result<std::optional<std::uint64_t>> read_integer(const Options& options, const IntegerOption& option) {
  const auto text = options.text(option.name);
  if (!text) return std::optional<std::uint64_t>();
  const auto value = parse_number<std::uint64_t>(*text);
  if (!value || *value < option.least || *value > option.most) {
    return bad_value(options, option.name, *text,
                     format("an integer from {} to {}", option.least, option.most));
  }
  return std::optional(*value);
}

Result<std::optional<double>> read_number(const Options& options, const char* name) {
  const auto text = options.text(name);
  if (!text) return std::optional<double>();
  const auto value = parse_number<double>(*text);
  if (!value || !std::isfinite(*value)) return bad_value(options, name, *text, "a number");
  return std::optional(*value);
}

Result<std::optional<std::uint64_t>> read_size(const Options& options, const char* name) {
  const auto text = options.text(name);
  if (!text) return std::optional<std::uint64_t>();
  const auto value = parse_size(*text);
  if (!value || *value == 0) return bad_value(options, name, *text, "a size such as 700M, 2G or 1048576");
  return std::optional(*value);
}

Result<std::optional<images::Size>> read_image_size(const Options& options, const char* name) {
  const auto text = options.text(name);
  if (!text) return std::optional<images::Size>();
  const std::size_t x = text->find('x');
  images::Size size;  // stays empty when the text is no size
  if (x != std::string::npos) {
    size = {parse_number<std::uint32_t>(text->substr(x + 1)).value_or(0),
            parse_number<std::uint32_t>(text->substr(0, x)).value_or(0)};
  }
  constexpr std::uint64_t kMostPixels = images::ImageLimits().max_pixels;
  if (size.pixels() == 0 || size.pixels() > kMostPixels) {
    return bad_value(options, name, *text,
                     format("WIDTHxHEIGHT, as 1024x768, of at most {} pixels", kMostPixels));
  }
  return std::optional(size);
}

Result<std::vector<std::string>> read_list(const Options& options, const char* name) {
  std::vector<std::string> parts;
  const auto text = options.text(name);
  if (!text) return parts;
  std::string_view rest = *text;
  for (;;) {
    const std::size_t comma = rest.find(',');
    parts.emplace_back(rest.substr(0, comma));
    if (parts.back().empty()) return bad_value(options, name, *text, "a list of names separated by commas");
    if (comma == std::string_view::npos) return parts;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::optional<std::filesystem::path>> read_output_path(const Options& options, const char* name) {
  const auto path = read_path(options, name);
  if (!path) return path;
  std::error_code ignored;
  // It will be replaced as a whole, which would take a device or a pipe away from everybody.
  if (std::filesystem::exists(*path, ignored) && !std::filesystem::is_regular_file(*path, ignored))
    return bad_value(options, name, path->string(), "a regular file");
  const std::filesystem::path folder = path->has_parent_path() ? path->parent_path() : ".";
  if (!std::filesystem::is_directory(folder, ignored))
    return bad_value(options, name, path->string(), "in a folder that exists");
  return path;
}

Result<CommonSettings> read_common(const Options& options) {
  CommonSettings settings;
  settings.json = options.has("json");
  settings.verbose = options.has("verbose");
  settings.strict = options.has("strict");
  settings.strict_manifests = options.has("strict-manifests");
  settings.require_signatures = options.has("require-signatures");
  settings.use_cache = !options.has("no-cache");
  BELAY_TRY_ASSIGN(const std::string level,
                   read_choice(options, "level", "moderate", {"minimal", "moderate", "aggressive"}));
  settings.level = *manifest::parse_level(level);
  BELAY_TRY_ASSIGN(settings.objective,
                   read_choice(options, "objective", "latency", {"latency", "throughput", "efficiency"}));
  BELAY_TRY_ASSIGN(settings.balance, read_choice(options, "balance", "compute", {"memory", "compute"}));
  BELAY_TRY_ASSIGN(settings.plugins, read_list(options, "plugins"));
  if (const auto mask = options.text("cpu-features")) {
    BELAY_TRY_ASSIGN(settings.hidden_features, hardware::parse_feature_mask(*mask));
  }
  for (const std::string& folder : options.all("plugin-dir")) settings.plugin_dirs.emplace_back(folder);
  settings.manifests = read_path(options, "manifests");
  settings.hardware = read_path(options, "hardware");
  settings.model = read_path(options, "model");
  settings.mmproj = read_path(options, "mmproj");
  if (options.has("quantize")) {
    BELAY_TRY_ASSIGN(const std::string type, read_choice(options, "quantize", "", {"q8_0", "q4_0", "q4_k"}));
    settings.quantize = parse_dtype(type);
  }
  BELAY_TRY_ASSIGN(settings.memory_limit, read_size(options, "memory-limit"));
  BELAY_TRY_ASSIGN(settings.threads, read_integer(options, {"threads", 1, 1024}));
  BELAY_TRY_ASSIGN(settings.context, read_integer(options, {"context", 1, std::uint64_t{1} << 28U}));
  BELAY_TRY_ASSIGN(settings.deadline_s, read_number(options, "deadline"));
  constexpr double kLongestDeadline = 1e9;  // seconds: 30 years
  if (settings.deadline_s && !(*settings.deadline_s > 0 && *settings.deadline_s <= kLongestDeadline)) {
    return bad_value(options, "deadline", *options.text("deadline"), "a number of seconds above 0");
  }
  BELAY_TRY_ASSIGN(settings.plugin_options, read_plugin_options(options));
  return settings;
}

}  // namespace belay::host
