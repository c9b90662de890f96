#include "host/run_settings.hpp"

#include "host/settings.hpp"

namespace belay::host {
namespace {

constexpr std::uint64_t kMostMaxTokens = std::uint64_t{1} << 28U;

// The reference's values for what a generation_config.json that samples leaves out.
runtime::SamplingOptions sampling_of(const tokenizer::GenerationDefaults& defaults) {
  runtime::SamplingOptions sampling;
  sampling.repetition_penalty = defaults.repetition_penalty.value_or(1);
  if (!defaults.do_sample) return sampling;
  sampling.temperature = defaults.temperature.value_or(1);
  sampling.top_k = defaults.top_k.value_or(50);
  sampling.top_p = defaults.top_p.value_or(1);
  sampling.min_p = defaults.min_p.value_or(0);
  return sampling;
}

Status override_number(const Options& options, const char* name, float& value) {
  BELAY_TRY_ASSIGN(const auto given, read_number(options, name));
  if (given) value = static_cast<float>(*given);
  return {};
}

}  // namespace

Result<RunSettings> read_run_settings(const Options& options) {
  RunSettings settings;
  BELAY_TRY_ASSIGN(const auto max_tokens, read_integer(options, {"max-tokens", 0, kMostMaxTokens}));
  settings.max_tokens = max_tokens.value_or(settings.max_tokens);
  settings.raw = options.has("raw");
  settings.ignore_end = options.has("ignore-eos");
  settings.explain = options.has("explain");
  settings.quiet = options.has("quiet");
  BELAY_TRY_ASSIGN(settings.dump, read_output_path(options, "dump"));
  BELAY_TRY(read_sampling(options, {}));  // so that a bad number is refused before the model is loaded
  return settings;
}

Result<runtime::SamplingOptions> read_sampling(const Options& options,
                                               const tokenizer::GenerationDefaults& defaults) {
  runtime::SamplingOptions sampling = sampling_of(defaults);
  BELAY_TRY(override_number(options, "temperature", sampling.temperature));
  BELAY_TRY(override_number(options, "top-p", sampling.top_p));
  BELAY_TRY(override_number(options, "min-p", sampling.min_p));
  BELAY_TRY(override_number(options, "repetition-penalty", sampling.repetition_penalty));
  BELAY_TRY_ASSIGN(const auto top_k, read_integer(options, {"top-k", 0, 1U << 30U}));
  if (top_k) sampling.top_k = static_cast<int>(*top_k);
  BELAY_TRY_ASSIGN(const auto seed, read_integer(options, {"seed", 0, ~std::uint64_t{0}}));
  sampling.seed = seed.value_or(0);
  BELAY_TRY(runtime::validate(sampling));
  return sampling;
}

Json to_json(const runtime::SamplingOptions& sampling) {
  Json out;
  out["temperature"] = sampling.temperature;
  out["top_k"] = sampling.top_k;
  out["top_p"] = sampling.top_p;
  out["min_p"] = sampling.min_p;
  out["repetition_penalty"] = sampling.repetition_penalty;
  out["seed"] = sampling.seed;
  return out;
}

}  // namespace belay::host
