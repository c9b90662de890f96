#include "tests/kernels/loaded_plugin.hpp"

#include "core/manifest/parse.hpp"

#include <belay/plugin.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace belay::kernel_tests {
namespace {

belay_entry_fn load_entry(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(std::string("cannot load: ") + dlerror());
  void* symbol = dlsym(library, BELAY_ENTRY_SYMBOL);
  if (symbol == nullptr) throw std::runtime_error(path + " has no " BELAY_ENTRY_SYMBOL);
  return reinterpret_cast<belay_entry_fn>(symbol);
}

void require(belay_status_t status, const char* what, const belay_error_t& error) {
  if (status == BELAY_OK) return;
  throw std::runtime_error(std::string(what) + " returned " + std::to_string(status) + ": " + error.message);
}

manifest::Manifest read_manifest(const std::filesystem::path& file) {
  auto parsed = manifest::load_manifest(file);
  if (!parsed.manifest) throw std::runtime_error(file.string() + " is no manifest");
  return *std::move(parsed.manifest);
}

// "folder/libbelay_cpu_sse.so" -> "folder/cpu_sse.toml"
std::filesystem::path manifest_beside(const std::filesystem::path& library) {
  constexpr std::size_t kPrefix = std::string_view("libbelay_").size();
  return library.parent_path() / (library.stem().string().substr(kPrefix) + ".toml");
}

// The type that the dtypes of a manifest's claim are about.
DType claimed_type(const OpCase& op_case) {
  if (op_case.op == BELAY_OP_LINEAR || op_case.op == BELAY_OP_EMBED) return op_case.constants[0].dtype;
  if (op_case.op == BELAY_OP_KV_WRITE) return op_case.outputs[0].dtype;
  if (op_case.op == BELAY_OP_ATTENTION) return op_case.inputs[1].dtype;
  return DType::kF32;
}

void open_into(std::vector<std::unique_ptr<LoadedPlugin>>& plugins, const std::string& name) {
  const char* elsewhere = std::getenv("BELAY_KERNEL_PLUGIN_DIR");
  const std::filesystem::path folder = elsewhere != nullptr ? elsewhere : BELAY_KERNEL_PLUGIN_DIR;
  for (const std::string& feature : read_manifest(folder / (name + ".toml")).requires_.cpu_features) {
    if (cpu_has(feature)) continue;
    std::printf("SKIPPED: %s: this CPU lacks %s\n", name.c_str(), feature.c_str());
    return;
  }
  auto plugin = std::make_unique<LoadedPlugin>(name, folder / ("libbelay_" + name + ".so"));
  const std::string why = plugin->unavailable();
  if (!why.empty()) {
    std::printf("SKIPPED: %s: %s\n", name.c_str(), why.c_str());
    return;
  }
  plugins.push_back(std::move(plugin));
}

}  // namespace

LoadedPlugin::LoadedPlugin(std::string name, const std::string& path,
                           std::map<std::string, std::string, std::less<>> settings)
    : name_(std::move(name)),
      manifest_(read_manifest(manifest_beside(path))),
      host_(std::make_unique<TestHost>()) {
  host_->settings = std::move(settings);
  belay_error_t error{};
  error.struct_size = sizeof error;
  plugin_.struct_size = sizeof plugin_;
  require(load_entry(path)(host_->table(), &plugin_, &error), "entry", error);
  belay_open_t options{};
  options.struct_size = sizeof options;
  require(plugin_.open(host_->table(), &options, &instance_, &error), "open", error);
  belay_str_t id = BELAY_STR(BELAY_COMPUTE_1);
  compute_ = static_cast<const belay_compute_t*>(plugin_.get_interface(instance_, id));
  if (compute_ == nullptr) throw std::runtime_error(path + " does not offer " BELAY_COMPUTE_1);
}

LoadedPlugin::~LoadedPlugin() { plugin_.close(instance_); }

std::string LoadedPlugin::unavailable() const {
  belay_error_t error{};
  error.struct_size = sizeof error;
  std::uint64_t count = 0;
  const belay_status_t status = plugin_.probe(host_->table(), nullptr, 0, &count, &error);
  if (status == BELAY_NO_DRIVER || status == BELAY_UNSUPPORTED) return error.message;
  require(status, "probe", error);
  return {};
}

bool LoadedPlugin::offers(const OpCase& op_case) const {
  const std::string_view dtype = to_string(claimed_type(op_case));
  return std::any_of(manifest_.provides.begin(), manifest_.provides.end(), [&](const auto& claim) {
    return claim.op == op_case.op &&
           std::find(claim.dtypes.begin(), claim.dtypes.end(), dtype) != claim.dtypes.end();
  });
}

const std::vector<std::unique_ptr<LoadedPlugin>>& loaded_plugins() {
  static const auto plugins = [] {
    std::vector<std::unique_ptr<LoadedPlugin>> opened;
    const char* only = std::getenv("BELAY_KERNEL_PLUGIN");
    std::istringstream names(only != nullptr ? only : BELAY_KERNEL_PLUGINS);
    for (std::string name; names >> name;) open_into(opened, name);
    return opened;
  }();
  return plugins;
}

}  // namespace belay::kernel_tests
