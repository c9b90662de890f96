#include "host/options.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <sstream>

namespace belay::host {
namespace {

namespace po = boost::program_options;

enum Takes { kFlag, kValue, kValues };
enum Where { kLineOnly, kEverywhere };  // where it may come from

struct Row {
  const char* name;
  Takes takes;
  Where where;
  const char* argument;
  const char* help;
};

constexpr std::array<Row, 17> kCommon = {{
    {"help", kFlag, kLineOnly, "", "show this and do nothing"},
    {"json", kFlag, kLineOnly, "", "one JSON object on one line of stdout, errors too"},
    {"verbose", kFlag, kLineOnly, "", "say more on stderr"},
    {"config", kValue, kEverywhere, "FILE", "configuration file; else the user's belay/belay.toml"},
    {"plugin-dir", kValues, kEverywhere, "DIR", "a further folder of plugins (repeatable)"},
    {"manifests", kValue, kEverywhere, "DIR", "the only folder of plugins, in place of all others"},
    {"plugins", kValue, kEverywhere, "A,B", "use only these plugins"},
    {"cpu-features", kValue, kEverywhere, "-F,..", "hide CPU features, for example -avx2"},
    {"level", kValue, kEverywhere, "L", "minimal, moderate (default) or aggressive optimizations"},
    {"objective", kValue, kEverywhere, "O", "latency (default), throughput or efficiency"},
    {"balance", kValue, kEverywhere, "B", "save compute (default) or memory: small steps, an 8-bit KV cache"},
    {"memory-limit", kValue, kEverywhere, "SIZE", "most memory to use, as 700M or 2G"},
    {"threads", kValue, kEverywhere, "N", "threads to compute with; else as many CPUs as are usable"},
    {"deadline", kValue, kEverywhere, "S", "give up after so many seconds (exit 124)"},
    {"strict", kFlag, kEverywhere, "", "a fallback is an error (exit 5)"},
    {"strict-manifests", kFlag, kEverywhere, "", "warnings about a manifest refuse it"},
    {"plugin-option", kValues, kLineOnly, "ID.KEY=VALUE", "a setting for a plugin (repeatable)"},
}};

// Rows of several commands.
constexpr Row kModel = {"model", kValue, kEverywhere, "FILE",
                        "a GGUF file or a Hugging Face folder; else SmolLM2 if tools/demo fetched it"};
constexpr Row kMmproj = {"mmproj", kValue, kEverywhere, "FILE", "the vision part of a GGUF model"};
constexpr Row kQuantize = {"quantize", kValue, kEverywhere, "TYPE",
                           "q8_0, q4_0 or q4_k: quantise a Hugging Face model while it is read"};
constexpr Row kRequireSignatures = {"require-signatures", kFlag, kEverywhere, "",
                                    "refuse plugins without a signature"};
constexpr Row kNoCache = {"no-cache", kFlag, kLineOnly, "", "probe every plugin again"};

constexpr std::array<Row, 3> kProbe = {{
    {"hardware", kValue, kLineOnly, "FILE", "the machine that this TOML file describes"},
    kRequireSignatures,
    kNoCache,
}};

constexpr std::array<Row, 8> kPlan = {{
    {"model", kValue, kEverywhere, "FILE", "the model, a GGUF file or a Hugging Face folder"},
    kMmproj,
    kQuantize,
    {"context", kValue, kEverywhere, "N", "positions to plan for"},
    {"hardware", kValue, kLineOnly, "FILE", "plan for the machine that this TOML file describes"},
    {"explain", kFlag, kLineOnly, "", "why each plugin and optimization was chosen or not"},
    kRequireSignatures,
    kNoCache,
}};

constexpr std::array<Row, 26> kRun = {{
    kModel,
    kMmproj,
    kQuantize,
    {"prompt", kValue, kLineOnly, "TEXT", "what to answer"},
    {"prompt-file", kValue, kLineOnly, "FILE", "the prompt, byte for byte from a file"},
    {"messages", kValue, kLineOnly, "FILE", "a conversation: JSON array of {\"role\",\"content\"}"},
    {"prompt-ids", kValue, kLineOnly, "FILE", "the prompt as a JSON array of token ids"},
    {"image", kValues, kLineOnly, "FILE", "a JPEG or PNG image for a model with vision (repeatable)"},
    {"image-min-pixels", kValue, kEverywhere, "N",
     "scale images up to at least N pixels; else as the model says"},
    {"image-max-pixels", kValue, kEverywhere, "N",
     "scale images down to at most N pixels; else as the model says"},
    {"raw", kFlag, kLineOnly, "", "no chat template: the prompt as it is"},
    {"max-tokens", kValue, kEverywhere, "N", "most tokens to generate (default 256)"},
    {"temperature", kValue, kEverywhere, "T",
     "0 is greedy; higher is more random; else as the model says, or greedy"},
    {"top-k", kValue, kEverywhere, "K", "sample from the K best tokens; 0: all"},
    {"top-p", kValue, kEverywhere, "P", "sample from the best tokens that add up to P; 1: all"},
    {"min-p", kValue, kEverywhere, "P", "of these, tokens at least P times as probable as the best; 0: all"},
    {"repetition-penalty", kValue, kEverywhere, "R",
     "above 1: tokens of the sequence become less likely; 1: off"},
    {"seed", kValue, kEverywhere, "N", "seed of sampling (default 0)"},
    {"ignore-eos", kFlag, kLineOnly, "", "go on after an end token"},
    {"context", kValue, kEverywhere, "N", "positions of the KV cache; else what prompt and answer need"},
    {"dump", kValue, kLineOnly, "FILE", "write input ids and logits as safetensors"},
    {"trace", kValue, kLineOnly, "FILE", "write what ran when, for ui.perfetto.dev"},
    {"explain", kFlag, kLineOnly, "", "print the machine and the plan on stderr first"},
    {"quiet", kFlag, kLineOnly, "", "no figures on stderr"},
    kRequireSignatures,
    kNoCache,
}};

constexpr std::array<Row, 11> kBench = {{
    kModel,
    kMmproj,
    kQuantize,
    {"prefill", kValue, kLineOnly, "N", "tokens of the prefill test (default 512; 0: none)"},
    {"decode", kValue, kLineOnly, "N", "tokens of the decode test (default 128; 0: none)"},
    {"depth", kValue, kLineOnly, "D", "tokens in the context before decoding (default 1)"},
    {"image-size", kValue, kLineOnly, "WxH",
     "also encode an image of this width and height, with a vision model"},
    {"repeat", kValue, kLineOnly, "R", "rounds (default 5), behind one that warms up"},
    {"trace", kValue, kLineOnly, "FILE",
     "write what ran when, for ui.perfetto.dev; slows the run down a little"},
    kRequireSignatures,
    kNoCache,
}};

constexpr std::array<Row, 12> kEval = {{
    kModel,
    kQuantize,
    {"text", kValue, kLineOnly, "FILE", "the text to read, as it is: no chat template"},
    {"ids", kValue, kLineOnly, "FILE", "the text as a JSON array of token ids"},
    {"tokens", kValue, kLineOnly, "N", "only the first N tokens of the text"},
    {"reference-level", kValue, kLineOnly, "L",
     "what --level is compared with (default minimal; with --off the same level)"},
    {"off", kValue, kLineOnly, "A/X,..", "optimizations that the reference does without, as core/kv_f16"},
    {"context", kValue, kEverywhere, "N",
     "tokens of a window (default 2048, or what text and model have); each begins with an empty cache"},
    {"unscored", kValue, kLineOnly, "N",
     "tokens at the start of a window that only give context (default half of it)"},
    {"repeat", kValue, kLineOnly, "R",
     "rounds of the speed tests (default 3; 0: none), behind one that warms up"},
    kRequireSignatures,
    kNoCache,
}};

constexpr std::array<Row, 4> kConvert = {{
    {"model", kValue, kLineOnly, "FOLDER", "the model, a Hugging Face folder"},
    {"out", kValue, kLineOnly, "FILE", "the GGUF file to write"},
    {"mmproj-out", kValue, kLineOnly, "FILE",
     "the file of a vision part; else FILE with .mmproj.gguf at its end"},
    {"quantize", kValue, kLineOnly, "TYPE", "q8_0, q4_0 or q4_k; else the types stay as they are"},
}};

std::span<const Row> rows_of(Verb verb) {
  switch (verb) {
    case Verb::kProbe:
      return kProbe;
    case Verb::kPlan:
      return kPlan;
    case Verb::kRun:
      return kRun;
    case Verb::kBench:
      return kBench;
    case Verb::kEval:
      return kEval;
    case Verb::kConvert:
      return kConvert;
  }
  return {};
}

const char* name_of(Verb verb) {
  switch (verb) {
    case Verb::kProbe:
      return "probe";
    case Verb::kPlan:
      return "plan";
    case Verb::kRun:
      return "run";
    case Verb::kBench:
      return "bench";
    case Verb::kEval:
      return "eval";
    case Verb::kConvert:
      return "convert";
  }
  return "";
}

void add_rows(po::options_description& table, std::span<const Row> rows) {
  for (const Row& row : rows) {
    if (row.takes == kFlag) {
      table.add_options()(row.name, row.help);
    } else {
      table.add_options()(row.name, po::value<std::vector<std::string>>()->value_name(row.argument),
                          row.help);
    }
  }
}

po::options_description table_of(Verb verb) {
  po::options_description table;
  add_rows(table, rows_of(verb));
  add_rows(table, kCommon);
  return table;
}

std::string hint(Verb verb, const std::string& unknown) {
  std::string best;
  std::size_t least = 3;  // further away is another word
  for (const auto rows : {rows_of(verb), std::span<const Row>(kCommon)}) {
    for (const Row& row : rows) {
      const std::size_t distance = edit_distance(unknown, "--" + std::string(row.name));
      if (distance < least) least = distance, best = row.name;
    }
  }
  return best.empty() ? format("see `belay {} --help`", name_of(verb)) : format("did you mean --{}?", best);
}

std::string variable_name(std::string_view option) {
  std::string name = "BELAY_";
  for (const char c : option)
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Result<Options> collect(Verb verb, const po::parsed_options& parsed) {
  Options options;
  std::map<std::string, std::vector<std::string>> values;
  for (const auto& option : parsed.options) {
    if (option.string_key.empty()) {
      return fail(ErrorCode::kUsage,
                  "belay {}: \"{}\" belongs to no option; put texts in quotes behind --prompt", name_of(verb),
                  printable(option.value.empty() ? "" : option.value.front()));
    }
    auto& given = values[option.string_key];
    given.insert(given.end(), option.value.begin(), option.value.end());
  }
  for (auto& [name, given] : values) options.offer(name, std::move(given), "command line");
  return options;
}

}  // namespace

std::optional<std::string> Options::text(std::string_view name) const {
  const auto found = texts_.find(name);
  if (found == texts_.end() || found->second.values.empty()) return std::nullopt;
  return found->second.values.back();
}

std::vector<std::string> Options::all(std::string_view name) const {
  const auto found = texts_.find(name);
  return found == texts_.end() ? std::vector<std::string>{} : found->second.values;
}

void Options::offer(const std::string& name, std::vector<std::string> values, const std::string& source) {
  texts_.try_emplace(name, OptionText{std::move(values), source});
}

Result<Options> parse_command_line(Verb verb, std::span<const std::string> words) {
  namespace style = po::command_line_style;
  constexpr int kStyle = style::allow_long | style::long_allow_adjacent | style::long_allow_next;
  const po::options_description table = table_of(verb);
  try {
    const std::vector<std::string> given(words.begin(), words.end());
    return collect(verb, po::command_line_parser(given).options(table).style(kStyle).run());
  } catch (const po::unknown_option& error) {
    return fail(ErrorCode::kUsage, "belay {}: unknown option {}; {}", name_of(verb),
                printable(error.get_option_name()), hint(verb, error.get_option_name()));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kUsage, "belay {}: {}; see `belay {} --help`", name_of(verb),
                printable(error.what(), 300), name_of(verb));
  }
}

void add_environment(Verb verb, Options& options, GetVariable get) {
  for (const auto rows : {rows_of(verb), std::span<const Row>(kCommon)}) {
    for (const Row& row : rows) {
      if (row.where != kEverywhere) continue;
      const std::string variable = variable_name(row.name);
      const char* value = get(variable.c_str());
      if (value == nullptr || *value == '\0') continue;
      if (row.takes == kFlag && std::string_view(value) == "0") continue;
      options.offer(row.name, {value}, variable);
    }
  }
}

bool allowed_in_file(std::string_view name) {
  for (const Verb verb : {Verb::kProbe, Verb::kPlan, Verb::kRun, Verb::kBench, Verb::kEval, Verb::kConvert}) {
    for (const auto rows : {rows_of(verb), std::span<const Row>(kCommon)}) {
      for (const Row& row : rows) {
        if (row.where == kEverywhere && name == row.name) return true;
      }
    }
  }
  return false;
}

std::string help(std::optional<Verb> verb) {
  std::ostringstream out;
  if (!verb) {
    out << "Belay runs transformer models on modest mixed hardware, and keeps going when a backend fails.\n\n"
           "  belay probe    the machine, and every plugin with its verdict and reason\n"
           "  belay plan     what would run where, and why\n"
           "  belay run      generate text, about images too; a chat when no prompt is given\n"
           "  belay bench    prefill and decode speed\n"
           "  belay eval     what a level or an optimization costs in accuracy and gains in speed\n"
           "  belay convert  a Hugging Face folder to GGUF\n\n"
           "`belay COMMAND --help` lists a command's options.\n";
    return out.str();
  }
  po::options_description own(format("Options of belay {}", name_of(*verb)));
  add_rows(own, rows_of(*verb));
  po::options_description common("Options of every command");
  add_rows(common, kCommon);
  out << own << "\n"
      << common
      << "\nOptions may also stand in the environment (--level as BELAY_LEVEL) and in belay.toml.\n";
  return out.str();
}

}  // namespace belay::host
