// A plugin library opened for the kernel tests, and the list of those that this build and this CPU offer.
#pragma once

#include "core/manifest/manifest.hpp"
#include "tests/kernels/op_case.hpp"
#include "tests/kernels/test_host.hpp"

#include <belay/ext/compute.h>

#include <memory>
#include <string>
#include <vector>

namespace belay::kernel_tests {

class LoadedPlugin {
 public:
  // Loads `path`, beside which its manifest lies, and opens its device 0. Throws std::runtime_error with the
  // reason. The library stays mapped.
  LoadedPlugin(std::string name, const std::string& path,
               std::map<std::string, std::string, std::less<>> settings = {});
  ~LoadedPlugin();
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  // Why the plugin cannot run here, or nothing when it can: what its probe says of this machine.
  [[nodiscard]] std::string unavailable() const;

  [[nodiscard]] const std::string& name() const { return name_; }
  // Whether the manifest claims the op for the case's type: that of the weights, or of the cache.
  [[nodiscard]] bool offers(const OpCase& op_case) const;
  [[nodiscard]] TestHost& host() const { return *host_; }
  [[nodiscard]] belay_instance_t* instance() const { return instance_; }
  [[nodiscard]] const belay_compute_t& compute() const { return *compute_; }

 private:
  std::string name_;
  manifest::Manifest manifest_;
  std::unique_ptr<TestHost> host_;
  belay_plugin_t plugin_{};
  belay_instance_t* instance_ = nullptr;
  const belay_compute_t* compute_ = nullptr;
};

// The plugins of the build, or the one that BELAY_KERNEL_PLUGIN names, of the folder BELAY_KERNEL_PLUGIN_DIR.
// One that needs a CPU feature or a library which is not here is left out, with a line "SKIPPED: ..." that
// says which. Opened once, at the first call.
[[nodiscard]] const std::vector<std::unique_ptr<LoadedPlugin>>& loaded_plugins();

}  // namespace belay::kernel_tests
