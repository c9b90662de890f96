// Options as text: from the command line, the environment (BELAY_LEVEL for --level) and belay.toml, in this
// order of precedence, each value with its source. What the texts mean is decided in settings.hpp.
// options.cpp is the only file that includes Boost.Program_options.
#pragma once

#include "core/base/status.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::host {

enum class Verb { kProbe, kPlan, kRun, kBench, kEval, kConvert };

struct OptionText {
  std::vector<std::string> values;  // one for each time it was given; empty for a flag
  std::string source;               // "command line", "BELAY_LEVEL", "belay.toml", "default"
};

class Options {
 public:
  [[nodiscard]] bool has(std::string_view name) const { return texts_.find(name) != texts_.end(); }
  // The last value given, or nothing.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, OptionText, std::less<>>& texts() const { return texts_; }

  // Sets what is not set yet: a source of lower precedence.
  void offer(const std::string& name, std::vector<std::string> values, const std::string& source);

 private:
  std::map<std::string, OptionText, std::less<>> texts_;
};

// The options of a command line behind its verb. kUsage for unknown options, missing values and stray words.
[[nodiscard]] Result<Options> parse_command_line(Verb verb, std::span<const std::string> words);

// Adds the values of BELAY_* variables for options that may come from there. `get` reads one variable.
using GetVariable = const char* (*)(const char* name);
void add_environment(Verb verb, Options& options, GetVariable get);

// Whether an option of that name may stand in belay.toml's [policy] table.
[[nodiscard]] bool allowed_in_file(std::string_view name);

// The help of one command, or of all when nothing is given.
[[nodiscard]] std::string help(std::optional<Verb> verb);

}  // namespace belay::host
