// belay convert: a Hugging Face folder to GGUF files.
#include "core/base/format.hpp"
#include "core/models/gguf_export.hpp"
#include "core/monitoring/memory_use.hpp"
#include "host/commands/commands.hpp"
#include "host/console.hpp"
#include "host/json_output.hpp"
#include "host/signals.hpp"
#include "host/workbench.hpp"

#include <chrono>

namespace belay::host {
namespace {

struct Outputs {
  std::filesystem::path decoder;
  std::filesystem::path vision;
};

Result<Outputs> read_outputs(const Options& options) {
  const auto out = options.text("out");
  if (!out || out->empty()) return fail(ErrorCode::kUsage, "no output: give --out FILE.gguf");
  Outputs outputs{*out, *out};
  outputs.vision.replace_extension(".mmproj.gguf");
  if (const auto vision = options.text("mmproj-out")) outputs.vision = *vision;
  if (outputs.decoder == outputs.vision)
    return fail(ErrorCode::kUsage, "--out and --mmproj-out are one file, {}; give two",
                outputs.vision.string());
  return outputs;
}

// The tensors of one file, with a line of progress; Ctrl-C ends it between two of them.
models::ExportOptions export_options(const Workbench& bench, const std::string& what) {
  models::ExportOptions options;
  options.quantize = bench.settings.quantize;
  options.threads = bench.settings.threads.value_or(bench.profile.cpu.usable_cpus.value_or(1));
  options.on_tensor = [what](std::size_t done, std::size_t total) -> Status {
    progress(format("writing {}: tensor {} of {}", what, done + 1, total));
    if (interrupted().load()) return Error{ErrorCode::kInterrupted, "interrupted; nothing was written"};
    return {};
  };
  return options;
}

Json file_json(const std::filesystem::path& path) {
  std::error_code failed;
  Json out;
  out["path"] = path.string();
  out["bytes"] = std::filesystem::file_size(path, failed);
  return out;
}

}  // namespace

Result<int> convert_command(Options& options) {
  const auto start = std::chrono::steady_clock::now();
  BELAY_TRY_ASSIGN(const Workbench bench, prepare(options, true));
  BELAY_TRY_ASSIGN(const Outputs outputs, read_outputs(options));
  if (!bench.settings.model) return fail(ErrorCode::kUsage, "no model: give --model FOLDER");
  BELAY_TRY_ASSIGN(const models::ModelFile model, models::ModelFile::open(*bench.settings.model));
  BELAY_TRY(
      export_decoder(model, outputs.decoder, export_options(bench, outputs.decoder.filename().string())));
  Json files = Json::array({file_json(outputs.decoder)});
  if (model.vision()) {
    BELAY_TRY(
        export_vision(model, outputs.vision, export_options(bench, outputs.vision.filename().string())));
    files.push_back(file_json(outputs.vision));
  }
  progress("");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (bench.settings.json) {
    Json out;
    out["schema"] = "belay.convert/1";
    out["files"] = files;
    out["seconds"] = seconds;
    const auto peak = monitoring::peak_rss_bytes();
    out["peak_rss_bytes"] = peak ? Json(*peak) : Json(nullptr);
    write_out(to_line(out) + "\n");
    return 0;
  }
  for (const Json& file : files)
    say(format("[{}: {:.1f} MiB]", file["path"].get<std::string>(),
               file["bytes"].get<double>() / (1U << 20U)));
  say(format("[{:.1f} s; belay run --model {}{}]", seconds, outputs.decoder.string(),
             model.vision() ? " --mmproj " + outputs.vision.string() : ""));
  return 0;
}

}  // namespace belay::host
