#include "tests/support/test_engine.hpp"

#include "core/hardware/probe.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/runtime/generate.hpp"
#include "core/runtime/sampler.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cstdlib>

namespace belay::test {
namespace {

hardware::Profile machine_with(const std::vector<hardware::Gpu>& gpus) {
  static const hardware::Profile profile =
      hardware::probe(hardware::RealSource(), {{}, hardware::AskGpus::kNever});
  hardware::Profile with = profile;
  with.gpus = gpus;
  return with;
}

registry::Registry make_registry(const EngineSpec& spec) {
  registry::RegistryOptions options;
  for (const auto& folder : spec.further_folders)
    options.search.folders.push_back({folder, registry::Origin::kGiven});
  options.search.folders.push_back({BELAY_TEST_PLUGIN_DIR, registry::Origin::kGiven});
  options.profile = machine_with(spec.gpus);
  options.launcher.environment = spec.child_environment;
  options.launcher.program = BELAY_TEST_PROGRAM;
  options.cache_file = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "probes.json";
  auto made = registry::Registry::create(options);
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
  return *std::move(made);
}

}  // namespace

TestEngine::TestEngine(const EngineSpec& spec) {
  const Status started = start(spec);
  REQUIRE_MESSAGE(started.ok(), (started.ok() ? std::string() : started.error().message));
}

Status TestEngine::start(const EngineSpec& spec) {
  registry_ = std::make_unique<registry::Registry>(make_registry(spec));
  resolver::Policy policy;
  policy.level = spec.level;
  policy.balance = spec.balance;
  policy.only = spec.plugins;
  const hardware::Profile machine = machine_with(spec.gpus);
  BELAY_TRY_ASSIGN(const auto resolution, runtime::choose(machine, *registry_, policy));
  BELAY_TRY_ASSIGN(auto file, models::ModelFile::open(spec.model, {spec.mmproj, spec.quantize}));
  runtime::AssemblyOptions options;
  options.plan.context = spec.context;
  options.plan.memory_limit = spec.memory_limit;
  options.plan.head_rows = runtime::kMostHeadRows;  // many tests look at the logits of every token
  options.relief = spec.relief;
  options.dispatch = spec.dispatch;
  options.threads = spec.threads;
  options.spill_folder =
      spec.spill_folder.empty() ? std::filesystem::path(BELAY_TEST_BINARY_DIR) / "spill" : spec.spill_folder;
  options.making = spec.making;
  options.plugin_options = spec.plugin_options;
  BELAY_TRY_ASSIGN(assembly_,
                   runtime::Assembly::create(machine, *registry_, resolution, std::move(file), options));
  BELAY_TRY(assembly_->bind());
  BELAY_TRY_ASSIGN(session_, assembly_->engine().session(assembly_->pool(), stop_));
  return {};
}

Result<std::vector<std::int32_t>> TestEngine::try_generate(const EngineSpec& spec,
                                                           std::vector<std::int32_t> prompt,
                                                           std::uint64_t count) {
  TestEngine engine;
  BELAY_TRY(engine.start(spec));
  return engine.tokens(std::move(prompt), count);
}

Result<std::vector<std::int32_t>> TestEngine::tokens(std::vector<std::int32_t> prompt, std::uint64_t count) {
  session_->rewind(0);
  runtime::Sampler sampler({});
  runtime::GenerationHooks hooks;
  hooks.is_end = [](std::int32_t) { return false; };
  BELAY_TRY_ASSIGN(auto generation, runtime::generate(*session_, sampler, {prompt, count, true}, hooks));
  return std::move(generation.tokens);
}

std::vector<std::int32_t> TestEngine::generate(std::vector<std::int32_t> prompt, std::uint64_t count) {
  auto generated = tokens(std::move(prompt), count);
  REQUIRE_MESSAGE(generated.ok(), (generated.ok() ? std::string() : generated.error().message));
  return *std::move(generated);
}

std::vector<std::vector<float>> TestEngine::logits(const std::vector<std::int32_t>& tokens) {
  session_->rewind(0);
  std::vector<std::vector<float>> rows;
  const Status fed = session_->feed(tokens, [&](std::uint64_t, std::span<const float> row) -> Status {
    rows.emplace_back(row.begin(), row.end());
    return {};
  });
  REQUIRE_MESSAGE(fed.ok(), (fed.ok() ? std::string() : fed.error().message));
  return rows;
}

std::vector<std::string> usable_plugins(const std::vector<std::string>& wanted) {
  std::vector<std::string> usable;
  const registry::Registry registry = make_registry({.model = {}});
  for (const std::string& id : wanted) {
    const auto is_it = [&](const registry::Candidate& candidate) { return candidate.manifest.id == id; };
    if (std::any_of(registry.usable().begin(), registry.usable().end(), is_it)) {
      usable.push_back(id);
    } else {
      MESSAGE("skipped: this machine cannot run " << id);
    }
  }
  return usable;
}

std::optional<std::filesystem::path> smollm2() {
  const char* given = std::getenv("BELAY_TEST_SMOLLM2");
  if (given != nullptr && *given != '\0') return given;
  const char* home = std::getenv("HOME");
  const std::filesystem::path kept = std::filesystem::path(home == nullptr ? "/" : home) /
                                     ".cache/belay/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  std::error_code failed;
  if (given == nullptr && std::filesystem::is_regular_file(kept, failed)) return kept;
  MESSAGE("skipped: no SmolLM2 here; tools/fetch_model gets it");
  return std::nullopt;
}

}  // namespace belay::test
