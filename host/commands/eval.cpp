// belay eval: a text read by two runs of a model, one of them the reference: what an optimization, or a whole
// level of them, costs in accuracy and gains in speed.
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/monitoring/memory_use.hpp"
#include "core/runtime/comparison.hpp"
#include "host/commands/commands.hpp"
#include "host/commands/eval_report.hpp"
#include "host/console.hpp"
#include "host/eval_settings.hpp"
#include "host/model_setup.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <array>
#include <memory>

namespace belay::host {
namespace {

using Windows = std::vector<std::vector<std::int32_t>>;

// One of the two runs.
class Side {
 public:
  explicit Side(Workbench bench) : bench_(std::move(bench)) {}

  [[nodiscard]] const Workbench& bench() const { return bench_; }
  [[nodiscard]] runtime::Session& session() { return *session_; }
  [[nodiscard]] runtime::Assembly& assembly() { return *assembly_; }

  // Chooses again, without some of the optimizations that it would use. kUsage when it uses none of that
  // name.
  Status turn_off(const std::vector<std::string>& ids) {
    if (ids.empty()) return {};
    const auto used = resolver::ids_of(bench_.resolution.optimizations);
    for (const std::string& id : ids) {
      if (std::find(used.begin(), used.end(), id) == used.end()) {
        return fail(ErrorCode::kUsage, "--off {}: level {} does not use it here; it uses {}", printable(id),
                    manifest::to_string(bench_.settings.level), fmt::join(used, ", "));
      }
      bench_.policy.bans.push_back(id);
    }
    BELAY_TRY_ASSIGN(bench_.resolution, runtime::choose(bench_.profile, bench_.registry, bench_.policy));
    return {};
  }

  // `limit`: most bytes for this run, its weights included.
  Status load(models::ModelFile file, std::uint64_t context, std::optional<std::uint64_t> limit,
              const runtime::Stop& stop) {
    bench_.settings.context = context;
    bench_.settings.memory_limit = limit;
    auto assembled =
        assemble(bench_, std::move(file), {.shares_process = true, .head_rows = runtime::kMostHeadRows}, {});
    if (!assembled.ok() && limit && assembled.error().code == ErrorCode::kOutOfMemory) {
      return fail(ErrorCode::kOutOfMemory,
                  "{} (two runs at once: each may take half of what the weights leave of --memory-limit)",
                  assembled.error().message);
    }
    BELAY_TRY_ASSIGN(assembly_, std::move(assembled));
    BELAY_TRY(assembly_->bind());
    BELAY_TRY_ASSIGN(session_, assembly_->engine().session(assembly_->pool(), stop));
    return {};
  }

  [[nodiscard]] EvalSide report(TextSpeeds speeds) const {
    const runtime::Engine& engine = assembly_->engine();
    EvalSide side = {.level = std::string(manifest::to_string(bench_.settings.level)),
                     .optimizations = resolver::ids_of(bench_.resolution.optimizations),
                     .plugins = {},
                     .fallbacks = engine.fallbacks(),
                     .planned_bytes = engine.plan().memory.use.of_model(),
                     .speeds = std::move(speeds)};
    for (const auto& [plugin, calls] : engine.calls()) side.plugins.push_back(plugin);
    return side;
  }

 private:
  Workbench bench_;
  std::unique_ptr<runtime::Assembly> assembly_;
  std::unique_ptr<runtime::Session> session_;
};

// As `belay bench` measures, as far as the context goes.
TextTests speed_tests(std::uint64_t context) {
  TextTests tests;
  tests.prefill = std::min(tests.prefill, context);
  tests.decode = std::min(tests.decode, context - tests.depth);
  return tests;
}

// What each run may take of --memory-limit: both map the same weights, and share what is left.
std::optional<std::uint64_t> limit_of_each(const CommonSettings& settings, const models::ModelFile& file) {
  if (!settings.memory_limit) return std::nullopt;
  const std::uint64_t kept = runtime::Comparison::kept_bytes(file.config().vocab_size);
  const std::uint64_t left = *settings.memory_limit - std::min(kept, *settings.memory_limit);
  return (left + file.tensors().bytes()) / 2;
}

// Two runs from the chosen plugins to what they found.
class Eval {
 public:
  Eval(const Options& options, EvalSettings settings, Workbench reference, Workbench tested)
      : options_(options),
        settings_(std::move(settings)),
        stop_(make_stop(tested.settings)),
        reference_(std::move(reference)),
        tested_(std::move(tested)) {}

  Result<EvalReport> execute() {
    BELAY_TRY(reference_.turn_off(settings_.off));
    BELAY_TRY_ASSIGN(const Windows windows, load());
    BELAY_TRY(compare(windows));
    BELAY_TRY(measure_speed());
    progress("");
    report_.threads = tested_.assembly().pool().threads();
    report_.peak_rss_bytes = monitoring::peak_rss_bytes();
    return std::move(report_);
  }

 private:
  Result<Windows> load() {
    progress("loading the model");
    BELAY_TRY_ASSIGN(models::ModelFile file, open_model(tested_.bench()));
    BELAY_TRY_ASSIGN(const EvalText text, read_eval_text(options_, settings_, file));
    BELAY_TRY_ASSIGN(report_.rule, window_rule(settings_, text, file.config().context_length));
    Windows windows = runtime::cut_windows(text.ids, report_.rule);
    describe(text, windows);
    report_.model = file.name();
    BELAY_TRY_ASSIGN(models::ModelFile again, open_model(reference_.bench()));
    const std::uint64_t context = std::max<std::uint64_t>(
        report_.rule.size, std::min<std::uint64_t>(TextTests().context(), file.config().context_length));
    const auto limit = limit_of_each(tested_.bench().settings, file);
    BELAY_TRY(reference_.load(std::move(again), context, limit, stop_));
    BELAY_TRY(tested_.load(std::move(file), context, limit, stop_));
    return windows;
  }

  void describe(const EvalText& text, const Windows& windows) {
    report_.text_tokens = text.ids.size();
    report_.windows = windows.size();
    report_.left_out = text.ids.size();
    for (const auto& window : windows) report_.left_out -= window.size() - (text.bos ? 1 : 0);
  }

  Status compare(const Windows& windows) {
    const std::uint32_t vocab = tested_.assembly().decoder().config.vocab_size;
    BELAY_TRY_ASSIGN(auto comparison,
                     runtime::Comparison::create(reference_.session(), tested_.session(), vocab));
    for (std::size_t i = 0; i < windows.size(); ++i) {
      progress(format("window {} of {}", i + 1, windows.size()));
      BELAY_TRY(comparison.add(windows[i], report_.rule.unscored));
    }
    report_.accuracy = runtime::summarise(comparison.scores());
    return {};
  }

  Status measure_speed() {
    progress("measuring speed");
    report_.tests = speed_tests(tested_.session().capacity());
    std::vector<TextSpeeds> speeds(2);
    if (settings_.repeat > 0) {
      const std::array<runtime::Session*, 2> sessions = {&reference_.session(), &tested_.session()};
      const std::uint32_t vocab = tested_.assembly().decoder().config.vocab_size;
      BELAY_TRY_ASSIGN(speeds, measure_text(sessions, vocab, report_.tests, settings_.repeat));
    }
    report_.reference = reference_.report(std::move(speeds[0]));
    report_.tested = tested_.report(std::move(speeds[1]));
    return {};
  }

  const Options& options_;
  EvalSettings settings_;
  runtime::Stop stop_;
  Side reference_;
  Side tested_;
  EvalReport report_;
};

}  // namespace

Result<int> eval_command(Options& options) {
  BELAY_TRY_ASSIGN(Workbench tested, prepare(options, false));
  BELAY_TRY_ASSIGN(EvalSettings settings, read_eval_settings(options));
  Options of_reference = reference_options(options);
  BELAY_TRY_ASSIGN(Workbench reference, prepare(of_reference, false));
  const bool json = tested.settings.json;
  Eval eval(options, std::move(settings), std::move(reference), std::move(tested));
  BELAY_TRY_ASSIGN(const EvalReport report, eval.execute());
  if (json) {
    write_out(to_line(eval_json(report)) + "\n");
  } else {
    write_out(eval_text(report));
    say(format("[{} threads{}]", report.threads,
               report.peak_rss_bytes ? format(", peak memory {:.1f} MiB, the weights counted in both runs",
                                              static_cast<double>(*report.peak_rss_bytes) / (1 << 20))
                                     : ""));
  }
  return 0;
}

}  // namespace belay::host
