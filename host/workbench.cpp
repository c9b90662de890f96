#include "host/workbench.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/mapped_file.hpp"
#include "core/hardware/cpu_features.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/hardware/source_linux.hpp"
#include "host/console.hpp"
#include "host/paths.hpp"

#include <algorithm>
#include <array>

namespace belay::host {
namespace {

// What a child process gets of the environment: where to find libraries and how to read text, nothing that
// changes results.
std::vector<std::string> child_environment() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH"}) {
    if (const char* value = environment(name)) variables.push_back(format("{}={}", name, value));
  }
  return variables;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

std::vector<std::string> storage_folders(const CommonSettings& settings) {
  std::vector<std::string> folders;
  const auto model = settings.model ? settings.model : default_model();
  if (model) folders.push_back(std::filesystem::absolute(*model).parent_path().string());
  if (const auto cache = cache_folder(); cache && folders.empty()) folders.push_back(cache->string());
  return folders;
}

Result<hardware::Profile> look_at_machine(const CommonSettings& settings, const SelfLauncher& launcher) {
  hardware::Profile profile;
  if (settings.hardware) {
    constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 10U;
    BELAY_TRY_ASSIGN(const std::string text, read_file(*settings.hardware, kMostBytes, ErrorCode::kUsage));
    BELAY_TRY_ASSIGN(profile, hardware::read_profile(text, settings.hardware->string()));
  } else {
    hardware::GpuChild gpu_child;
    gpu_child.launcher = launcher;
    gpu_child.arguments = {kGpusArgument};
    profile = hardware::probe(hardware::RealSource(std::move(gpu_child)),
                              {.storage_folders = storage_folders(settings)});
  }
  BELAY_TRY(hardware::mask_features(profile, settings.hidden_features));
  return profile;
}

Result<registry::SearchPath> search_path(const CommonSettings& settings) {
  using registry::Origin;
  registry::SearchPath search;
  if (settings.manifests) {
    search.folders.push_back({*settings.manifests, Origin::kGiven});
    return search;
  }
  for (const std::filesystem::path& folder : settings.plugin_dirs)
    search.folders.push_back({folder, Origin::kGiven});
  BELAY_TRY_ASSIGN(const std::filesystem::path program, program_path());
  search.folders.push_back({plugin_folder(program), Origin::kBuiltIn});
  if (const auto folder = config_folder()) search.folders.push_back({*folder / "plugins", Origin::kUser});
  return search;
}

Result<registry::Registry> find_plugins(const CommonSettings& settings, const hardware::Profile& profile,
                                        const SelfLauncher& launcher, bool plan_only) {
  registry::RegistryOptions options;
  BELAY_TRY_ASSIGN(options.search, search_path(settings));
  options.profile = profile;
  options.plan_only = plan_only && settings.hardware.has_value();
  options.strict_manifests = settings.strict_manifests;
  options.require_signatures = settings.require_signatures;
  options.launcher = launcher;
  const auto cache = cache_folder();
  if (cache && settings.use_cache) options.cache_file = *cache / "probes.json";
  BELAY_TRY_ASSIGN(registry::Registry registry, registry::Registry::create(options));
  for (const std::string& line : registry.diagnostics()) log(LogLevel::kWarn, "{}", line);
  return registry;
}

// A setting for a plugin that does not exist would be silence.
Status check_plugin_options(const CommonSettings& settings, const registry::Registry& registry) {
  const auto known = [&](std::string_view id) {
    const auto usable = registry.usable();
    const auto refused = registry.refused();
    return std::any_of(usable.begin(), usable.end(),
                       [&](const auto& plugin) { return plugin.manifest.id == id; }) ||
           std::any_of(refused.begin(), refused.end(),
                       [&](const auto& plugin) { return plugin.refusal.id == id; });
  };
  for (const auto& [key, value] : settings.plugin_options) {
    const std::string id = key.substr(0, key.rfind('.'));
    if (!known(id))
      return fail(ErrorCode::kUsage, "--plugin-option {}: there is no plugin {}; see `belay probe`", key, id);
  }
  return {};
}

resolver::Policy policy_of(const CommonSettings& settings, const ConfigFile& config) {
  resolver::Policy policy;
  policy.level = settings.level;
  policy.balance = settings.balance == "memory" ? resolver::Balance::kMemory : resolver::Balance::kCompute;
  policy.only = settings.plugins;
  policy.pins = config.pins;
  policy.bans = config.bans;
  if (config.weighted_lambda) {
    policy.mode = resolver::Mode::kWeighted;
    policy.lambda = *config.weighted_lambda;
  }
  for (const auto& [id, change] : config.overrides)
    policy.overrides[id] = {change.priority, change.enabled, {}};
  return policy;
}

}  // namespace

Result<SelfLauncher> self_launcher() {
  SelfLauncher launcher;
  BELAY_TRY_ASSIGN(const std::filesystem::path program, program_path());
  launcher.program = program.string();
  launcher.environment = child_environment();
  if (const char* prefix = environment("BELAY_LAUNCHER")) launcher.prefix = split_words(prefix);
  return launcher;
}

Result<Workbench> prepare(Options& options, bool plan_only) {
  BELAY_TRY_ASSIGN(ConfigFile config, read_config_file(options));
  BELAY_TRY_ASSIGN(CommonSettings settings, read_common(options));
  show_log(settings.verbose);
  BELAY_TRY_ASSIGN(const SelfLauncher launcher, self_launcher());
  BELAY_TRY_ASSIGN(hardware::Profile profile, look_at_machine(settings, launcher));
  BELAY_TRY_ASSIGN(registry::Registry registry, find_plugins(settings, profile, launcher, plan_only));
  BELAY_TRY(check_plugin_options(settings, registry));
  resolver::Policy policy = policy_of(settings, config);
  BELAY_TRY_ASSIGN(resolver::Resolution resolution, runtime::choose(profile, registry, policy));
  return Workbench{std::move(settings), std::move(profile), std::move(registry), std::move(policy),
                   std::move(resolution)};
}

void say_machine(const hardware::Profile& profile) {
  const auto number = [](const auto& value) { return value ? std::to_string(*value) : std::string("?"); };
  const auto gib = [](const auto& value) {
    return value ? format("{:.1f} GiB", static_cast<double>(*value) / (1U << 30U)) : std::string("? GiB");
  };
  const hardware::Cpu& cpu = profile.cpu;
  say(format("machine: {}, {} cores, {} CPUs, {} usable; memory {} of {}", cpu.model.value_or("unknown CPU"),
             number(cpu.physical_cores), number(cpu.logical_cpus), number(cpu.usable_cpus),
             gib(profile.memory.available_bytes), gib(profile.memory.total_bytes)));
}

}  // namespace belay::host
