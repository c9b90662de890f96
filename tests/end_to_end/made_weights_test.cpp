// Weights that become blocks of another type and have no place in memory: kept in a file of the cache folder,
// or made at every pass. The logits are bit by bit those of the run that has them in memory, whatever happens
// to the file.
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"
#include "tests/support/test_engine.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::vector<std::int32_t> kTokens = {5, 17, 42, 99, 3, 250};
using Logits = std::vector<std::vector<float>>;

// A folder for the file, empty at the start.
class Folder {
 public:
  Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // The only file of weights there.
  [[nodiscard]] std::filesystem::path file() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == ".weights") found.push_back(entry.path());
    }
    REQUIRE(found.size() == 1);
    return found.front();
  }

 private:
  std::filesystem::path path_ = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "made_weights";
};

test::EngineSpec spec(DType type, const std::vector<std::string>& plugins = {"cpu_scalar"}) {
  return {.model = std::filesystem::path(BELAY_TEST_RANDOM_FOLDER),
          .quantize = type,
          .plugins = plugins,
          .threads = 1,
          .context = 64};
}

const runtime::MemoryPlan& plan(test::TestEngine& engine) { return engine.assembly().engine().plan().memory; }

Logits resident(DType type, std::uint64_t* bytes = nullptr) {
  test::TestEngine engine(spec(type));
  CHECK(engine.assembly().engine().streamed() == nullptr);
  if (bytes != nullptr) *bytes = plan(engine).use.total() - plan(engine).use.packed_bytes;
  return engine.logits(kTokens);
}

// A run that has room for a part of its weights only, with its file in the folder.
test::EngineSpec streamed(DType type, const Folder& folder,
                          const std::vector<std::string>& plugins = {"cpu_scalar"}) {
  static std::map<DType, std::uint64_t> whole;
  if (!whole.contains(type)) static_cast<void>(resident(type, &whole[type]));
  test::EngineSpec wanted = spec(type, plugins);
  wanted.memory_limit = whole[type] / 2;
  wanted.making.folder = folder.path();
  return wanted;
}

const runtime::StreamUse& use(test::TestEngine& engine) {
  const runtime::StreamUse* streams = engine.assembly().engine().streamed();
  REQUIRE(streams != nullptr);
  return *streams;
}

// Whose reading ended with what.
std::vector<std::string> fallbacks(test::TestEngine& engine) {
  std::vector<std::string> all;
  for (const auto& entry : engine.assembly().engine().fallbacks())
    all.push_back(entry.from + " to " + entry.to + ": " + entry.reason);
  return all;
}

}  // namespace

TEST_CASE("the logits are those of weights in memory, in the run that makes the file and in the next") {
  for (const DType type : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K}) {
    const Logits expected = resident(type);
    for (const bool reads_ahead : {false, true}) {
      CAPTURE(to_string(type));
      const Folder folder;
      auto wanted = streamed(type, folder);
      if (reads_ahead) wanted.plugins.emplace_back("nvme_offload");
      for (int run = 0; run < 2; ++run) {
        test::TestEngine engine(wanted);
        CHECK(engine.logits(kTokens) == expected);
        CHECK(use(engine).read_bytes > 0);
        CHECK(use(engine).made_bytes == 0);
        CHECK(use(engine).method.empty() == !reads_ahead);
        CHECK(fallbacks(engine).empty());
      }
    }
  }
}

TEST_CASE("with all plugins of the machine, at the level that packs most") {
  const Folder folder;
  auto wanted = streamed(DType::kQ4_0, folder, {});
  wanted.level = manifest::Level::kModerate;
  auto all = spec(DType::kQ4_0, {});
  all.level = manifest::Level::kModerate;
  test::TestEngine whole(all);
  test::TestEngine engine(wanted);
  CHECK(engine.logits(kTokens) == whole.logits(kTokens));
  CHECK(use(engine).read_bytes > 0);
}

TEST_CASE("where they fit once but not twice they are in memory once") {
  auto wanted = spec(DType::kQ4_0, {});
  wanted.level = manifest::Level::kModerate;
  test::TestEngine packed(wanted);
  const runtime::MemoryUse twice = plan(packed).use;
  if (twice.packed_bytes < twice.weights_bytes / 2) {
    MESSAGE("skipped: no plugin of this machine packs them");
    return;
  }
  wanted.memory_limit = twice.total() - twice.packed_bytes / 2;
  test::TestEngine engine(wanted);
  CHECK(engine.assembly().engine().streamed() == nullptr);
  CHECK(plan(engine).use.total() < *wanted.memory_limit);
  CHECK(engine.logits(kTokens) == packed.logits(kTokens));
}

TEST_CASE("without a folder, or on a full disk, they are made at every pass, which is said") {
  const Logits expected = resident(DType::kQ4_0);
  const Folder folder;
  auto wanted = streamed(DType::kQ4_0, folder);
  wanted.making.folder.clear();
  {
    test::TestEngine engine(wanted);
    CHECK(engine.logits(kTokens) == expected);
    CHECK(use(engine).made_bytes > 0);
    CHECK(use(engine).read_bytes == 0);
    CHECK(fallbacks(engine) == std::vector<std::string>{"cache to source: IO"});
  }
  // Every write in turn finds the disk full; at the third, two of the parts are kept.
  wanted.making.folder = folder.path();
  wanted.making.cache.keep_every = 1;
  const auto real = wanted.making.cache.calls;
  for (const int full_at : {1, 2, 4, 9, 20}) {
    std::filesystem::remove_all(folder.path());
    int calls = 0;
    wanted.making.cache.calls.write = [&](int fd, std::span<const std::byte> from, std::uint64_t offset) {
      return ++calls >= full_at ? -std::int64_t{ENOSPC} : real.write(fd, from, offset);
    };
    CAPTURE(full_at);
    test::TestEngine engine(wanted);
    CHECK(engine.logits(kTokens) == expected);
    CHECK(use(engine).made_bytes > 0);
    CHECK(fallbacks(engine) == std::vector<std::string>{"cache to source: IO"});
  }
  wanted.making.cache.calls = real;
  test::TestEngine engine(wanted);  // goes on with what the last one had kept
  CHECK(engine.logits(kTokens) == expected);
  CHECK(use(engine).made_bytes == 0);
  CHECK(fallbacks(engine).empty());
}

TEST_CASE("any bit of the file that flips, while it is used or between two runs, changes nothing") {
  const Logits expected = resident(DType::kQ4_0);
  const Folder folder;
  auto wanted = streamed(DType::kQ4_0, folder);
  static_cast<void>(test::TestEngine(wanted).logits({1}));
  const std::filesystem::path file = folder.file();
  std::mt19937_64 random(11);
  const auto flip = [&] {
    const std::uint64_t head = memory::TileFile::kHeadBytes;
    const std::uint64_t place = head + random() % (std::filesystem::file_size(file) - head);
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekg(static_cast<std::streamoff>(place));
    const int byte = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(place));
    bytes.put(static_cast<char>(byte ^ (1 << (random() % 8))));
  };
  for (int run = 0; run < test::times(10, 100); ++run) {
    for (int i = 0; i < 5; ++i) flip();
    test::TestEngine engine(wanted);
    REQUIRE(engine.logits(kTokens) == expected);
  }
}

TEST_CASE("a bit of a streamed weight that flips during the run is found and mended, every one of them") {
  const Logits expected = resident(DType::kQ4_0);
  const Folder folder;
  test::TestEngine engine(streamed(DType::kQ4_0, folder));
  REQUIRE(engine.logits(kTokens) == expected);
  std::vector<FilePlace> places;
  std::vector<std::uint64_t> sizes;
  const models::ModelFile& model = engine.assembly().file();
  const auto first = static_cast<std::int64_t>(plan(engine).layers.pinned);
  for (const auto& [name, weight] : model.tensors().all()) {
    const auto place = model.place_of(weight.data);
    const bool is_streamed = name.starts_with("blk.") && std::stoll(name.substr(4)) >= first;
    if (!is_streamed || !place || model.made().find(name) == nullptr) continue;
    places.push_back(*place);
    sizes.push_back(weight.data.size());
  }
  REQUIRE(places.size() > 5);
  std::mt19937_64 random(12);
  const int flips = test::times(300, 10'000);
  for (int i = 1; i <= flips; ++i) {
    const std::size_t which = random() % places.size();
    const std::uint64_t at = places[which].offset + random() % sizes[which];
    std::fstream bytes(places[which].file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekg(static_cast<std::streamoff>(at));
    const int byte = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(byte ^ (1 << (random() % 8))));
    bytes.close();
    REQUIRE(engine.logits({kTokens[0]}).front() == expected.front());
    REQUIRE(use(engine).repaired_tiles == static_cast<std::uint64_t>(i));
  }
  CHECK(fallbacks(engine) == std::vector<std::string>{"cache to source: CORRUPT"});
}

TEST_CASE("a file that is deleted or cut while it is used is done without") {
  const Logits expected = resident(DType::kQ4_0);
  const Folder folder;
  test::TestEngine engine(streamed(DType::kQ4_0, folder));
  REQUIRE(engine.logits(kTokens) == expected);
  std::filesystem::remove(folder.file());
  CHECK(engine.logits(kTokens) == expected);
  CHECK(use(engine).made_bytes > 0);
  CHECK(fallbacks(engine) == std::vector<std::string>{"cache to source: IO"});
}

TEST_CASE("a model that was trained further has a file of its own") {
  const Folder folder;
  const std::filesystem::path copy = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "made_weights.model";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(std::filesystem::path(BELAY_TEST_RANDOM_FOLDER), copy);
  auto wanted = streamed(DType::kQ4_0, folder);
  wanted.model = copy;
  static_cast<void>(test::TestEngine(wanted).logits({1}));
  const auto file = copy / "model.safetensors";
  const auto written = std::filesystem::last_write_time(file);
  {
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    std::vector<char> all(std::filesystem::file_size(file));
    bytes.read(all.data(), static_cast<std::streamsize>(all.size()));
    for (std::size_t i = all.size() / 2; i < all.size(); ++i) all[i] = static_cast<char>(all[i] ^ 1);
    bytes.seekp(0);
    bytes.write(all.data(), static_cast<std::streamsize>(all.size()));
  }
  std::filesystem::last_write_time(file, written);  // not known by its time alone
  static_cast<void>(test::TestEngine(wanted).logits({1}));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 4);  // two, and their hashes
  std::filesystem::remove_all(copy);
}
