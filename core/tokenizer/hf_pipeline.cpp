#include "core/tokenizer/hf_pipeline.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <array>

namespace belay::tokenizer {
namespace {

// The steps of a pre-tokenizer as describe_step writes them. The expression is that of Qwen2 and Qwen3;
// GPT-2's is built into ByteLevel.
struct Known {
  std::string_view name;
  std::string_view steps;
  PreTokenizerKind kind;
};
constexpr std::array kKnown = {
    Known{
        "qwen2",
        R"(Split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", )"
        "Isolated) + ByteLevel(whole pieces)",
        PreTokenizerKind::kQwen2},
    Known{"smollm", "Digits(individual) + ByteLevel(GPT-2 pieces)", PreTokenizerKind::kSmollm},
    Known{"gpt-2", "ByteLevel(GPT-2 pieces)", PreTokenizerKind::kGpt2},
};

Result<std::string> describe_split(const JsonFields& step) {
  BELAY_TRY_ASSIGN(const auto pattern, step.object("pattern"));
  std::optional<std::string_view> regex;
  if (pattern) {
    BELAY_TRY_ASSIGN(regex, pattern->text("Regex"));
  }
  BELAY_TRY_ASSIGN(const auto behavior, step.text("behavior"));
  BELAY_TRY_ASSIGN(const bool invert, step.flag_or("invert", false));
  return format("Split(\"{}\", {}{})", regex.value_or("?"), behavior.value_or("?"), invert ? ", invert" : "");
}

// What a step does, in one line; with the reference's defaults for what it leaves out.
Result<std::string> describe_step(const JsonFields& step) {
  BELAY_TRY_ASSIGN(const auto type, step.text("type"));
  if (type == "Split") return describe_split(step);
  if (type == "Digits") {
    BELAY_TRY_ASSIGN(const bool individual, step.flag_or("individual_digits", false));
    return std::string(individual ? "Digits(individual)" : "Digits(runs)");
  }
  if (type == "ByteLevel") {
    BELAY_TRY_ASSIGN(const bool adds_space, step.flag_or("add_prefix_space", true));
    BELAY_TRY_ASSIGN(const bool use_regex, step.flag_or("use_regex", true));
    return format("ByteLevel({}{})", adds_space ? "space in front, " : "",
                  use_regex ? "GPT-2 pieces" : "whole pieces");
  }
  return std::string(type.value_or("a step without a type"));
}

Result<std::string> describe_pre_tokenizer(const JsonFields& pre) {
  BELAY_TRY_ASSIGN(const auto type, pre.text("type"));
  if (type != "Sequence") return describe_step(pre);
  const Json* steps = pre.find("pretokenizers");
  if (steps == nullptr || !steps->is_array()) return std::string("a Sequence without pretokenizers");
  std::string all;
  for (const Json& step : *steps) {
    BELAY_TRY_ASSIGN(const JsonFields fields, pre.item("pretokenizers", step));
    BELAY_TRY_ASSIGN(const std::string one, describe_step(fields));
    all += (all.empty() ? "" : " + ") + one;
  }
  return all;
}

// A step that must be of one type, if it is there at all.
Status check_type(const JsonFields& file, std::string_view key, std::string_view wanted) {
  BELAY_TRY_ASSIGN(const auto step, file.object(key));
  if (!step) return {};
  BELAY_TRY_ASSIGN(const auto type, step->text("type"));
  if (type == wanted) return {};
  return fail(ErrorCode::kBadInput, "{} is \"{}\"; Belay knows only \"{}\", or none at all",
              step->name("type"), printable(type.value_or("")), wanted);
}

Status check_model(const JsonFields& model) {
  BELAY_TRY_ASSIGN(const auto type, model.text("type"));
  if (type.value_or("BPE") != "BPE") {  // files of old have no type
    return fail(ErrorCode::kBadInput, "{} is \"{}\"; Belay knows only \"BPE\" (byte-level)",
                model.name("type"), printable(*type));
  }
  for (const std::string_view key : {"unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    BELAY_TRY_ASSIGN(const auto text, model.text(key));
    if (text.value_or("").empty()) continue;
    return fail(ErrorCode::kBadInput, "{} is \"{}\"; Belay knows only vocabularies without one",
                model.name(key), printable(*text));
  }
  for (const std::string_view key : {"byte_fallback", "ignore_merges"}) {
    BELAY_TRY_ASSIGN(const bool set, model.flag_or(key, false));
    if (set) return fail(ErrorCode::kBadInput, "{} is true; Belay knows only false", model.name(key));
  }
  BELAY_TRY_ASSIGN(const auto dropout, model.number("dropout"));
  if (dropout.value_or(0) == 0) return {};
  return fail(ErrorCode::kBadInput, "{} is {}; a model is run without (0 or null)", model.name("dropout"),
              *dropout);
}

}  // namespace

Result<PreTokenizerKind> read_pre_tokenizer(const JsonFields& file) {
  BELAY_TRY_ASSIGN(const auto pre, file.object("pre_tokenizer"));
  std::string steps = "none";
  if (pre) {
    BELAY_TRY_ASSIGN(steps, describe_pre_tokenizer(*pre));
  }
  std::string known;
  for (const Known& row : kKnown) {
    if (row.steps == steps) return row.kind;
    known += format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return fail(ErrorCode::kBadInput, "{} is {}, which Belay does not know; it knows those of {}",
              file.name("pre_tokenizer"), printable(steps, 400), known);
}

Result<bool> read_normalizer(const JsonFields& file) {
  BELAY_TRY(check_type(file, "normalizer", "NFC"));
  return file.find("normalizer") != nullptr;
}

Status check_pipeline(const JsonFields& file, const JsonFields& model) {
  BELAY_TRY(check_type(file, "post_processor", "ByteLevel"));
  BELAY_TRY(check_type(file, "decoder", "ByteLevel"));
  return check_model(model);
}

}  // namespace belay::tokenizer
