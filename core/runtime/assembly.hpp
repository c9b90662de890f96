// Everything that runs one model, put together in the one right order and taken apart in the other: the file,
// what it computes, threads, the services that plugins get, and the engine. One thread at a time.
#pragma once

#include "core/formats/gguf.hpp"
#include "core/hardware/profile.hpp"
#include "core/registry/host_services.hpp"
#include "core/registry/registry.hpp"
#include "core/runtime/choice.hpp"
#include "core/runtime/engine.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace belay::runtime {

struct AssemblyOptions {
  PlanOptions plan;
  dispatch::DispatchOptions dispatch;
  std::uint32_t threads = 0;  // 0: as many as CPUs are usable
  const std::atomic<bool>* interrupted = nullptr;
  std::map<std::string, std::string, std::less<>> plugin_options;  // "id.key" to value
};

// What would run where, from the manifests alone.
[[nodiscard]] Result<Plan> plan_only(const formats::GgufFile& file, const registry::Registry& registry,
                                     const resolver::Resolution& resolution, const PlanOptions& options);

class Assembly {
 public:
  // Opens the plugins that head a chain and asks them; binds nothing yet. `registry` outlives the assembly,
  // which closes its plugins at the end: no two assemblies at a time have the same registry.
  [[nodiscard]] static Result<std::unique_ptr<Assembly>> create(const hardware::Profile& profile,
                                                                registry::Registry& registry,
                                                                const resolver::Resolution& resolution,
                                                                formats::GgufFile file,
                                                                const AssemblyOptions& options);

  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;
  ~Assembly();

  [[nodiscard]] const formats::GgufFile& file() const { return file_; }
  [[nodiscard]] const models::Decoder& decoder() const { return decoder_; }
  [[nodiscard]] threading::Pool& pool() { return *pool_; }
  [[nodiscard]] Engine& engine() { return *engine_; }

 private:
  Assembly(registry::Registry& registry, formats::GgufFile file)
      : registry_(registry), file_(std::move(file)) {}
  [[nodiscard]] std::unique_ptr<registry::HostServices> make_services(const hardware::Profile& profile,
                                                                      const AssemblyOptions& options) const;

  registry::Registry& registry_;
  formats::GgufFile file_;
  models::Decoder decoder_;
  std::unique_ptr<threading::Pool> pool_;
  std::unique_ptr<registry::HostServices> services_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace belay::runtime
