// Streamed weights that have a compressed copy: the logits are bit by bit those of the run that has
// everything in memory, whatever happens to the copy.
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/end_to_end/compressed_copy.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"

#include <fstream>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::vector<std::int32_t> kTokens = {5, 17, 42, 99, 3, 250};
using Logits = std::vector<std::vector<float>>;

test::EngineSpec spec() {
  return {.model = std::filesystem::path(BELAY_TEST_RANDOM_FOLDER),
          .plugins = {"cpu_scalar", "nvme_offload"},
          .threads = 1,
          .context = 64};
}

Logits resident(std::uint64_t& bytes) {
  test::TestEngine engine(spec());
  const runtime::MemoryPlan& memory = engine.assembly().engine().plan().memory;
  bytes = memory.use.total() - memory.use.packed_bytes;
  return engine.logits(kTokens);
}

test::EngineSpec streamed(std::uint64_t whole, const std::filesystem::path& folder) {
  test::EngineSpec wanted = spec();
  wanted.memory_limit = whole * 2 / 3;  // a ring of layers rather than of matrices
  wanted.making.folder = folder;
  return wanted;
}

void spoil(const std::filesystem::path& path, std::uint64_t from, std::uint64_t to) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(from));
  for (std::uint64_t at = from; at < to; ++at) file.put('x');
}

const runtime::StreamUse& use(test::TestEngine& engine) {
  const runtime::StreamUse* streams = engine.assembly().engine().streamed();
  REQUIRE(streams != nullptr);
  return *streams;
}

const runtime::Compression& compression(test::TestEngine& engine) {
  const auto& decided = engine.assembly().engine().plan().compression;
  REQUIRE(decided.has_value());
  return *decided;
}

}  // namespace

TEST_CASE("a copy that is there is read, and the logits are those of weights in memory") {
  std::uint64_t whole = 0;
  const Logits expected = resident(whole);
  const test::TemporaryFolder folder;
  test::make_compressed_copy(BELAY_TEST_RANDOM_FOLDER, folder.path());
  test::TestEngine engine(streamed(whole, folder.path()));
  CHECK(compression(engine).used);
  CHECK(compression(engine).why.starts_with("made by a test; the copy is "));
  CHECK(engine.logits(kTokens) == expected);
  CHECK(use(engine).stored_bytes < use(engine).pass_bytes * 9 / 10);
  CHECK(engine.assembly().engine().fallbacks().empty());
}

TEST_CASE("a copy that is damaged is read around, and one whose index is damaged is not used") {
  std::uint64_t whole = 0;
  const Logits expected = resident(whole);
  const test::TemporaryFolder folder;
  const auto copy = test::make_compressed_copy(BELAY_TEST_RANDOM_FOLDER, folder.path());
  const std::uint64_t size = std::filesystem::file_size(copy);
  spoil(copy, size / 2, size * 3 / 4);
  {
    test::TestEngine engine(streamed(whole, folder.path()));
    CHECK(engine.logits(kTokens) == expected);
    CHECK(use(engine).repaired_tiles > 0);
    REQUIRE(engine.assembly().engine().fallbacks().size() == 1);
    CHECK(engine.assembly().engine().fallbacks()[0].reason == "CORRUPT");
  }
  spoil(copy, size - 100, size - 90);
  test::TestEngine engine(streamed(whole, folder.path()));
  CHECK(engine.logits(kTokens) == expected);
  CHECK(engine.assembly().engine().fallbacks().empty());
}

TEST_CASE("what is not compressed has its reason") {
  std::uint64_t whole = 0;
  const Logits expected = resident(whole);
  auto wanted = streamed(whole, {});
  {
    test::TestEngine engine(wanted);
    CHECK_FALSE(compression(engine).used);
    CHECK(compression(engine).why.find("no folder for the copy") != std::string::npos);
    CHECK(engine.logits(kTokens) == expected);
  }
  // So few bytes are streamed here that nobody can say how fast.
  const test::TemporaryFolder folder;
  wanted.making.folder = folder.path();
  {
    test::TestEngine engine(wanted);
    CHECK_FALSE(compression(engine).used);
    CHECK(compression(engine).why.find("how fast they are read is not known") != std::string::npos);
    CHECK(compression(engine).ratio.value_or(1) < 0.9);
    CHECK(engine.logits(kTokens) == expected);
  }
  wanted.quantize = DType::kQ4_0;
  wanted.memory_limit = whole / 4;
  test::TestEngine engine(wanted);
  CHECK_FALSE(compression(engine).used);
  CHECK(compression(engine).why.find("only weights that the model's files have") != std::string::npos);
}
