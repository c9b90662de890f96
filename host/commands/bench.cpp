// belay bench: prefill, decode and image encoding speed with their spread.
#include "core/base/format.hpp"
#include "host/commands/commands.hpp"
#include "host/commands/speed_tests.hpp"
#include "host/console.hpp"
#include "host/json_output.hpp"
#include "host/model_setup.hpp"
#include "host/plan_output.hpp"
#include "host/trace_file.hpp"
#include "host/workbench.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace belay::host {
namespace {

struct BenchSettings {
  TextTests text;
  std::optional<images::Size> image;
  std::uint64_t repeat = 5;
};

Result<BenchSettings> read_bench_settings(const Options& options) {
  constexpr std::uint64_t kMostTokens = 1U << 20U;
  BenchSettings settings;
  BELAY_TRY_ASSIGN(const auto prefill, read_integer(options, {"prefill", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto decode, read_integer(options, {"decode", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto depth, read_integer(options, {"depth", 0, kMostTokens}));
  BELAY_TRY_ASSIGN(const auto repeat, read_integer(options, {"repeat", 1, 1000}));
  BELAY_TRY_ASSIGN(settings.image, read_image_size(options, "image-size"));
  settings.text.prefill = prefill.value_or(settings.text.prefill);
  settings.text.decode = decode.value_or(settings.text.decode);
  settings.text.depth = std::max<std::uint64_t>(1, depth.value_or(settings.text.depth));
  settings.repeat = repeat.value_or(settings.repeat);
  return settings;
}

// What is to be encoded, as the model wants it; nothing without --image-size.
Result<std::optional<Picture>> draw_picture(const Options& options, const BenchSettings& settings,
                                            const models::ModelFile& file) {
  if (!settings.image) return std::optional<Picture>();
  BELAY_TRY_ASSIGN(const images::PreprocessConfig config, preprocess_config(options, file));
  BELAY_TRY_ASSIGN(Picture picture, make_picture(noise_image(*settings.image), config));
  return std::optional(std::move(picture));
}

struct Measurements {
  TextSpeeds text;             // tokens a second
  std::vector<double> vision;  // seconds
};

Result<Measurements> measure(runtime::Assembly& assembly, const runtime::Stop& stop,
                             const BenchSettings& settings, const std::optional<Picture>& picture) {
  Measurements measured;
  if (picture) {
    BELAY_TRY_ASSIGN(const auto encoder, assembly.vision_encoder(stop));
    BELAY_TRY_ASSIGN(measured.vision, measure_vision(*encoder, *picture, settings.repeat));
  }
  BELAY_TRY_ASSIGN(const auto session, assembly.engine().session(assembly.pool(), stop));
  const std::uint32_t vocab = assembly.decoder().config.vocab_size;
  const std::array<runtime::Session*, 1> sessions = {session.get()};
  BELAY_TRY_ASSIGN(auto speeds, measure_text(sessions, vocab, settings.text, settings.repeat));
  measured.text = std::move(speeds.front());
  return measured;
}

Json text_json(std::uint64_t tokens, const std::vector<double>& speeds) {
  if (tokens == 0) return nullptr;
  Json out;
  out["tokens"] = tokens;
  out["tok_per_s"] = to_json(spread(speeds));
  return out;
}

Json vision_json(const std::optional<Picture>& picture, const std::vector<double>& seconds) {
  if (!picture) return nullptr;
  Json out;
  out["patches"] = picture->grid.patches();
  out["image_tokens"] = picture->tokens();
  out["seconds"] = to_json(spread(seconds));
  return out;
}

std::string text_line(const char* name, std::uint64_t tokens, const std::vector<double>& speeds) {
  if (tokens == 0) return "";
  const Spread s = spread(speeds);
  return format("{:<8} {:>5} tokens  {:8.1f} tok/s  ({:.1f} to {:.1f})\n", name, tokens, s.median, s.min,
                s.max);
}

std::string vision_line(const std::optional<Picture>& picture, const std::vector<double>& seconds) {
  if (!picture) return "";
  const Spread s = spread(seconds);
  return format("{:<8} {:>5} tokens  {:8.3f} s  ({:.3f} to {:.3f}; {} patches)\n", "image", picture->tokens(),
                s.median, s.min, s.max, picture->grid.patches());
}

}  // namespace

Result<int> bench_command(Options& options) {
  BELAY_TRY_ASSIGN(Workbench bench, prepare(options, false));
  BELAY_TRY_ASSIGN(const BenchSettings settings, read_bench_settings(options));
  BELAY_TRY_ASSIGN(const TraceFile trace, TraceFile::from(options));
  BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench));
  BELAY_TRY_ASSIGN(const std::optional<Picture> picture, draw_picture(options, settings, file));
  const Needs needs = {settings.text.context(), picture ? picture->grid.patches() : 0};
  BELAY_TRY_ASSIGN(const auto assembly, assemble(bench, std::move(file), needs, {.trace = trace.trace()}));
  BELAY_TRY(assembly->bind());
  const runtime::Stop stop = make_stop(bench.settings);
  BELAY_TRY_ASSIGN(const Measurements measured, measure(*assembly, stop, settings, picture));
  BELAY_TRY(trace.write());
  std::vector<std::string> plugins;
  for (const auto& [plugin, calls] : assembly->engine().calls()) plugins.push_back(plugin);
  if (!bench.settings.json) {
    write_out(vision_line(picture, measured.vision) +
              text_line("prefill", settings.text.prefill, measured.text.prefill) +
              text_line("decode", settings.text.decode, measured.text.decode));
    say(format("[{} threads, level {}, {}]", assembly->pool().threads(),
               manifest::to_string(bench.settings.level), fmt::join(plugins, ", ")));
    if (const runtime::StreamUse* streamed = assembly->engine().streamed()) say(streamed_text(*streamed));
    return 0;
  }
  Json out;
  out["schema"] = "belay.bench/1";
  out["vision"] = vision_json(picture, measured.vision);
  out["prefill"] = text_json(settings.text.prefill, measured.text.prefill);
  out["decode"] = text_json(settings.text.decode, measured.text.decode);
  if (settings.text.decode > 0) out["decode"]["depth"] = settings.text.depth;
  out["threads"] = assembly->pool().threads();
  out["level"] = manifest::to_string(bench.settings.level);
  out["plugins"] = plugins;
  const runtime::Engine& engine = assembly->engine();
  out["memory"]["tiers"] = tiers_json(bench.profile.memory, engine.plan(), {engine.streamed(), nullptr});
  out["fallbacks"] = to_json(assembly->engine().fallbacks());
  write_out(to_line(out) + "\n");
  return 0;
}

}  // namespace belay::host
