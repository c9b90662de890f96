#include "core/runtime/memory_plan.hpp"

#include "core/memory/kv_cache.hpp"
#include "core/runtime/kv_stream.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model.hpp"

#include <fstream>

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kSmallContext = 128;
constexpr std::uint64_t kLargeContext = 16384;

// A model of 12 layers with more weights than a short cache has bytes, and fewer than a long one.
class Fixture {
 public:
  Fixture() {
    const auto bytes =
        test::make_tiny_model({.layers = 12, .width = 128, .ffn = 512, .context = kLargeContext, .seed = 2});
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    auto file = models::ModelFile::open(path_);
    REQUIRE(file.ok());
    file_.emplace(*std::move(file));
    auto model = models::build_model(*file_, DType::kF32);
    REQUIRE(model.ok());
    model_ = *std::move(model);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() { std::filesystem::remove(path_); }

  [[nodiscard]] memory::KvCacheShape shape(std::uint64_t context) const {
    const models::DecoderConfig& config = model_.decoder.config;
    return {config.n_layers, config.n_kv_heads, config.head_dim, context, DType::kF32};
  }
  [[nodiscard]] Result<MemoryPlan> plan(std::uint64_t context, std::optional<std::uint64_t> limit,
                                        bool may_stream = true) const {
    MemoryUse use;
    use.weights_bytes = weights();
    use.kv_bytes = *memory::kv_cache_bytes(shape(context));
    MemoryOptions options;
    options.memory_limit = limit;
    options.may_stream = may_stream;
    return plan_memory(model_, use, context, options);
  }
  // What a context takes with the smallest step when all is in memory.
  [[nodiscard]] std::uint64_t least_whole(std::uint64_t context) const {
    const auto refused_below = [&](std::uint64_t limit) { return !plan(context, limit, false).ok(); };
    std::uint64_t low = 0;
    std::uint64_t high = plan(context, std::nullopt)->use.total();
    while (high - low > 1) (refused_below((low + high) / 2) ? low : high) = (low + high) / 2;
    return high;
  }
  [[nodiscard]] std::uint64_t weights() const { return file_->tensors().bytes(); }

 private:
  std::filesystem::path path_ = "memory_plan_test.gguf";
  std::optional<models::ModelFile> file_;
  models::Model model_;
};

}  // namespace

TEST_CASE("without a limit, and where everything fits, nothing is on the disk") {
  const Fixture f;
  for (const auto limit : {std::optional<std::uint64_t>(), std::optional(f.least_whole(kLargeContext))}) {
    const auto plan = f.plan(kLargeContext, limit);
    REQUIRE(plan.ok());
    CHECK(plan->kv_spilled_bytes == 0);
    CHECK(plan->layers.streamed_bytes == 0);
    CHECK(memory_text(*plan).find("spilled") == std::string::npos);
  }
}

TEST_CASE("a cache that takes more than half of the limit is spilled before layers are streamed") {
  const Fixture f;
  const auto plan = f.plan(kLargeContext, f.least_whole(kLargeContext) - 1);
  REQUIRE(plan.ok());
  CHECK(plan->kv_spilled_bytes == memory::kv_cache_bytes(f.shape(kLargeContext)));
  CHECK(plan->use.kv_bytes == KvStream::memory_bytes(f.shape(kLargeContext)));
  CHECK(plan->use.kv_bytes < plan->kv_spilled_bytes / 5);
  CHECK(plan->layers.streamed_bytes == 0);
  CHECK(plan->chunk == kMostChunk);
  CHECK(memory_text(*plan).find("the KV cache is spilled, up to 48.0 MiB on the disk") != std::string::npos);
}

TEST_CASE("a cache that takes less stays, and layers are streamed") {
  const Fixture f;
  const auto plan = f.plan(kSmallContext, f.least_whole(kSmallContext) - 1);
  REQUIRE(plan.ok());
  CHECK(plan->kv_spilled_bytes == 0);
  CHECK(plan->layers.streamed_bytes > 0);
}

TEST_CASE("where neither is enough, both: every plan fits its limit, and a lower limit never helps") {
  const Fixture f;
  for (const std::uint64_t context : {kSmallContext, std::uint64_t{1024}, kLargeContext}) {
    bool both = false;
    bool fitted = true;
    for (std::uint64_t limit = f.least_whole(context); limit > 10'000; limit -= limit / 16) {
      const auto plan = f.plan(context, limit);
      CHECK((fitted || !plan.ok()));
      fitted = plan.ok();
      if (!fitted) {
        CHECK(plan.error().code == ErrorCode::kOutOfMemory);
        continue;
      }
      CHECK(plan->use.total() <= limit);
      both = both || (plan->kv_spilled_bytes > 0 && plan->layers.streamed_bytes > 0);
    }
    CHECK(both);
  }
}

TEST_CASE("nothing is spilled unless the choice of optimizations allows it") {
  const Fixture f;
  CHECK_FALSE(f.plan(kLargeContext, f.least_whole(kLargeContext) - 1, false).ok());
}
