// Weights that no file of the model has in the wanted form: made now that the plan says where they will lie.
#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/text.hpp"
#include "core/runtime/assembly.hpp"
#include "core/runtime/core_optimizations.hpp"

#include <set>

namespace belay::runtime {
namespace {

// Where the tensors lie by now.
void find_again(graph::Graph& graph, const models::ModelFile& file) {
  for (graph::Weight& weight : graph.weights) {
    const models::MadeWeight* made = file.made().find(weight.name);
    if (made == nullptr) continue;
    const graph::Weight& whole = *file.tensors().find(weight.name);
    const auto begin = static_cast<std::size_t>(weight.data.data() - made->room.data());  // of a part of it
    weight.data = whole.data.subspan(begin, weight.data.size());
    weight.home = whole.home;
  }
}

std::set<std::string, std::less<>> names_of_streamed(const graph::Graph& body,
                                                     const memory::LayerPlacement& layers) {
  std::set<std::string, std::less<>> names;
  for (const graph::Node& node : body.nodes) {
    if (can_stream(body, node) && static_cast<std::size_t>(node.layer) >= layers.pinned)
      names.insert(body.weights[node.weights[0]].name);
  }
  return names;
}

double ratio_of(const memory::CompressedFile& copy, std::span<const CompressibleWeight> weights) {
  std::uint64_t bytes = 0;
  for (const CompressibleWeight& weight : weights) bytes += weight.bytes;
  return static_cast<double>(copy.bytes()) / static_cast<double>(bytes);
}

}  // namespace

Status Assembly::bind() {
  if (!file_.made().empty()) BELAY_TRY(make_weights());
  if (counts_memory_) BELAY_TRY(read_by_the_piece());
  if (engine_->plan().memory.layers.streamed_bytes > 0) BELAY_TRY(compress());
  return engine_->bind();
}

Status Assembly::read_by_the_piece() {
  FilePieces pieces;
  BELAY_TRY(pieces.copy_small(model_.decoder.body, file_));
  BELAY_TRY(pieces.copy_small(model_.decoder.head, file_));
  if (model_.vision) BELAY_TRY(pieces.copy_small(model_.vision->graph, file_));
  if (!engine_->embeds_on_a_device()) BELAY_TRY(pieces.embed_by_rows(model_.decoder.body, file_));
  engine_->read_by_the_piece(std::move(pieces));
  return {};
}

Status Assembly::make_weights() {
  MemoryPlan memory = engine_->plan().memory;
  models::MadeWeights::Options options = {.pool = *pool_, .on_weight = making_.on_weight};
  const auto streamed = names_of_streamed(model_.decoder.body, memory.layers);
  const bool streams = memory.layers.streamed_bytes > 0;
  if (streams) {
    options.is_streamed = [&](std::string_view name) { return streamed.contains(name); };
    options.cache_folder = making_.folder;
    options.cache = making_.cache;
  }
  BELAY_TRY_ASSIGN(const std::string trouble, file_.make_weights(options));
  if (!trouble.empty()) BELAY_TRY(note_unkept(trouble));
  find_again(model_.decoder.body, file_);
  find_again(model_.decoder.head, file_);
  // What lies in memory alone cannot be streamed later either, when memory becomes short.
  if (!streams || !trouble.empty()) memory.layer_bytes.clear();
  memory.may_pack_made = memory.may_pack_made && !streams;
  engine_->resize(std::move(memory));
  return {};
}

const Compression& Assembly::weigh_compression() {
  if (!engine_->plan().compression) {
    auto weighed = weigh(compressible_weights(model_.decoder.body, file_));
    engine_->store(weighed.ok() ? *std::move(weighed) : Compression{.why = weighed.error().message});
  }
  return *engine_->plan().compression;
}

// Empty when there may be one.
std::string Assembly::no_copy_because(std::span<const CompressibleWeight> weights) const {
  if (!may_compress_) return format("{} is not chosen", kWeightCompression);
  if (weights.empty()) return "only weights that the model's files have are compressed";
  if (making_.folder.empty()) return "there is no folder for the copy: set HOME or XDG_CACHE_HOME";
  std::error_code failed;
  std::filesystem::create_directories(making_.folder, failed);
  if (failed) return format("{}: {}", printable(making_.folder.string(), 400), failed.message());
  if (!on_one_drive(making_.folder, weights.front().place.file)) {
    return format("the model lies on another drive than {}: set XDG_CACHE_HOME to a folder beside it",
                  printable(making_.folder.string(), 400));
  }
  return {};
}

// A copy that is there was worth making, and says why.
Result<Compression> Assembly::weigh(std::span<const CompressibleWeight> weights) {
  if (std::string reason = no_copy_because(weights); !reason.empty())
    return Compression{.why = std::move(reason)};
  const CopyName name = name_copy(weights, file_, making_.folder);
  if (const auto copy = memory::CompressedFile::open(name.path, name.description); copy.ok()) {
    return Compression{.used = true,
                       .why = format("{}; the copy is {}", copy->note(), printable(name.path.string(), 400)),
                       .ratio = ratio_of(*copy, weights)};
  }
  BELAY_TRY_ASSIGN(CompressionTrial trial, CompressionTrial::make(weights, *pool_));
  Compression compression = {.why = format("zstd leaves {:.0f} % of the weights' bytes", 100 * trial.ratio()),
                             .ratio = trial.ratio()};
  if (trial.ratio() * kLeastGain >= 1) return compression;
  if (const auto reading = streaming_trial()) compression.gain = trial.gain(*storage_, *reading);
  compression.used = compression.gain.value_or(0) > kLeastGain;
  compression.why += compression.gain
                         ? format("; to read and unpack them is {:.2f} times as fast as to read them whole",
                                  *compression.gain)
                         : "; how fast they are read is not known";
  return compression;
}

// Streamed weights are read from a compressed copy, if that is a gain; whatever becomes of it, the run goes
// on.
Status Assembly::compress() {
  Compression compression = weigh_compression();
  log(LogLevel::kInfo, "streamed weights are {}: {}", compression.used ? "compressed" : "not compressed",
      compression.why);
  if (!compression.used) return {};
  const auto weights = compressible_weights(model_.decoder.body, file_);
  const CopyName name = name_copy(weights, file_, making_.folder);
  auto copy = memory::CompressedFile::open(name.path, name.description);
  if (!copy.ok()) {
    Status made = make_copy(weights, name, compression.why, *pool_, making_.on_weight);
    if (!made.ok() && made.error().code == ErrorCode::kInterrupted) return made;
    copy = made.ok() ? memory::CompressedFile::open(name.path, name.description) : made.error();
  }
  if (copy.ok()) {
    engine_->read_compressed(*std::move(copy));
    return {};
  }
  compression.used = false;
  compression.why += format("; the copy cannot be made: {}", copy.error().message);
  log(LogLevel::kWarn, "streamed weights are not compressed: {}", copy.error().message);
  engine_->store(std::move(compression));
  return {};
}

// The run goes on without a file for them.
Status Assembly::note_unkept(const std::string& trouble) {
  const std::string why = format(
      "{}; what is streamed is made of the model's own weights at every pass, which is slow: make room "
      "there, "
      "choose another folder with XDG_CACHE_HOME, or raise --memory-limit",
      trouble);
  if (making_.strict) {
    return fail(ErrorCode::kFallbackForbidden,
                "weights of another type cannot be kept on the disk: {}; --strict forbids a fallback", why);
  }
  engine_->fallback_log().record("weights", "cache", "source", {BELAY_IO, BELAY_SCOPE_OP, why});
  return {};
}

}  // namespace belay::runtime
