// `belay COMMAND ...`: from the first word to the command, and from an error to words and an exit status.
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/hardware/gpu.hpp"
#include "core/registry/probe.hpp"
#include "core/registry/probe_child.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/exit_code.hpp"
#include "host/json_output.hpp"
#include "host/paths.hpp"
#include "host/signals.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <string_view>

namespace belay::host {
namespace {

struct Command {
  std::string_view word;
  Verb verb;
  Result<int> (*run)(Options&);
};

constexpr std::array<Command, 6> kCommands = {{
    {"probe", Verb::kProbe, &probe_command},
    {"plan", Verb::kPlan, &plan_command},
    {"run", Verb::kRun, &run_command},
    {"bench", Verb::kBench, &bench_command},
    {"eval", Verb::kEval, &eval_command},
    {"convert", Verb::kConvert, &convert_command},
}};

const Command* find_command(std::string_view word) {
  for (const Command& command : kCommands) {
    if (command.word == word) return &command;
  }
  return nullptr;
}

Result<int> run(const Command& command, std::span<const std::string> words) {
  BELAY_TRY_ASSIGN(Options options, parse_command_line(command.verb, words));
  if (options.has("help")) {
    write_out(help(command.verb));
    return 0;
  }
  add_environment(command.verb, options, &environment);
  return command.run(options);
}

Result<int> dispatch(std::span<const std::string> words) {
  if (words.empty()) return fail(ErrorCode::kUsage, "no command; `belay --help` lists them");
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    write_out(help(std::nullopt));
    return 0;
  }
  const Command* command = find_command(words[0]);
  if (command == nullptr) {
    return fail(ErrorCode::kUsage, "\"{}\" is not a command; `belay --help` lists them", printable(words[0]));
  }
  return run(*command, words.subspan(1));
}

// Exceptions of the standard library end here; ours are values.
Result<int> dispatch_guarded(std::span<const std::string> words) {
  try {
    return dispatch(words);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kOutOfMemory, "no memory left; use a smaller model or context, or --memory-limit");
  } catch (const std::exception& error) {
    return fail(ErrorCode::kGeneral, "unexpected: {}", printable(error.what(), 300));
  }
}

int show(const Error& error, bool json) {
  if (json) write_out(to_line(to_json(error)) + "\n");
  say("belay: " + error.message);
  return exit_code(error.code);
}

}  // namespace
}  // namespace belay::host

// NOLINTNEXTLINE(bugprone-exception-escape): without memory for its own words the program may end
int main(int argc, char** argv) {
  using namespace belay::host;  // NOLINT(google-build-using-namespace): main is the host's
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == belay::registry::kProbeArgument)
    return belay::registry::probe_child_main();
  if (!words.empty() && words[0] == kGpusArgument) return write_out(belay::hardware::describe_gpus()) ? 0 : 1;
  secure_standard_files();
  install_signals();
  show_log(false);
  const auto result = dispatch_guarded(words);
  const belay::Status written = output_status();
  if (result.ok() && written.ok()) return *result;
  return show(result.ok() ? written.error() : result.error(),
              std::find(words.begin(), words.end(), "--json") != words.end());
}
