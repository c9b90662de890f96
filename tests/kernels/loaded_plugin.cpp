#include "tests/kernels/loaded_plugin.hpp"

#include <belay/plugin.h>

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
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

// What the manifest beside the library asks of the CPU.
std::vector<std::string> required_features(const std::string& manifest) {
  std::ifstream file(manifest);
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  std::smatch list;
  std::vector<std::string> features;
  if (!std::regex_search(all, list, std::regex(R"(\n\s*features\s*=\s*\[([^\]]*)\])"))) return features;
  const std::string names = list[1];
  const std::regex name(R"re("([^"]+)")re");
  for (std::sregex_iterator it(names.begin(), names.end(), name), end; it != end; ++it)
    features.push_back((*it)[1]);
  return features;
}

std::string missing_feature(const std::string& manifest) {
  for (const std::string& feature : required_features(manifest)) {
    if (!cpu_has(feature)) return feature;
  }
  return {};
}

void open_into(std::vector<std::unique_ptr<LoadedPlugin>>& plugins, const std::string& name) {
  const std::string folder = BELAY_KERNEL_PLUGIN_DIR;
  const std::string missing = missing_feature(folder + "/" + name + ".toml");
  if (!missing.empty()) {
    std::printf("SKIPPED: %s: this CPU lacks %s\n", name.c_str(), missing.c_str());
    return;
  }
  plugins.push_back(std::make_unique<LoadedPlugin>(name, folder + "/libbelay_" + name + ".so"));
}

}  // namespace

LoadedPlugin::LoadedPlugin(std::string name, const std::string& path,
                           std::map<std::string, std::string, std::less<>> settings)
    : name_(std::move(name)), host_(std::make_unique<TestHost>()) {
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
