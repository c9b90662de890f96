#include "core/base/format.hpp"
#include "host/paths.hpp"

#include <cstdlib>
#include <system_error>

namespace belay::host {
namespace {

std::optional<std::filesystem::path> user_folder(const char* variable, const char* below_home) {
  const char* folder = environment(variable);
  if (folder != nullptr && *folder == '/') return std::filesystem::path(folder) / "belay";
  const char* home = environment("HOME");
  if (home == nullptr || *home != '/') return std::nullopt;
  return std::filesystem::path(home) / below_home / "belay";
}

}  // namespace

const char* environment(const char* name) { return ::secure_getenv(name); }

Result<std::filesystem::path> program_path() {
  std::error_code failed;
  std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return fail(ErrorCode::kGeneral, "cannot find this program's own path: /proc is not mounted?");
  return path;
}

std::filesystem::path plugin_folder(const std::filesystem::path& program) {
  return program.parent_path().parent_path() / "lib" / "belay" / "plugins";
}

std::optional<std::filesystem::path> config_folder() { return user_folder("XDG_CONFIG_HOME", ".config"); }

std::optional<std::filesystem::path> cache_folder() { return user_folder("XDG_CACHE_HOME", ".cache"); }

std::optional<std::filesystem::path> default_model() {
  const auto cache = cache_folder();
  if (!cache) return std::nullopt;
  std::filesystem::path model = *cache / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf";
  std::error_code failed;
  if (!std::filesystem::is_regular_file(model, failed)) return std::nullopt;
  return model;
}

}  // namespace belay::host
