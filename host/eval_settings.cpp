#include "host/eval_settings.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "host/prompt.hpp"
#include "host/settings.hpp"

#include <algorithm>

namespace belay::host {
namespace {

constexpr std::uint64_t kMostTextBytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 28U;
constexpr std::uint64_t kUsualWindow = 2048;

Result<std::vector<std::int32_t>> parse_vocabulary_ids(const std::string& json, const std::string& name,
                                                       std::int64_t vocab_size) {
  BELAY_TRY_ASSIGN(PromptIds given, parse_ids(json, name));
  const auto unknown =
      std::find_if(given.ids.begin(), given.ids.end(), [&](std::int64_t id) { return id >= vocab_size; });
  if (unknown == given.ids.end()) return std::move(given.ids);
  return fail(ErrorCode::kBadInput, "{}: element {} is {}, and the model's vocabulary has {} tokens", name,
              unknown - given.ids.begin(), *unknown, vocab_size);
}

}  // namespace

Result<EvalSettings> read_eval_settings(const Options& options) {
  if (options.has("text") == options.has("ids"))
    return fail(ErrorCode::kUsage, "give either --text FILE or --ids FILE: what the model is to read");
  EvalSettings settings;
  BELAY_TRY_ASSIGN(settings.tokens, read_integer(options, {"tokens", 2, kMostTokens}));
  BELAY_TRY_ASSIGN(settings.context, read_integer(options, {"context", 2, kMostTokens}));
  BELAY_TRY_ASSIGN(settings.unscored, read_integer(options, {"unscored", 1, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto repeat, read_integer(options, {"repeat", 0, 1000}));
  settings.repeat = repeat.value_or(settings.repeat);
  BELAY_TRY_ASSIGN(settings.off, read_list(options, "off"));
  return settings;
}

Options reference_options(const Options& options) {
  Options reference;
  if (const auto level = options.text("reference-level")) {
    reference.offer("level", {*level}, "--reference-level");
  } else if (!options.has("off")) {
    reference.offer("level", {"minimal"}, "default");
  }
  for (const auto& [name, text] : options.texts()) reference.offer(name, text.values, text.source);
  return reference;
}

Result<EvalText> read_eval_text(const Options& options, const EvalSettings& settings,
                                const models::ModelFile& model) {
  const bool as_ids = options.has("ids");
  const std::string path = *options.text(as_ids ? "ids" : "text");
  BELAY_TRY_ASSIGN(const std::string content, read_file(path, kMostTextBytes, ErrorCode::kUsage));
  EvalText text;
  text.name = printable(path, 400);
  if (as_ids) {
    BELAY_TRY_ASSIGN(text.ids, parse_vocabulary_ids(content, text.name, model.config().vocab_size));
  } else {
    BELAY_TRY(check_utf8(content, text.name, "--ids"));
    BELAY_TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, model.make_tokenizer());
    BELAY_TRY_ASSIGN(text.ids, tokenizer.encode(content, tokenizer::Specials::kParse));
    text.bos = tokenizer.leading_bos();
    if (text.bos && !text.ids.empty() && text.ids[0] == *text.bos) text.ids.erase(text.ids.begin());
  }
  if (settings.tokens && text.ids.size() > *settings.tokens) text.ids.resize(*settings.tokens);
  return text;
}

Result<runtime::WindowRule> window_rule(const EvalSettings& settings, const EvalText& text,
                                        std::uint64_t model_context) {
  const std::uint64_t length = text.ids.size() + (text.bos ? 1 : 0);
  runtime::WindowRule rule;
  rule.size = settings.context.value_or(std::min({kUsualWindow, model_context, length}));
  rule.unscored = settings.unscored.value_or(rule.size / 2);
  rule.bos = text.bos;
  if (length < 2 || length <= rule.unscored) {
    return fail(ErrorCode::kBadInput,
                "{} has {} tokens, and the first {} of a window are not scored: give more text, or a smaller "
                "--context or --unscored",
                text.name, text.ids.size(), std::max<std::uint64_t>(rule.unscored, 1));
  }
  if (rule.unscored >= rule.size) {
    return fail(ErrorCode::kUsage, "--unscored {} leaves nothing to score of a window of {} tokens",
                rule.unscored, rule.size);
  }
  return rule;
}

}  // namespace belay::host
