#include "core/runtime/assembly.hpp"

#include "core/base/log.hpp"
#include "core/runtime/core_optimizations.hpp"

#include <belay/ext/memory.h>
#include <belay/ext/telemetry.h>

#include <algorithm>

namespace belay::runtime {
namespace {

dispatch::OpenCompute opener(registry::Registry& registry, registry::HostServices& services,
                             const manifest::Manifest& manifest) {
  return [&registry, &services, &manifest]() -> Result<dispatch::Compute> {
    BELAY_TRY_ASSIGN(registry::Plugin * plugin,
                     registry.open(manifest.id, services, manifest.version.text()));
    if (plugin->compute() == nullptr) {
      return fail(ErrorCode::kNoPlugin, "{} offers no operators (no {})", manifest.id, BELAY_COMPUTE_1);
    }
    plugin->mark_in_use();
    const auto* memory = static_cast<const belay_memory_t*>(plugin->interface(BELAY_MEMORY_1));
    const auto* telemetry = static_cast<const belay_telemetry_t*>(plugin->interface(BELAY_TELEMETRY_1));
    return dispatch::Compute{plugin->compute(), plugin->instance(), memory, telemetry};
  };
}

std::function<Result<dispatch::StorageTable>()> storage_opener(registry::Registry& registry,
                                                               registry::HostServices& services,
                                                               const manifest::Manifest& manifest) {
  return [&registry, &services, &manifest]() -> Result<dispatch::StorageTable> {
    BELAY_TRY_ASSIGN(registry::Plugin * plugin,
                     registry.open(manifest.id, services, manifest.version.text()));
    const belay_storage_t* storage = plugin->storage();
    if (storage == nullptr)
      return fail(ErrorCode::kNoPlugin, "{} reads no files (no {})", manifest.id, BELAY_STORAGE_1);
    plugin->mark_in_use();
    return dispatch::StorageTable{storage, plugin->instance()};
  };
}

bool chosen(std::span<const std::string> optimizations, std::string_view id) {
  return std::find(optimizations.begin(), optimizations.end(), id) != optimizations.end();
}

PlanOptions with_choices(PlanOptions options, std::span<const std::string> optimizations) {
  options.may_stream = chosen(optimizations, kWeightOffload);
  return options;
}

std::unique_ptr<threading::Pool> make_pool(const hardware::Profile& profile,
                                           std::span<const std::string> optimizations,
                                           std::uint32_t threads) {
  threading::PoolOptions options;
  options.threads = std::max(1U, threads != 0 ? threads : profile.cpu.usable_cpus.value_or(1));
  for (const hardware::LogicalCpu& cpu : profile.cpu.allowed) options.cpus.push_back(cpu.os_index);
  options.pin = chosen(optimizations, kThreadAffinity);
  return std::make_unique<threading::Pool>(std::move(options));
}

// The type of keys and values; says so where the model does not allow the one that was chosen.
DType cache_of(const models::ModelFile& file, std::span<const std::string> optimizations) {
  const DType dtype = cache_dtype(optimizations, file.config().head_dim);
  if (chosen(optimizations, kKvQ8) && dtype != DType::kQ8_0) {
    log(LogLevel::kWarn, "{}: heads of {} values are not whole blocks of 32: the KV cache is {} instead",
        kKvQ8, file.config().head_dim, to_string(dtype));
  }
  return dtype;
}

Result<std::optional<models::VisionBlocks>> declare_vision_blocks(
    models::ModelFile& file, std::span<const std::string> optimizations) {
  if (!chosen(optimizations, kVisionQ8) || !file.vision()) return std::optional<models::VisionBlocks>();
  BELAY_TRY_ASSIGN(models::VisionBlocks blocks, models::VisionBlocks::declare(file.tensors()));
  return std::optional(std::move(blocks));
}

}  // namespace

Result<Plan> plan_only(models::ModelFile file, const registry::Registry& registry,
                       const resolver::Resolution& resolution, const PlanOptions& options) {
  const auto optimizations = resolver::ids_of(resolution.optimizations);
  BELAY_TRY_ASSIGN(const auto vision_blocks, declare_vision_blocks(file, optimizations));
  BELAY_TRY_ASSIGN(const models::Model model, models::build_model(file, cache_of(file, optimizations)));
  return make_plan(model, file.tensors().bytes(), selected_manifests(registry, resolution),
                   with_choices(options, optimizations));
}

Result<std::unique_ptr<Assembly>> Assembly::create(const hardware::Profile& profile,
                                                   registry::Registry& registry,
                                                   const resolver::Resolution& resolution,
                                                   models::ModelFile file, const AssemblyOptions& options) {
  std::unique_ptr<Assembly> assembly(new Assembly(registry, std::move(file)));
  assembly->making_ = options.making;
  const auto optimizations = resolver::ids_of(resolution.optimizations);
  assembly->may_compress_ = chosen(optimizations, kWeightCompression);
  BELAY_TRY_ASSIGN(assembly->vision_blocks_, declare_vision_blocks(assembly->file_, optimizations));
  BELAY_TRY_ASSIGN(assembly->model_,
                   models::build_model(assembly->file_, cache_of(assembly->file_, optimizations)));
  const auto manifests = selected_manifests(registry, resolution);
  const PlanOptions wanted = with_choices(options.plan, optimizations);
  BELAY_TRY_ASSIGN(Plan plan,
                   make_plan(assembly->model_, assembly->file_.tensors().bytes(), manifests, wanted));
  assembly->pool_ = make_pool(profile, optimizations, options.threads);
  assembly->services_ = assembly->make_services(profile, options);
  assembly->choose_storage(manifests);
  std::vector<std::unique_ptr<dispatch::Backend>> backends;
  backends.reserve(manifests.size());
  for (const manifest::Manifest* manifest : manifests) {
    backends.push_back(
        std::make_unique<dispatch::Backend>(manifest->id, numerics_of(manifest->id, optimizations),
                                            opener(registry, *assembly->services_, *manifest)));
  }
  BELAY_TRY_ASSIGN(assembly->engine_, Engine::create(assembly->model_, std::move(plan), std::move(backends),
                                                     options.dispatch, wanted.image_patches));
  BELAY_TRY(assembly->size_memory(wanted));
  assembly->prepare_streaming(options);
  return assembly;
}

// The plan's memory once more, now that the opened plugins can say what they need.
Status Assembly::size_memory(const PlanOptions& wanted) {
  const MemoryPlan& first = engine_->plan().memory;
  MemoryUse use = first.whole;
  use.packed_bytes = engine_->workspace_bytes();
  if (wanted.memory_limit) use.packed_bytes += FilePieces::bytes_of_step(model_.decoder.body, first.chunk);
  PlanOptions options = wanted;
  if (const auto& device = engine_->plan().device) make_room(*device, use, options);
  BELAY_TRY_ASSIGN(MemoryPlan sized, plan_memory(model_, use, first.context, options));
  counts_memory_ = (wanted.memory_limit && wanted.limit_is_set) || sized.layers.streamed_bytes > 0;
  engine_->resize(std::move(sized));
  return {};
}

void Assembly::prepare_streaming(const AssemblyOptions& options) {
  dispatch::Storage* storage = storage_ ? &*storage_ : nullptr;
  dispatch::FallbackLog& fallbacks = engine_->fallback_log();
  const bool strict = options.dispatch.strict;
  if (engine_->plan().memory.kv_spilled_bytes > 0)
    engine_->spill({options.spill_folder, storage, fallbacks, *pool_, strict});
  const WeightStream::Parts parts = {file_, storage, fallbacks, *pool_};
  engine_->stream(std::make_unique<WeightStream>(model_.decoder.body, parts, strict), options.relief);
}

void Assembly::choose_storage(std::span<const manifest::Manifest* const> selected) {
  for (const manifest::Manifest* manifest : selected) {
    const bool reads = std::any_of(manifest->provides.begin(), manifest->provides.end(),
                                   [](const auto& offer) { return offer.op == BELAY_STORAGE_1; });
    if (!reads) continue;
    storage_.emplace(manifest->id, storage_opener(registry_, *services_, *manifest));
    return;
  }
}

Prediction Assembly::predict() {
  const memory::LayerPlacement& layers = engine_->plan().memory.layers;
  TierSpeeds speeds;
  speeds.host = measure_host(*pool_);
  if (layers.streamed_bytes > 0) speeds.disk = measure_streaming();
  return runtime::predict(token_bytes(model_.decoder, layers), speeds);
}

// Bytes of weights a second, as they are going to be read.
std::optional<double> Assembly::measure_streaming() {
  const auto trial = streaming_trial();
  if (!trial) return std::nullopt;
  if (!weigh_compression().used) return measure_disk(*storage_, *trial);
  auto packed = CompressionTrial::make(compressible_weights(model_.decoder.body, file_), *pool_);
  return packed.ok() ? packed->packed_speed(*storage_, *trial) : std::nullopt;
}

// How the first of the streamed weights would be read.
std::optional<DiskTrial> Assembly::streaming_trial() {
  constexpr std::uint64_t kMeasured = std::uint64_t{256} << 20U;
  const memory::LayerPlacement& layers = engine_->plan().memory.layers;
  const graph::Graph& body = model_.decoder.body;
  const auto streamed = std::find_if(body.nodes.begin(), body.nodes.end(), [&](const graph::Node& node) {
    return can_stream(body, node) && static_cast<std::size_t>(node.layer) >= layers.pinned;
  });
  if (!storage_ || streamed == body.nodes.end()) return std::nullopt;
  const graph::Weight& weight = body.weights[streamed->weights[0]];
  // What is not made yet is measured where its source lies.
  const models::MadeWeight* made = file_.made().find(weight.name);
  const auto place = file_.place_of(made != nullptr ? made->source.data : weight.data);
  if (!place) return std::nullopt;
  return DiskTrial{place->file, place->offset, std::min(layers.streamed_bytes, kMeasured), layers.ring_bytes,
                   [this](std::span<const std::byte> arrived) { use_arrived(arrived, *pool_); }};
}

// The kernels first, then the plugins, which may still ask for their services while they close.
Assembly::~Assembly() {
  engine_.reset();
  registry_.close();
}

Result<std::unique_ptr<VisionEncoder>> Assembly::vision_encoder(const Stop& stop) {
  if (vision_blocks_) BELAY_TRY(vision_blocks_->make(*pool_));
  return engine_->vision_encoder(file_.tensors(), *pool_, stop);
}

std::unique_ptr<registry::HostServices> Assembly::make_services(const hardware::Profile& profile,
                                                                const AssemblyOptions& options) const {
  registry::HostCallbacks callbacks;
  callbacks.threads = pool_.get();
  callbacks.parallel_for = [](void* threads, std::uint64_t count, std::uint64_t grain, belay_range_fn body,
                              void* user) {
    static_cast<threading::Pool*>(threads)->parallel_for(count, grain, body, user);
    return belay_status_t{BELAY_OK};
  };
  callbacks.max_concurrency = [](void* threads) {
    return static_cast<std::uint32_t>(static_cast<threading::Pool*>(threads)->threads());
  };
  callbacks.cancelled = options.interrupted;
  callbacks.cpu_features = registry::usable_features(profile);
  callbacks.config = options.plugin_options;
  callbacks.trace = options.dispatch.trace;
  return std::make_unique<registry::HostServices>(std::move(callbacks));
}

}  // namespace belay::runtime
