// A KV cache on the disk gives bit by bit the logits of one in memory: over prompts in steps, tokens, and the
// ways back; with a storage plugin and without, with weights streamed at the same time, with images.
#include "core/models/mrope.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model.hpp"

#include <algorithm>
#include <fstream>
#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kContext = 2100;  // which is no whole number of anything
constexpr std::uint32_t kVocab = 320;

// Many layers, so that two of them are little.
std::filesystem::path write_model(std::uint32_t layers, std::uint32_t width = 64) {
  std::filesystem::path path = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "kv_spill.gguf";
  const auto bytes = test::make_tiny_model({.layers = layers,
                                            .head_dim = 32,
                                            .width = width,
                                            .vocab = kVocab,
                                            .context = kContext,
                                            .types = {DType::kQ8_0},
                                            .seed = 4});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

const runtime::MemoryPlan& plan(test::TestEngine& engine) { return engine.assembly().engine().plan().memory; }

std::vector<float> feed(runtime::Session& session, const runtime::MixedTokens& input, bool every) {
  std::vector<float> rows;
  const auto take = [&](std::uint64_t, std::span<const float> row) -> Status {
    rows.insert(rows.end(), row.begin(), row.end());
    return {};
  };
  const Status fed = session.feed(input, every ? runtime::LogitsSink(take) : runtime::LogitsSink());
  REQUIRE_MESSAGE(fed.ok(), (fed.ok() ? std::string() : fed.error().message));
  if (!every) rows.assign(session.logits().begin(), session.logits().end());
  return rows;
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::mt19937& random) {
  std::vector<std::int32_t> tokens(count);
  for (auto& token : tokens) token = static_cast<std::int32_t>(random() % kVocab);
  return tokens;
}

void feed_same(runtime::Session& a, runtime::Session& b, const runtime::MixedTokens& input, bool every) {
  const bool same = feed(a, input, every) == feed(b, input, every);
  REQUIRE(same);
}

// Prompts of some steps, tokens one by one, and rewinds: both sessions do the same. A feed is at most
// `most` tokens, so that both cut it into the same steps.
void check_same(test::TestEngine& resident, test::TestEngine& spilled, std::uint64_t most, int turns) {
  std::mt19937 random(8);
  runtime::Session& a = resident.session();
  runtime::Session& b = spilled.session();
  for (int turn = 0; turn < turns; ++turn) {
    const bool single = turn % 3 == 2;
    for (int i = 0; i < (single ? 10 : 4); ++i) {
      const std::uint64_t count = single ? 1 : 1 + random() % most;
      if (count > a.capacity() - a.position()) break;
      const auto tokens = random_tokens(count, random);
      const bool every = random() % 4 == 0;
      feed_same(a, b, {tokens, -1, {}}, every);
    }
    if (turn % 3 == 1) {
      const std::uint64_t back =
          turn == 4 ? 0 : a.position() - random() % std::min<std::uint64_t>(a.position(), 200);
      a.rewind(back);
      b.rewind(back);
    }
  }
}

struct Case {
  std::vector<std::string> plugins;
  manifest::Level level;
  std::uint32_t layers;
  std::uint32_t threads = 1;
  bool streams_weights = false;
  resolver::Balance balance = resolver::Balance::kCompute;
  std::uint64_t parts = 4;  // of the cache, of which the limit is one
};

void check(const Case& c) {
  const auto model = write_model(c.layers, c.streams_weights ? 256 : 64);
  test::EngineSpec spec{.model = model,
                        .plugins = c.plugins,
                        .level = c.level,
                        .balance = c.balance,
                        .threads = c.threads,
                        .context = kContext};
  test::TestEngine resident(spec);
  const runtime::MemoryPlan& all = plan(resident);
  REQUIRE(all.kv_spilled_bytes == 0);
  spec.memory_limit = all.use.kv_bytes / c.parts;
  test::TestEngine spilled(spec);
  CHECK(plan(spilled).kv_spilled_bytes == all.use.kv_bytes);
  const runtime::MemoryUse& planned = plan(spilled).use;
  CHECK(planned.total() - planned.packed_bytes <= *spec.memory_limit);  // what is packed was asked later
  CHECK((plan(spilled).layers.streamed_bytes > 0) == c.streams_weights);
  CHECK(spilled.session().capacity() == resident.session().capacity());
  check_same(resident, spilled, std::min<std::uint64_t>(plan(spilled).chunk, 150), 6);
  const runtime::KvUse* use = spilled.session().spilled();
  REQUIRE(use != nullptr);
  CHECK(use->written_bytes > 0);
  CHECK(use->read_bytes > use->written_bytes);
  CHECK(use->repaired_blocks == 0);
  CHECK(spilled.assembly().engine().fallbacks().empty());
  const bool cpu_only =
      !c.plugins.empty() && std::find(c.plugins.begin(), c.plugins.end(), "nvme_offload") == c.plugins.end();
  CHECK(use->method.empty() == cpu_only);
}

}  // namespace

TEST_CASE("logits are those of a cache in memory, with a plugin that reads ahead and without") {
  check({{"cpu_scalar", "nvme_offload"}, manifest::Level::kMinimal, 16});
  check({{"cpu_scalar"}, manifest::Level::kMinimal, 16});
}

TEST_CASE("all plugins of the machine, keys and values of 16 bits, an odd number of layers") {
  check({{}, manifest::Level::kModerate, 25, 2});
}

TEST_CASE("keys and values of 8 bits") {
  constexpr auto kSmall = resolver::Balance::kMemory;
  check({{"cpu_scalar", "nvme_offload"}, manifest::Level::kModerate, 48, 1, false, kSmall, 2});
  check({{}, manifest::Level::kModerate, 48, 2, false, kSmall, 2});
}

TEST_CASE("weights are streamed at the same time") {
  check({{"cpu_scalar", "nvme_offload"}, manifest::Level::kMinimal, 16, 1, true});
}

TEST_CASE("images, and a way back into one") {
  test::EngineSpec spec{
      .model = std::filesystem::path(BELAY_TEST_GOLDENS) / "vl_b", .threads = 1, .context = 4096};
  test::TestEngine resident(spec);
  spec.memory_limit = plan(resident).use.weights_bytes + plan(resident).use.kv_bytes;
  test::TestEngine spilled(spec);
  REQUIRE(spilled.session().spilled() != nullptr);
  constexpr std::int32_t kImage = 612;  // the model's <|image_pad|>
  constexpr models::PatchGrid kGrid = {4, 6};
  std::mt19937 random(2);
  std::vector<float> patches(kGrid.patches() * models::kPatchValues);
  for (float& value : patches) value = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
  const runtime::Stop stop;
  const auto encoder = resident.assembly().vision_encoder(stop);
  REQUIRE(encoder.ok());
  const auto image = (*encoder)->encode(kGrid, patches);
  REQUIRE(image.ok());
  std::vector<std::int32_t> mixed = {5, 17};
  mixed.insert(mixed.end(), kGrid.tokens().tokens(), kImage);
  mixed.insert(mixed.end(), {42, 99});
  const std::uint64_t step = std::min<std::uint64_t>(plan(spilled).chunk, 100);
  const auto both = [&](const runtime::MixedTokens& input) {
    feed_same(resident.session(), spilled.session(), input, false);
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) both({random_tokens(step, random), -1, {}});
    const std::uint64_t before = resident.session().position();
    both({mixed, kImage, {&*image, 1}});
    for (int i = 0; i < 2; ++i) both({random_tokens(step, random), -1, {}});
    if (round == 1) {
      resident.session().rewind(before + 5);
      spilled.session().rewind(before + 5);
      REQUIRE(spilled.session().position() == before + 2);
    }
  }
  CHECK(spilled.session().spilled()->read_bytes > 0);
}

TEST_CASE("nothing is left in the folder, neither during a run nor behind it") {
  const auto folder = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "kv_spill.folder";
  std::filesystem::remove_all(folder);
  {
    test::EngineSpec spec{.model = write_model(16),
                          .plugins = {"cpu_scalar"},
                          .threads = 1,
                          .context = kContext,
                          .spill_folder = folder};
    spec.memory_limit = 4U << 20U;
    test::TestEngine engine(spec);
    REQUIRE(engine.session().spilled() != nullptr);
    std::mt19937 random(1);
    (void)feed(engine.session(), {random_tokens(300, random), -1, {}}, false);
    CHECK(std::filesystem::is_empty(folder));
  }
  CHECK(std::filesystem::is_empty(folder));
}
