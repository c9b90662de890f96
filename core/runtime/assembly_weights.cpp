// Weights that no file of the model has in the wanted type: made now that the plan says where they will lie.
#include "core/base/format.hpp"
#include "core/runtime/assembly.hpp"

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

}  // namespace

Status Assembly::bind() {
  if (!file_.made().empty()) BELAY_TRY(make_weights());
  if (counts_memory_) BELAY_TRY(read_by_the_piece());
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
