#include "host/config_file.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/base/toml.hpp"
#include "host/paths.hpp"

namespace belay::host {
namespace {

constexpr std::int64_t kMostPriority = 1000;

// Walks the tables of one file; every complaint names the place.
class Reader {
 public:
  Reader(std::string name, Options& options) : name_(std::move(name)), options_(options) {}

  Result<ConfigFile> read(const toml::Table& root) {
    for (const toml::Entry& entry : root) BELAY_TRY(read_table(entry));
    return std::move(file_);
  }

 private:
  [[nodiscard]] Error complain(const toml::Entry& entry, std::string_view what) const {
    return fail(ErrorCode::kUsage, "{}:{}:{}: {} {}", name_, entry.at.line, entry.at.column,
                printable(entry.key), what);
  }

  [[nodiscard]] Result<std::vector<std::string>> names(const toml::Entry& entry) const {
    std::vector<std::string> out;
    const toml::Array* array = entry.value.array();
    if (array == nullptr) return complain(entry, "must be a list of names");
    for (const toml::Value& value : *array) {
      if (value.string() == nullptr) return complain(entry, "must be a list of names");
      out.push_back(*value.string());
    }
    return out;
  }

  Status read_table(const toml::Entry& entry) {
    const toml::Table* table = entry.value.table();
    if (entry.key == "policy" && table != nullptr) return read_policy(*table);
    if (entry.key == "override" && table != nullptr) return read_overrides(*table);
    return complain(entry, "is not [policy] or [override.\"id\"]");
  }

  Status read_policy(const toml::Table& table) {
    for (const toml::Entry& entry : table) BELAY_TRY(read_policy_entry(entry));
    return {};
  }

  Status read_policy_entry(const toml::Entry& entry) {
    if (entry.key == "pin") {
      BELAY_TRY_ASSIGN(file_.pins, names(entry));
      return {};
    }
    if (entry.key == "ban") {
      BELAY_TRY_ASSIGN(file_.bans, names(entry));
      return {};
    }
    if (entry.key == "mode") return read_mode(entry);
    if (entry.key == "lambda") {
      if (entry.value.integer() == nullptr || *entry.value.integer() < 0)
        return complain(entry, "must be an integer from 0");
      if (file_.weighted_lambda) file_.weighted_lambda = *entry.value.integer();
      return {};
    }
    if (entry.key == "fallback") return read_fallback(entry);
    return read_option(entry);
  }

  Status read_mode(const toml::Entry& entry) {
    const std::string* mode = entry.value.string();
    if (mode == nullptr || (*mode != "leximax" && *mode != "weighted")) {
      return complain(entry, "must be \"leximax\" or \"weighted\"");
    }
    if (*mode == "weighted") file_.weighted_lambda = file_.weighted_lambda.value_or(1);
    return {};
  }

  Status read_fallback(const toml::Entry& entry) {
    const std::string* fallback = entry.value.string();
    if (fallback == nullptr || (*fallback != "allow" && *fallback != "warn" && *fallback != "forbid")) {
      return complain(entry, "must be \"allow\", \"warn\" or \"forbid\"");
    }
    if (*fallback == "forbid") options_.offer("strict", {}, name_);
    return {};
  }

  // An option by its long name, with _ or - between the words.
  Status read_option(const toml::Entry& entry) {
    std::string option = entry.key;
    for (char& c : option) c = c == '_' ? '-' : c;
    if (option == "plugin-dirs") option = "plugin-dir";
    if (!allowed_in_file(option)) return complain(entry, "is not an option that may stand in [policy]");
    if (const bool* flag = entry.value.boolean()) {
      if (*flag) options_.offer(option, {}, name_);
    } else if (entry.value.array() != nullptr) {
      BELAY_TRY_ASSIGN(std::vector<std::string> values, names(entry));
      options_.offer(option, std::move(values), name_);
    } else if (const std::string* text = entry.value.string()) {
      options_.offer(option, {*text}, name_);
    } else if (const std::int64_t* integer = entry.value.integer()) {
      options_.offer(option, {std::to_string(*integer)}, name_);
    } else if (const double* number = entry.value.floating()) {
      options_.offer(option, {format("{}", *number)}, name_);
    } else {
      return complain(entry, "has a value that no option takes");
    }
    return {};
  }

  Status read_overrides(const toml::Table& table) {
    for (const toml::Entry& plugin : table) {
      if (plugin.value.table() == nullptr) return complain(plugin, "must be a table");
      for (const toml::Entry& entry : *plugin.value.table())
        BELAY_TRY(read_override(entry, file_.overrides[plugin.key]));
    }
    return {};
  }

  Status read_override(const toml::Entry& entry, PluginOverride& change) const {
    if (entry.key == "priority") {
      const std::int64_t* priority = entry.value.integer();
      if (priority == nullptr || *priority < -kMostPriority || *priority > kMostPriority) {
        return complain(entry, "must be an integer from -1000 to 1000");
      }
      change.priority = static_cast<std::int32_t>(*priority);
      return {};
    }
    if (entry.key == "enabled" && entry.value.boolean() != nullptr) {
      change.enabled = *entry.value.boolean();
      return {};
    }
    return complain(entry, "is not `priority = N` or `enabled = true|false`");
  }

  std::string name_;
  Options& options_;
  ConfigFile file_;
};

}  // namespace

Result<ConfigFile> parse_config(std::string_view text, const std::string& name, Options& options) {
  const auto parsed = toml::parse(text);
  if (const auto* error = std::get_if<toml::ParseError>(&parsed)) {
    return fail(ErrorCode::kUsage, "{}:{}:{}: {}", name, error->at.line, error->at.column, error->message);
  }
  return Reader(name, options).read(std::get<toml::Table>(parsed));
}

Result<ConfigFile> read_config_file(Options& options) {
  std::filesystem::path path;
  if (const auto given = options.text("config")) {
    path = *given;
  } else {
    const auto folder = config_folder();
    std::error_code failed;
    if (!folder || !std::filesystem::is_regular_file(*folder / "belay.toml", failed)) return ConfigFile{};
    path = *folder / "belay.toml";
  }
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 10U;
  BELAY_TRY_ASSIGN(const std::string text, read_file(path, kMostBytes, ErrorCode::kUsage));
  return parse_config(text, printable(path.string(), 400), options);
}

}  // namespace belay::host
