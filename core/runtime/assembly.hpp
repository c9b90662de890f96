// Everything that runs one model, put together in the one right order and taken apart in the other: the file,
// what it computes, threads, the services that plugins get, and the engine. One thread at a time.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/models/model.hpp"
#include "core/models/quantize_weights.hpp"
#include "core/registry/host_services.hpp"
#include "core/registry/registry.hpp"
#include "core/runtime/choice.hpp"
#include "core/runtime/engine.hpp"
#include "core/runtime/prediction.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace belay::runtime {

// How weights are made that no file of the model has in the wanted type.
struct MakingOptions {
  // Called before each of them; may be empty.
  std::function<Status(std::size_t done, std::size_t total)> on_weight = {};
  std::filesystem::path folder = {};  // for those that are streamed; empty: there is none
  memory::TileFile::Options cache = {};
  bool strict = false;  // when they cannot be kept there
};

struct AssemblyOptions {
  PlanOptions plan;
  dispatch::DispatchOptions dispatch;
  std::uint32_t threads = 0;           // 0: as many as CPUs are usable
  std::filesystem::path spill_folder;  // for a KV cache that has no place in memory
  MakingOptions making;
  Engine::Relief relief;  // when memory gets short
  const std::atomic<bool>* interrupted = nullptr;
  std::map<std::string, std::string, std::less<>> plugin_options;  // "id.key" to value
};

// What would run where, from the manifests alone.
[[nodiscard]] Result<Plan> plan_only(models::ModelFile file, const registry::Registry& registry,
                                     const resolver::Resolution& resolution, const PlanOptions& options);

class Assembly {
 public:
  // Opens the plugins that head a chain and asks them; binds nothing yet. `registry` outlives the assembly,
  // which closes its plugins at the end: no two assemblies at a time have the same registry.
  [[nodiscard]] static Result<std::unique_ptr<Assembly>> create(const hardware::Profile& profile,
                                                                registry::Registry& registry,
                                                                const resolver::Resolution& resolution,
                                                                models::ModelFile file,
                                                                const AssemblyOptions& options);

  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;
  ~Assembly();

  [[nodiscard]] const models::ModelFile& file() const { return file_; }
  [[nodiscard]] const models::Decoder& decoder() const { return model_.decoder; }
  [[nodiscard]] threading::Pool& pool() { return *pool_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  // Makes the weights that are to be made, packs and binds. Then sessions may be made.
  [[nodiscard]] Status bind();
  // What the plan's decoding will reach on this machine; measures its memory and, when layers are streamed,
  // its disk and whether they are compressed, which takes some tenths of a second. Before the engine is
  // bound.
  [[nodiscard]] Prediction predict();
  // Encodes images, for a model that does; its weights are made and bound at this call. `stop` must outlive
  // it.
  [[nodiscard]] Result<std::unique_ptr<VisionEncoder>> vision_encoder(const Stop& stop);

 private:
  Assembly(registry::Registry& registry, models::ModelFile file)
      : registry_(registry), file_(std::move(file)) {}
  void choose_storage(std::span<const manifest::Manifest* const> selected);
  Status size_memory(const PlanOptions& wanted);
  void prepare_streaming(const AssemblyOptions& options);
  [[nodiscard]] std::optional<double> measure_streaming();
  [[nodiscard]] std::optional<DiskTrial> streaming_trial();
  const Compression& weigh_compression();
  [[nodiscard]] std::string no_copy_because(std::span<const CompressibleWeight> weights) const;
  [[nodiscard]] Result<Compression> weigh(std::span<const CompressibleWeight> weights);
  Status make_weights();
  Status compress();
  Status read_by_the_piece();
  Status note_unkept(const std::string& trouble);
  [[nodiscard]] std::unique_ptr<registry::HostServices> make_services(const hardware::Profile& profile,
                                                                      const AssemblyOptions& options) const;

  registry::Registry& registry_;
  models::ModelFile file_;
  MakingOptions making_;
  bool counts_memory_ = false;  // by a limit, or because not all has a place there
  bool may_compress_ = false;
  std::optional<models::VisionBlocks> vision_blocks_;  // of file_
  models::Model model_;
  std::unique_ptr<threading::Pool> pool_;
  std::unique_ptr<registry::HostServices> services_;
  std::optional<dispatch::Storage> storage_;  // the first selected plugin that reads files
  std::unique_ptr<Engine> engine_;
};

}  // namespace belay::runtime
