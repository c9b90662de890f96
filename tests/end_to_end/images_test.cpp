// Images through the core: faults in the vision encoder, images in several steps, and what a session keeps of
// them. The values themselves are compared with the reference by vision_test.py.
#include "core/models/mrope.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"

#include <cmath>
#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kModel = std::filesystem::path(BELAY_TEST_GOLDENS) / "vl_b";
const std::filesystem::path kTextModel =
    std::filesystem::path(BELAY_TEST_GOLDENS) / "llama_a" / "model-mixed.gguf";
const std::filesystem::path kFaulty = BELAY_TEST_FAULTY_DIR;
constexpr std::int32_t kImage = 612;  // the model's <|image_pad|>
constexpr models::PatchGrid kGrid = {4, 6};
constexpr models::PatchGrid kOtherGrid = {2, 2};

std::vector<float> patches_of(const models::PatchGrid& grid, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> patches(grid.patches() * models::kPatchValues);
  for (float& value : patches) value = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
  return patches;
}

std::vector<runtime::ImageRows> encode(test::TestEngine& engine, const runtime::Stop& stop) {
  const auto encoder = engine.assembly().vision_encoder(stop);
  REQUIRE(encoder.ok());
  std::vector<runtime::ImageRows> images;
  unsigned seed = 1;
  for (const models::PatchGrid& grid : {kGrid, kOtherGrid}) {
    auto rows = (*encoder)->encode(grid, patches_of(grid, seed++));
    REQUIRE_MESSAGE(rows.ok(), (rows.ok() ? std::string() : rows.error().message));
    images.push_back(*std::move(rows));
  }
  return images;
}

// Text, an image of 6 tokens, text, an image of one, text.
std::vector<std::int32_t> mixed_tokens() {
  std::vector<std::int32_t> tokens = {5, 17};
  tokens.insert(tokens.end(), kGrid.tokens().tokens(), kImage);
  tokens.insert(tokens.end(), {42, 99});
  tokens.push_back(kImage);
  tokens.insert(tokens.end(), {3, 4});
  return tokens;
}

std::vector<float> logits_behind(runtime::Session& session, const runtime::MixedTokens& input) {
  const Status fed = session.feed(input);
  REQUIRE_MESSAGE(fed.ok(), (fed.ok() ? std::string() : fed.error().message));
  return {session.logits().begin(), session.logits().end()};
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

struct Outcome {
  std::vector<runtime::ImageRows> images;
  std::vector<float> logits;
  std::vector<std::uint8_t> assignment;
  std::vector<dispatch::Fallback> fallbacks;
};

using Settings = std::map<std::string, std::string, std::less<>>;

Outcome run_with_faults(Settings faults, std::vector<std::uint8_t> replay = {}) {
  dispatch::AssignmentHook hook;
  hook.replay = std::move(replay);
  test::EngineSpec spec{
      .model = kModel, .plugins = {"test.faulty", "cpu_scalar"}, .further_folders = {kFaulty}};
  spec.dispatch.hook = &hook;
  spec.plugin_options = std::move(faults);
  spec.threads = 1;
  spec.context = 64;
  test::TestEngine engine(spec);
  const runtime::Stop stop;
  Outcome outcome;
  outcome.images = encode(engine, stop);
  const auto tokens = mixed_tokens();
  outcome.logits = logits_behind(engine.session(), {tokens, kImage, outcome.images});
  outcome.assignment = hook.recorded;
  outcome.fallbacks = engine.assembly().engine().fallbacks();
  return outcome;
}

}  // namespace

TEST_CASE("every kind of op of the vision encoder may fail, and image and text stand") {
  const Outcome healthy = run_with_faults({});
  REQUIRE(healthy.fallbacks.empty());
  for (const char* op : {"linear", "layer_norm", "rope", "kv_write", "attention", "gelu", "add"}) {
    for (const char* how : {"status", "partial", "throw"}) {
      CAPTURE(op);
      CAPTURE(how);
      const Outcome faulty = run_with_faults({{"test.faulty.fail_at", "2"},
                                              {"test.faulty.fail_op", std::string("belay.") + op + "/1"},
                                              {"test.faulty.fail_how", how}});
      REQUIRE(faulty.fallbacks.size() == 1);
      CHECK(faulty.fallbacks[0].op.rfind(op, 0) == 0);
      const Outcome replayed = run_with_faults({}, faulty.assignment);
      for (std::size_t i = 0; i < faulty.images.size(); ++i)
        CHECK(faulty.images[i].levels == replayed.images[i].levels);
      CHECK(faulty.logits == replayed.logits);
    }
  }
}

TEST_CASE("an image that comes in a later step stands where it stands in one") {
  test::TestEngine engine({.model = kModel, .context = 64});
  const runtime::Stop stop;
  const auto images = encode(engine, stop);
  const auto tokens = mixed_tokens();
  runtime::Session& session = engine.session();
  const auto whole = logits_behind(session, {tokens, kImage, images});
  // 13 tokens; the images of 2 x 3 and 1 x 1 take 3 and 1 positions.
  CHECK(session.position() == 13);
  CHECK(session.position_delta() == 3 - 6);
  session.rewind(0);
  CHECK(session.position_delta() == 0);
  const std::span<const std::int32_t> all = tokens;
  REQUIRE(session.feed(all.first(2)).ok());
  (void)logits_behind(session, {all.subspan(2, 8), kImage, std::span(images).first(1)});
  const auto in_parts = logits_behind(session, {all.subspan(10), kImage, std::span(images).subspan(1)});
  CHECK(largest_difference(whole, in_parts) <= 1e-4F);
  // Token by token behind the images: what a generation does.
  session.rewind(11);
  (void)logits_behind(session, {all.subspan(11, 1), -1, {}});
  CHECK(largest_difference(whole, logits_behind(session, {all.subspan(12, 1), -1, {}})) <= 1e-4F);
}

TEST_CASE("an image is whole though a device has no memory for the step that it came in") {
  std::vector<std::int32_t> tokens(20, 5);
  tokens.insert(tokens.end(), kGrid.tokens().tokens(), kImage);  // one step ends and the next begins in it
  tokens.resize(48, 17);
  const auto logits = [&](Settings settings) {
    test::EngineSpec spec{.model = kModel,
                          .plugins = {"test.device", "cpu_scalar"},
                          .further_folders = {BELAY_TEST_DEVICE_DIR},
                          .context = 64};
    spec.plugin_options = std::move(settings);
    test::TestEngine engine(spec);
    const runtime::Stop stop;
    auto images = encode(engine, stop);
    images.pop_back();
    auto behind = logits_behind(engine.session(), {tokens, kImage, images});
    return std::pair(std::move(behind), engine.assembly().engine().fallbacks());
  };
  const auto [whole, nothing] = logits({});
  const auto [in_parts, said] = logits({{"test.device.most_tokens", "24"}});
  CHECK(nothing.empty());
  REQUIRE(said.size() == 1);
  CHECK(said[0].op == "step");
  CHECK(said[0].count == 1);
  CHECK(in_parts == whole);
}

TEST_CASE("a rewind into an image forgets all of it") {
  test::TestEngine engine({.model = kModel, .context = 64});
  const runtime::Stop stop;
  const auto images = encode(engine, stop);
  const auto tokens = mixed_tokens();
  runtime::Session& session = engine.session();
  const auto whole = logits_behind(session, {tokens, kImage, images});
  session.rewind(5);
  CHECK(session.position() == 2);
  const auto again = logits_behind(session, {std::span(tokens).subspan(2), kImage, images});
  CHECK(largest_difference(whole, again) <= 1e-4F);
}

TEST_CASE("an image makes a difference, and an image token without one is text") {
  test::TestEngine engine({.model = kModel, .context = 64});
  const runtime::Stop stop;
  auto images = encode(engine, stop);
  const auto tokens = mixed_tokens();
  runtime::Session& session = engine.session();
  const auto whole = logits_behind(session, {tokens, kImage, images});
  session.rewind(0);
  CHECK(largest_difference(whole, logits_behind(session, {tokens, -1, {}})) > 0.1F);
  CHECK(session.position_delta() == 0);
  session.rewind(0);
  for (float& value : images[0].levels[1]) value = 0;  // a deepstack level
  CHECK(largest_difference(whole, logits_behind(session, {tokens, kImage, images})) > 0.01F);
}

TEST_CASE("images that do not fit are refused, and the session stands") {
  test::TestEngine engine({.model = kModel, .context = 64});
  const runtime::Stop stop;
  auto images = encode(engine, stop);
  const auto tokens = mixed_tokens();
  runtime::Session& session = engine.session();
  const auto refused = [&](const runtime::MixedTokens& input) {
    const Status fed = session.feed(input);
    REQUIRE_FALSE(fed.ok());
    CHECK(session.position() == 0);
    return fed.error().message;
  };
  const std::span<const std::int32_t> all = tokens;
  CHECK(refused({all.first(6), kImage, std::span(images).first(1)}).find("image 1 of 1") !=
        std::string::npos);
  CHECK(refused({all.first(2), kImage, std::span(images).first(1)}).find("no place") != std::string::npos);
  images[0].levels.pop_back();
  CHECK(refused({tokens, kImage, images}).find("another model") != std::string::npos);
  test::TestEngine text({.model = kTextModel, .context = 64});
  const std::vector<std::int32_t> of_its_vocabulary = {5, 7};
  const Status fed = text.session().feed({of_its_vocabulary, 7, images});
  REQUIRE_FALSE(fed.ok());
  CHECK(fed.error().message.find("takes no images") != std::string::npos);
}
