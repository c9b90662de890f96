// belay bench: prefill and decode speed with their spread.
#include "core/base/format.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/json_output.hpp"
#include "host/model_setup.hpp"
#include "host/trace_file.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <chrono>
#include <random>

namespace belay::host {
namespace {

struct BenchSettings {
  std::uint64_t prefill = 512;
  std::uint64_t decode = 128;
  std::uint64_t depth = 1;
  std::uint64_t repeat = 5;
};

Result<BenchSettings> read_bench_settings(const Options& options) {
  constexpr std::uint64_t kMostTokens = 1U << 20U;
  BenchSettings settings;
  BELAY_TRY_ASSIGN(const auto prefill, read_integer(options, {"prefill", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto decode, read_integer(options, {"decode", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto depth, read_integer(options, {"depth", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto repeat, read_integer(options, {"repeat", 1, 1000}));
  settings.prefill = prefill.value_or(settings.prefill);
  settings.decode = decode.value_or(settings.decode);
  settings.depth = std::max<std::uint64_t>(1, depth.value_or(settings.depth));
  settings.repeat = repeat.value_or(settings.repeat);
  return settings;
}

// Random tokens of the vocabulary, the same in every run.
class Tokens {
 public:
  explicit Tokens(std::uint32_t vocab) : vocab_(vocab) {}
  std::vector<std::int32_t> draw(std::uint64_t count) {
    std::vector<std::int32_t> ids(count);
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random_() % vocab_);
    return ids;
  }

 private:
  std::uint32_t vocab_;
  std::mt19937 random_{1};
};

Result<double> timed_speed(runtime::Session& session, std::span<const std::int32_t> ids, bool one_by_one) {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t step = one_by_one ? 1 : ids.size();
  for (std::size_t at = 0; at < ids.size(); at += step) BELAY_TRY(session.feed(ids.subspan(at, step)));
  return static_cast<double>(ids.size()) /
         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Speeds {
  std::vector<double> prefill;
  std::vector<double> decode;
};

Result<double> prefill_speed(runtime::Session& session, Tokens& tokens, const BenchSettings& settings) {
  session.rewind(0);
  return timed_speed(session, tokens.draw(settings.prefill), false);
}

Result<double> decode_speed(runtime::Session& session, Tokens& tokens, const BenchSettings& settings) {
  session.rewind(0);
  BELAY_TRY(session.feed(tokens.draw(settings.depth)));
  return timed_speed(session, tokens.draw(settings.decode), true);
}

// One round more than asked; the first warms up and does not count.
Result<Speeds> measure(runtime::Session& session, Tokens tokens, const BenchSettings& settings) {
  Speeds speeds;
  for (std::uint64_t round = 0; round <= settings.repeat; ++round) {
    if (round == 1) speeds = {};
    if (settings.prefill > 0) {
      BELAY_TRY_ASSIGN(const double speed, prefill_speed(session, tokens, settings));
      speeds.prefill.push_back(speed);
    }
    if (settings.decode > 0) {
      BELAY_TRY_ASSIGN(const double speed, decode_speed(session, tokens, settings));
      speeds.decode.push_back(speed);
    }
  }
  return speeds;
}

Json test_json(std::uint64_t tokens, const std::vector<double>& speeds) {
  if (tokens == 0) return nullptr;
  Json out;
  out["tokens"] = tokens;
  out["tok_per_s"] = to_json(spread(speeds));
  return out;
}

std::string test_text(const char* name, std::uint64_t tokens, const std::vector<double>& speeds) {
  if (tokens == 0) return "";
  const Spread s = spread(speeds);
  return format("{:<8} {:>5} tokens  {:8.1f} tok/s  ({:.1f} to {:.1f})\n", name, tokens, s.median, s.min,
                s.max);
}

}  // namespace

Result<int> bench_command(Options& options) {
  BELAY_TRY_ASSIGN(Workbench bench, prepare(options, false));
  BELAY_TRY_ASSIGN(const BenchSettings settings, read_bench_settings(options));
  BELAY_TRY_ASSIGN(const TraceFile trace, TraceFile::from(options));
  BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench));
  const std::uint64_t context =
      std::max({settings.prefill, settings.depth + settings.decode, std::uint64_t{1}});
  BELAY_TRY_ASSIGN(const auto assembly,
                   assemble(bench, std::move(file), {.context = context}, {.trace = trace.trace()}));
  BELAY_TRY(assembly->engine().bind());
  const runtime::Stop stop = make_stop(bench.settings);
  BELAY_TRY_ASSIGN(const auto session, assembly->engine().session(assembly->pool(), stop));
  const Tokens tokens(assembly->decoder().config.vocab_size);
  BELAY_TRY_ASSIGN(const Speeds speeds, measure(*session, tokens, settings));
  BELAY_TRY(trace.write());
  std::vector<std::string> plugins;
  for (const auto& [plugin, calls] : assembly->engine().calls()) plugins.push_back(plugin);
  if (!bench.settings.json) {
    write_out(test_text("prefill", settings.prefill, speeds.prefill) +
              test_text("decode", settings.decode, speeds.decode));
    say(format("[{} threads, level {}, {}]", assembly->pool().threads(),
               manifest::to_string(bench.settings.level), fmt::join(plugins, ", ")));
    return 0;
  }
  Json out;
  out["schema"] = "belay.bench/1";
  out["prefill"] = test_json(settings.prefill, speeds.prefill);
  out["decode"] = test_json(settings.decode, speeds.decode);
  if (settings.decode > 0) out["decode"]["depth"] = settings.depth;
  out["threads"] = assembly->pool().threads();
  out["level"] = manifest::to_string(bench.settings.level);
  out["plugins"] = plugins;
  out["fallbacks"] = to_json(assembly->engine().fallbacks());
  write_out(to_line(out) + "\n");
  return 0;
}

}  // namespace belay::host
