#include "core/runtime/device_plan.hpp"

#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model_file.hpp"

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::size_t kLayers = 6;
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40U;

// A model, and a device whose plugin heads every node and packs a weight into as many bytes as the file has.
class Fixture {
 public:
  explicit Fixture(bool tied = false)
      : path_(tied ? "device_plan_tied.gguf" : "device_plan_test.gguf",
              {.layers = kLayers, .width = 128, .ffn = 512, .tied = tied, .seed = 4}) {
    auto file = models::ModelFile::open(path_.path());
    REQUIRE(file.ok());
    file_.emplace(*std::move(file));
    auto model = models::build_model(*file_, DType::kF32);
    REQUIRE(model.ok());
    model_ = *std::move(model);
  }

  [[nodiscard]] const graph::Graph& body() const { return model_.decoder.body; }
  [[nodiscard]] DeviceOffer offer(std::uint64_t free_bytes) const {
    return {"gpu", free_bytes, shares(body()), shares(model_.decoder.head), {}};
  }
  [[nodiscard]] DeviceUse place(const DeviceOffer& offer,
                                DeviceRequest request = {512, 512, 0, false}) const {
    return place_on_device(model_, offer, request);
  }

 private:
  static std::vector<NodeShare> shares(const graph::Graph& graph) {
    std::vector<NodeShare> nodes;
    for (const graph::Node& node : graph.nodes) {
      NodeShare& share = nodes.emplace_back();
      share.headed = true;
      for (const graph::WeightId id : node.weights) share.bytes += graph.weights[id].data.size();
    }
    return nodes;
  }

  test::TinyModelFile path_;
  std::optional<models::ModelFile> file_;
  models::Model model_;
};

}  // namespace

TEST_CASE("a device with room for all gets all layers and the head") {
  const Fixture f;
  const DeviceUse use = f.place(f.offer(kPlenty));
  CHECK(use.layers == kLayers);
  CHECK(use.head);
  CHECK(use.chunk == 512);
  CHECK(use.replaced_bytes == use.weights_bytes);
  const DeviceUse just = f.place(f.offer(use.total()), {512, use.chunk, 0, false});
  CHECK(just.layers == kLayers);
  CHECK(Fixture(true).place(f.offer(kPlenty)).replaced_bytes <
        use.replaced_bytes);  // a tied head is the embedding, too
  CHECK(device_text(use).find("6 layers and the head") != std::string::npos);
}

TEST_CASE("more memory never means fewer layers, and what is placed fits") {
  const Fixture f;
  const std::uint64_t all = f.place(f.offer(kPlenty)).total();
  std::size_t layers = 0;
  std::size_t steps = 0;
  for (std::uint64_t bytes = 0; bytes <= all + all / 50; bytes += all / 200) {
    const DeviceUse use = f.place(f.offer(bytes));
    if (use.layers > 0) CHECK(use.total() <= bytes);
    CHECK((!use.head || use.layers == kLayers));
    CHECK(use.chunk >= 64);
    CHECK(use.layers >= layers);
    steps += use.layers > layers ? 1 : 0;
    layers = use.layers;
  }
  CHECK(layers == kLayers);
  CHECK(steps > 2);
}

TEST_CASE("a layer of which another plugin would run a part stays where it is, and all behind it") {
  const Fixture f;
  DeviceOffer offer = f.offer(kPlenty);
  for (std::size_t i = 0; i < offer.body.size(); ++i) {
    if (f.body().nodes[i].layer == 3 && f.body().nodes[i].op == graph::Op::kAttention)
      offer.body[i].headed = false;
  }
  const DeviceUse use = f.place(offer);
  CHECK(use.layers == 3);
  CHECK_FALSE(use.head);
  for (const graph::Node& node : f.body().nodes)
    CHECK(stays_on_device(use, node) == (node.layer >= 0 && node.layer < 3));
}

TEST_CASE("a cache on the disk keeps layers from a device") {
  const Fixture f;
  CHECK(f.place(f.offer(kPlenty), {512, 512, 0, true}).layers == 0);
}

TEST_CASE("on a small device steps are shorter, so that there is room for layers") {
  const Fixture f;
  const DeviceUse large = f.place(f.offer(kPlenty));
  const DeviceUse small = f.place(f.offer(large.total() - 1));
  CHECK(small.chunk == 256);
  CHECK(small.layers == kLayers);
  CHECK(small.head);
}
