#include "core/registry/probe_child.hpp"

#include "core/base/format.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/manifest/parse.hpp"
#include "core/registry/host_services.hpp"
#include "core/registry/known_answer.hpp"
#include "core/registry/probe_protocol.hpp"
#include "core/registry/verify.hpp"

namespace belay::registry {
namespace {

Objection failed(std::string detail) {
  return {Stage::kProbe, std::string(reason::kProbeFailed), std::move(detail)};
}

// What goes wrong while a plugin opens is, here, its probe that failed.
Objection as_probe(Objection objection) {
  if (objection.stage == Stage::kOpen) objection.stage = Stage::kProbe;
  if (objection.reason == reason::kOpenFailed) objection.reason = reason::kProbeFailed;
  return objection;
}

Checked<manifest::Manifest> same_manifest(const ProbeRequest& request) {
  auto parsed = manifest::load_manifest(request.manifest);
  if (!parsed.manifest || parsed.refusal)
    return failed(format("{} does not parse any more", request.manifest));
  if (parsed.manifest->id != request.id || parsed.manifest->version.text() != request.version) {
    return failed(format("{} changed while the plugin was looked at", request.manifest));
  }
  return *std::move(parsed.manifest);
}

Checked<Library> load(const ProbeRequest& request, const manifest::Manifest& manifest) {
  auto file = LibraryFile::open(manifest.file.parent_path(), manifest.library, trust_current_user());
  if (!file) return std::move(file).objection();
  auto verified = verify(*file, manifest);
  if (!verified) return std::move(verified).objection();
  if (verified->sha256 != request.sha256) {
    return Objection{Stage::kTrust, std::string(reason::kHash),
                     format("{} was swapped between its check and its loading", file->path().string())};
  }
  return Library::load(std::move(file).value(), verified->elf);
}

// Each step is said before it is done, so that the parent knows where a process died.
Verdict examine(const ProbeRequest& request, const hardware::Profile& profile, const Say& say) {
  const auto step = [&](std::string_view what) { say(step_line(what)); };
  Verdict verdict;
  auto manifest = same_manifest(request);
  if (!manifest) return verdict.objection = std::move(manifest).objection(), verdict;
  step("load");
  auto library = load(request, *manifest);
  if (!library) return verdict.objection = as_probe(std::move(library).objection()), verdict;
  step("entry, probe and open");
  HostCallbacks callbacks;
  callbacks.cpu_features = usable_features(profile);
  HostServices services(std::move(callbacks));
  auto plugin = Plugin::open(*manifest, *library, services.table(manifest->id));
  if (!plugin) return verdict.objection = as_probe(std::move(plugin).objection()), verdict;
  verdict.device = (*plugin)->device();
  if (request.known_answer) {
    KnownAnswers answers = run_known_answers(**plugin, step);
    verdict.known_answers = answers.right;
    verdict.objection = std::move(answers.objection);
  }
  step("drain and close");
  plugin->reset();
  step("exit");
  return verdict;
}

}  // namespace

int run_probe_child(std::string_view text, const Say& say) {
  const auto request = read_request(text);
  if (!request) return 2;
  const auto profile = hardware::read_profile(request->profile_toml, "the parent's profile");
  if (!profile) {
    Verdict verdict;
    verdict.objection = failed(profile.error().message);
    say(to_line(verdict_json(verdict)) + "\n");
    return 0;
  }
  say(to_line(verdict_json(examine(*request, *profile, say))) + "\n");
  return 0;
}

}  // namespace belay::registry
