// A model ready to run by a plan: its plugins opened, asked and bound. Sessions are made from it. Created
// once; one thread at a time. Everything given must outlive the engine.
#pragma once

#include "core/dispatch/backend.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/models/model.hpp"
#include "core/runtime/plan.hpp"
#include "core/runtime/session.hpp"
#include "core/runtime/stop.hpp"
#include "core/runtime/vision_encoder.hpp"
#include "core/runtime/weight_stream.hpp"
#include "core/threading/pool.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay::runtime {

class Engine {
 public:
  // `backends`: the selected plugins, best first, as the plan's chains count them. Opens those that head a
  // chain and asks them about every node, and places layers on a device, if there is one; `image_patches` are
  // those of the largest image. Afterwards plan() is what runs; nothing is bound yet.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(
      const models::Model& model, Plan plan, std::vector<std::unique_ptr<dispatch::Backend>> backends,
      const dispatch::DispatchOptions& options, std::uint64_t image_patches = 0);

  // How weights of the decoder's body can be streamed; before bind(). `available` says how much memory the
  // machine has left, and may know nothing: when it falls below `keep_free`, more layers are streamed. They
  // come back when there has been room for them, and half of `keep_free` more, for as long as `calm`.
  struct Relief {
    std::function<std::optional<std::uint64_t>()> available;
    std::uint64_t keep_free = 0;  // 0: nobody looks
    std::chrono::milliseconds calm = std::chrono::seconds(10);
  };
  void stream(std::unique_ptr<WeightStream> weights, Relief relief);
  // How streamed weights are stored, and their copy if that is compressed; before bind().
  void store(Compression compression) { plan_.compression = std::move(compression); }
  void read_compressed(memory::CompressedFile copy) { weights_->read_compressed(std::move(copy)); }
  // What the graphs read of the model's file by the piece; before bind().
  void read_by_the_piece(FilePieces pieces) { pieces_.emplace(std::move(pieces)); }
  [[nodiscard]] bool embeds_on_a_device() const;
  // Sessions keep their KV cache in a file there.
  void spill(KvStream::Parts parts) { spill_.emplace(std::move(parts)); }
  // What both graphs need beside what the plan knows, and the plan that knows it; before bind().
  [[nodiscard]] std::uint64_t workspace_bytes();
  void resize(MemoryPlan memory) { plan_.memory = std::move(memory); }
  // Packs and binds what the plan says of the decoder. Then sessions may be made.
  [[nodiscard]] Status bind();

  // A device that has no room for it after all gets smaller steps, or is not used any more.
  [[nodiscard]] Result<std::unique_ptr<Session>> session(threading::Pool& pool, const Stop& stop);

  // Binds the vision encoder, for a model that has one. `tensors` are the model's; all must outlive it.
  [[nodiscard]] Result<std::unique_ptr<VisionEncoder>> vision_encoder(const models::Tensors& tensors,
                                                                      threading::Pool& pool,
                                                                      const Stop& stop);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  // What streaming did; null when every weight is in memory.
  [[nodiscard]] const StreamUse* streamed() const {
    return weights_ && weights_->is_streaming() ? &weights_->use() : nullptr;
  }
  [[nodiscard]] dispatch::FallbackLog& fallback_log() { return fallbacks_; }
  [[nodiscard]] const std::vector<dispatch::Fallback>& fallbacks() const { return fallbacks_.entries(); }
  // What the devices of plugins in use say of themselves; plugins without a word are left out.
  [[nodiscard]] std::map<std::string, std::vector<dispatch::Reading>> readings() const;
  // Calls that each plugin completed; plugins without any are left out.
  [[nodiscard]] std::map<std::string, std::uint64_t> calls() const;

 private:
  Engine(const models::Model& model, Plan plan, std::vector<std::unique_ptr<dispatch::Backend>> backends,
         const dispatch::DispatchOptions& options);
  Status place_devices(std::uint64_t image_patches);
  [[nodiscard]] SessionOptions session_options();
  Status ask_less(const Error& refusal);
  Status leave_device(const Error& why);
  void replan();
  Status relieve();
  Status give_up_layers(std::uint64_t missing);
  Status take_layers_back(std::uint64_t available);
  Status move_layers(const memory::LayerPlacement& wanted);

  const models::Model& model_;
  Plan plan_;
  monitoring::Trace* trace_;
  std::vector<std::unique_ptr<dispatch::Backend>> backends_;
  dispatch::FallbackLog fallbacks_;
  std::unique_ptr<WeightStream> weights_;  // what the body's kernels are bound to; may stream none
  std::optional<FilePieces> pieces_;
  std::optional<KvStream::Parts> spill_;
  Relief relief_;
  std::chrono::steady_clock::time_point looked_;
  // When memory was last short, or too little to take layers back.
  std::chrono::steady_clock::time_point short_;
  MemoryPlan bound_;  // as it was when everything was bound
  dispatch::Dispatcher body_;
  dispatch::Dispatcher head_;
  std::optional<dispatch::Dispatcher> vision_;
};

}  // namespace belay::runtime
