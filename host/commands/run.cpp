// belay run: a prompt in, text out as it comes.
#include "core/base/format.hpp"
#include "core/monitoring/memory_use.hpp"
#include "core/runtime/generate.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "host/commands/chat.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/exit_code.hpp"
#include "host/json_output.hpp"
#include "host/logits_dump.hpp"
#include "host/model_setup.hpp"
#include "host/picture.hpp"
#include "host/plan_output.hpp"
#include "host/prompt.hpp"
#include "host/run_settings.hpp"
#include "host/signals.hpp"
#include "host/trace_file.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

namespace belay::host {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One run from the loaded model to its output.
class Run {
 public:
  Run(const Options& options, Workbench bench, RunSettings settings, TraceFile trace, Clock::time_point start)
      : options_(options),
        bench_(std::move(bench)),
        settings_(std::move(settings)),
        trace_(std::move(trace)),
        start_(start) {}

  Result<int> execute(const Prompt& prompt) {
    BELAY_TRY(load(prompt));
    const Status answered = answer();
    BELAY_TRY(trace_.write());  // of a run that failed, too
    BELAY_TRY(answered);
    if (settings_.dump)
      BELAY_TRY(dump_.write(*settings_.dump, sequence(), {image_token_, pictures_, image_rows_}));
    bench_.settings.json ? show_json() : show_figures();
    switch (generation_.finish) {
      case runtime::Finish::kInterrupted:
        return exit_code(ErrorCode::kInterrupted);
      case runtime::Finish::kDeadline:
        return exit_code(ErrorCode::kDeadline);
      default:
        return 0;
    }
  }

 private:
  Status load(const Prompt& prompt) {
    stop_ = make_stop(bench_.settings);
    progress("loading the model");
    BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench_));
    BELAY_TRY_ASSIGN(sampling_, read_sampling(options_, file.generation()));
    BELAY_TRY_ASSIGN(tokenizer_, file.make_tokenizer());
    BELAY_TRY(read_images(prompt, file));
    BELAY_TRY_ASSIGN(prompt_, encode_prompt(prompt, *tokenizer_, file, settings_.raw, picture_tokens()));
    BELAY_TRY_ASSIGN(const std::uint64_t context, needed_context(file));
    BELAY_TRY_ASSIGN(assembly_, assemble(bench_, std::move(file), {context, most_patches(pictures_)},
                                         {.trace = trace_.trace()}));
    progress("binding the plugins");
    BELAY_TRY(assembly_->bind());
    progress("");
    if (settings_.explain) {
      say_machine(bench_.profile);
      say(plan_text(bench_, {.plan = &assembly_->engine().plan()}));
    }
    BELAY_TRY_ASSIGN(session_, assembly_->engine().session(assembly_->pool(), stop_));
    load_s_ = seconds_since(start_) - preprocess_s_;
    return {};
  }

  Status read_images(const Prompt& prompt, const models::ModelFile& file) {
    if (prompt.images.empty()) return {};
    const auto start = Clock::now();
    BELAY_TRY_ASSIGN(const images::PreprocessConfig config, preprocess_config(options_, file));
    BELAY_TRY_ASSIGN(pictures_, read_pictures(prompt.images, config));
    preprocess_s_ = seconds_since(start);
    image_token_ = image_token(*tokenizer_).value_or(-1);
    return {};
  }
  [[nodiscard]] std::vector<std::uint64_t> picture_tokens() const {
    std::vector<std::uint64_t> tokens;
    for (const Picture& picture : pictures_) tokens.push_back(picture.tokens());
    return tokens;
  }

  Status encode_images() {
    if (pictures_.empty()) return {};
    const auto start = Clock::now();
    BELAY_TRY_ASSIGN(const auto encoder, assembly_->vision_encoder(stop_));
    BELAY_TRY_ASSIGN(image_rows_, encode_pictures(pictures_, *encoder));
    vision_s_ = seconds_since(start);
    return {};
  }

  // Positions for the prompt and what may follow it, as far as the model goes.
  Result<std::uint64_t> needed_context(const models::ModelFile& file) {
    const std::uint64_t most = bench_.settings.context.value_or(file.config().context_length);
    if (prompt_.size() > most) {
      return fail(ErrorCode::kBadInput,
                  "the prompt has {} tokens, the context {} positions; shorten the prompt", prompt_.size(),
                  most);
    }
    // The last token is never fed back, so one more than fits can be generated.
    settings_.max_tokens = std::min(settings_.max_tokens, most - prompt_.size() + 1);
    return std::min(most, prompt_.size() + settings_.max_tokens);
  }

  Status answer() {
    runtime::Sampler sampler(sampling_);
    tokenizer::StreamDecoder decoder(*tokenizer_);
    runtime::GenerationHooks hooks;
    hooks.is_end = [&](std::int32_t token) { return tokenizer_->is_end_of_generation(token); };
    hooks.on_token = [&](std::int32_t token) { show(decoder.feed(token)); };
    if (settings_.dump) {
      hooks.on_logits = [&](std::uint64_t, std::span<const float> logits) { return dump_.add(logits); };
    }
    const Status encoded = encode_images();
    if (!encoded.ok()) return stopped(encoded.error());
    progress("reading the prompt");
    const runtime::GenerationRequest request = {prompt_, settings_.max_tokens, settings_.ignore_end,
                                                image_token_, image_rows_};
    BELAY_TRY_ASSIGN(generation_, runtime::generate(*session_, sampler, request, hooks));
    show(decoder.flush());
    if (!bench_.settings.json) write_out("\n");
    return {};
  }

  // An image that the user did not wait for ends the run as a generation would: with what there is, nothing.
  Status stopped(const Error& error) {
    image_rows_.clear();
    return runtime::asked_for(error, generation_.finish) ? Status() : Status(error);
  }

  void show(const std::string& piece) {
    if (text_.empty()) progress("");
    text_ += piece;
    if (!bench_.settings.json && !piece.empty() && !write_out(piece))
      request_stop();  // nobody reads any more
  }

  // Every token that was fed: the prompt and all generated ones but the last.
  [[nodiscard]] std::vector<std::int32_t> sequence() const {
    std::vector<std::int32_t> ids = prompt_;
    ids.insert(ids.end(), generation_.tokens.begin(), generation_.tokens.end());
    ids.resize(session_->position());
    return ids;
  }

  [[nodiscard]] double prefill_speed() const {
    const std::uint64_t read =
        std::min<std::uint64_t>(session_->position(), prompt_.size());  // all, unless stopped
    return generation_.prefill_s > 0 ? static_cast<double>(read) / generation_.prefill_s : 0;
  }
  [[nodiscard]] double decode_speed() const {
    const std::uint64_t steps =
        session_->position() - std::min<std::uint64_t>(session_->position(), prompt_.size());
    return generation_.decode_s > 0 ? static_cast<double>(steps) / generation_.decode_s : 0;
  }

  void show_json() const {
    const auto seconds = [](double value) { return Json(value); };
    Json out;
    out["schema"] = "belay.run/1";
    out["text"] = text_;
    out["tokens"] = generation_.tokens;
    out["prompt_tokens"] = prompt_;
    out["finish"] = runtime::to_string(generation_.finish);
    out["timings"]["load_s"] = seconds(load_s_);
    out["timings"]["preprocess_s"] = seconds(preprocess_s_);
    out["timings"]["vision_s"] = seconds(vision_s_);
    out["timings"]["prefill_s"] = seconds(generation_.prefill_s);
    out["timings"]["decode_s"] = seconds(generation_.decode_s);
    out["timings"]["prefill_tok_per_s"] = prefill_speed();
    out["timings"]["decode_tok_per_s"] = decode_speed();
    out["ops"] = assembly_->engine().calls();
    out["fallbacks"] = to_json(assembly_->engine().fallbacks());
    out["image_tokens"] = all_tokens(pictures_);
    out["sampling"] = to_json(sampling_);
    const runtime::Engine& engine = assembly_->engine();
    out["memory"]["tiers"] =
        tiers_json(bench_.profile.memory, engine.plan(), {engine.streamed(), session_->spilled()});
    out["devices"] = devices_json(engine);
    out["memory"]["pressure"] = to_json(monitoring::read_pressure());
    const auto peak = monitoring::peak_rss_bytes();
    out["peak_rss_bytes"] = peak ? Json(*peak) : Json(nullptr);
    out["threads"] = assembly_->pool().threads();
    out["level"] = manifest::to_string(bench_.settings.level);
    write_out(to_line(out) + "\n");
  }

  void show_figures() const {
    if (settings_.quiet) return;
    std::string ops;
    for (const auto& [plugin, calls] : assembly_->engine().calls()) {
      ops += format("{}{} on {}", ops.empty() ? "" : ", ", calls, plugin);
    }
    say(
        format("[{}; prompt {} tokens at {:.0f}/s, answer {} tokens at {:.1f}/s, loaded in {:.0f} ms, {} "
               "threads; ops: {}]",
               runtime::to_string(generation_.finish), prompt_.size(), prefill_speed(),
               generation_.tokens.size(), decode_speed(), load_s_ * 1e3, assembly_->pool().threads(), ops));
    if (!pictures_.empty()) {
      say(format("[{} images, {} tokens: read in {:.2f} s, encoded in {:.2f} s]", pictures_.size(),
                 all_tokens(pictures_), preprocess_s_, vision_s_));
    }
    if (const std::string devices = devices_text(assembly_->engine()); !devices.empty()) say(devices);
    if (const runtime::StreamUse* streamed = assembly_->engine().streamed()) say(streamed_text(*streamed));
    if (const runtime::KvUse* spilled = session_->spilled()) say(spilled_text(*spilled));
    for (const dispatch::Fallback& fallback : assembly_->engine().fallbacks()) {
      say(format("[fallback: {} from {} to {}, {} times: {}]", fallback.op, fallback.from, fallback.to,
                 fallback.count, fallback.reason));
    }
  }

  const Options& options_;
  Workbench bench_;
  RunSettings settings_;
  runtime::SamplingOptions sampling_;
  TraceFile trace_;
  Clock::time_point start_;
  runtime::Stop stop_;
  std::optional<tokenizer::Tokenizer> tokenizer_;
  std::vector<std::int32_t> prompt_;
  std::vector<Picture> pictures_;
  std::vector<runtime::ImageRows> image_rows_;
  std::int32_t image_token_ = -1;
  std::unique_ptr<runtime::Assembly> assembly_;
  std::unique_ptr<runtime::Session> session_;
  runtime::Generation generation_;
  LogitsDump dump_;
  std::string text_;
  double load_s_ = 0;
  double preprocess_s_ = 0;
  double vision_s_ = 0;
};

}  // namespace

Result<int> run_command(Options& options) {
  const auto start = Clock::now();
  BELAY_TRY_ASSIGN(Workbench bench, prepare(options, false));
  BELAY_TRY_ASSIGN(RunSettings settings, read_run_settings(options));
  if (!has_prompt(options) && !bench.settings.json && stdin_is_terminal())
    return chat(options, std::move(bench), settings);
  BELAY_TRY_ASSIGN(const Prompt prompt, read_prompt(options));
  BELAY_TRY_ASSIGN(TraceFile trace, TraceFile::from(options));
  return Run(options, std::move(bench), std::move(settings), std::move(trace), start).execute(prompt);
}

}  // namespace belay::host
