// A spilled KV cache against a plain array: what a layer sees is always what was written, or there is an
// error; with a disk that is full, breaks or lies, and with a storage plugin that does.
#include "core/runtime/kv_stream.hpp"

#include "core/graph/builder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/rapidcheck.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <span>

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint32_t kHeads = 2;
constexpr std::uint32_t kHeadDim = 32;
constexpr std::int64_t kWidth = std::int64_t{kHeads} * kHeadDim;
constexpr std::uint64_t kRow = kHeadDim * sizeof(float);     // bytes
constexpr std::uint64_t kBlock = kRow * BELAY_KV_BLOCK;      // 8192 bytes
constexpr std::uint64_t kLayerBlocks = kBlock * kHeads * 2;  // keys and values of all heads, bytes
constexpr std::uint64_t kPositions = std::uint64_t{6} * BELAY_KV_BLOCK;

// Layers that write their cache, do something else, and look at it.
graph::Graph layers(std::uint32_t count) {
  graph::Builder build;
  graph::ValueId x = build.input("x", DType::kF32, {graph::kTokens, kWidth});
  for (std::uint32_t layer = 0; layer < count; ++layer) {
    build.set_layer(static_cast<int>(layer));
    const auto heads = build.reshape(x, {graph::kTokens, kHeads, kHeadDim});
    const auto cache = build.kv_write("write", heads, heads, DType::kF32);
    const auto twice = build.add("add", x, x);
    const auto y = build.attention("attend", build.reshape(twice, {graph::kTokens, kHeads, kHeadDim}), cache);
    x = build.reshape(y, {graph::kTokens, kWidth});
  }
  return *std::move(build).finish({x});
}

// A plugin that reads the file when it is waited for, and fails as told. The ABI's functions have no other
// way to what a test tells.
struct Plugin {
  enum class Act { kNone, kFailStart, kFailRead, kFlipBit };
  Act act = Act::kNone;
  std::uint64_t every = 1;  // of so many calls one
  std::uint64_t calls = 0;
  std::uint64_t reads = 0;
  std::uint32_t block_bytes = 4096;
  bool acts(Act what) { return act == what && ++calls % every == 0; }
};
Plugin* plugin = nullptr;

struct File {
  std::string path;
};
struct Read {
  File* file;
  std::vector<belay_extent_t> extents;
};

belay_status_t failed(belay_error_t* error) {
  error->code = BELAY_IO;
  error->scope = BELAY_SCOPE_OP;
  return BELAY_IO;
}

void check_whole_blocks(const belay_extent_t& extent) {
  CHECK(extent.offset % plugin->block_bytes == 0);
  CHECK(extent.bytes % plugin->block_bytes == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(extent.to) % plugin->block_bytes == 0);
}

belay_storage_t plugin_table() {
  belay_storage_t table = {};
  table.struct_size = sizeof table;
  table.file_open = [](belay_instance_t*, belay_str_t path, belay_file_t** file, belay_error_t*) {
    *file = reinterpret_cast<belay_file_t*>(new File{std::string(path.data, path.size)});
    return belay_status_t{BELAY_OK};
  };
  table.file_close = [](belay_file_t* file) { delete reinterpret_cast<File*>(file); };
  table.info = [](const belay_file_t*, belay_storage_info_t* info, belay_error_t*) {
    info->block_bytes = plugin->block_bytes;
    info->method = BELAY_STR("test");
    return belay_status_t{BELAY_OK};
  };
  table.read = [](belay_file_t* file, const belay_extent_t* extents, std::uint64_t count, belay_read_t** read,
                  belay_error_t* error) {
    if (plugin->acts(Plugin::Act::kFailStart)) return failed(error);
    *read =
        reinterpret_cast<belay_read_t*>(new Read{reinterpret_cast<File*>(file), {extents, extents + count}});
    for (std::uint64_t i = 0; i < count; ++i) {
      check_whole_blocks(extents[i]);
      std::memset(extents[i].to, 0xEE, extents[i].bytes);  // not there yet
    }
    return belay_status_t{BELAY_OK};
  };
  table.read_sync = [](belay_read_t* read, std::uint64_t, belay_error_t* error) {
    if (plugin->acts(Plugin::Act::kFailRead)) return failed(error);
    ++plugin->reads;
    const Read& todo = *reinterpret_cast<Read*>(read);
    std::ifstream file(todo.file->path, std::ios::binary);
    for (const belay_extent_t& extent : todo.extents) {
      file.seekg(static_cast<std::streamoff>(extent.offset));
      file.read(static_cast<char*>(extent.to), static_cast<std::streamsize>(extent.bytes));
    }
    CHECK(file.good());
    if (plugin->acts(Plugin::Act::kFlipBit)) static_cast<char*>(todo.extents.back().to)[77] ^= 4;
    return belay_status_t{BELAY_OK};
  };
  table.read_end = [](belay_read_t* read) { delete reinterpret_cast<Read*>(read); };
  table.prepare = [](belay_instance_t*, void*, std::uint64_t, belay_error_t*) {
    return belay_status_t{BELAY_OK};
  };
  return table;
}

// A stream and what it should hold.
class Fixture {
 public:
  explicit Fixture(std::uint32_t layer_count, bool with_plugin = false, bool strict = false)
      : layer_count_(layer_count), graph_(layers(layer_count)) {
    plugin = &plugin_;
    calls_.write = [this](int fd, std::span<const std::byte> from, std::uint64_t offset) {
      return write_fails_ != 0 && --writes_left_ < 0 ? std::int64_t{-write_fails_}
                                                     : real_.write(fd, from, offset);
    };
    calls_.read = [this](int fd, std::span<std::byte> to, std::uint64_t offset) {
      const std::int64_t got = real_.read(fd, to, offset);
      if (got > 0 && lies_ > 0) {
        --lies_;
        to.front() ^= std::byte{1};
      }
      return got;
    };
    auto made = KvStream::create(
        graph_, {layer_count, kHeads, kHeadDim, kPositions, DType::kF32},
        {"kv_stream_test.folder", with_plugin ? &storage_ : nullptr, fallbacks_, pool_, strict, calls_});
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    stream_ = *std::move(made);
    expected_.assign(std::size_t{2} * layer_count * kHeads * kPositions * kHeadDim, 0);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() {
    stream_.reset();
    std::filesystem::remove_all("kv_stream_test.folder");
    plugin = nullptr;
  }

  // One step; ends early, as when a kernel fails, behind `nodes` nodes.
  Status step(std::uint64_t position, std::uint64_t tokens, std::size_t nodes = ~std::size_t{0}) {
    for (std::size_t n = 0; n < std::min(nodes, graph_.nodes.size()); ++n) {
      BELAY_TRY(stream_->acquire(n, {position, tokens}, stop_));
      const auto layer = static_cast<std::uint32_t>(graph_.nodes[n].layer);
      if (graph_.nodes[n].op == graph::Op::kKvWrite) write(layer, position, tokens);
      if (graph_.nodes[n].op == graph::Op::kAttention) right_ = right_ && sees(layer, position + tokens);
      BELAY_TRY(stream_->release(n));
    }
    return {};
  }
  [[nodiscard]] bool right() const { return right_; }
  [[nodiscard]] const KvUse& use() const { return stream_->use(); }
  [[nodiscard]] const std::vector<dispatch::Fallback>& fallbacks() const { return fallbacks_.entries(); }
  Plugin& plays() { return plugin_; }
  void lie(int times) { lies_ = times; }
  void break_writes(int number, int after = 0) {
    write_fails_ = number;
    writes_left_ = after;
  }
  [[nodiscard]] std::size_t nodes() const { return graph_.nodes.size(); }

 private:
  // A row of the slot, and the same row of the plain array.
  template <class Use>
  void rows(std::uint32_t layer, std::uint64_t first, std::uint64_t end, Use use) {
    for (std::uint64_t half = 0; half < 2; ++half) {
      const belay_tensor_t view = half == 0 ? stream_->keys(layer) : stream_->values(layer);
      for (std::uint64_t head = 0; head < kHeads; ++head) {
        for (std::uint64_t p = first; p < end; ++p) {
          const std::uint64_t row = head * kPositions + p;  // whole blocks: head by head, row by row
          use(static_cast<float*>(view.data) + row * kHeadDim,
              expected_.data() + ((std::uint64_t{layer} * 2 + half) * kHeads * kPositions + row) * kHeadDim);
        }
      }
    }
  }
  void write(std::uint32_t layer, std::uint64_t position, std::uint64_t tokens) {
    rows(layer, position, position + tokens, [&](float* row, float* plain) {
      for (std::uint32_t i = 0; i < kHeadDim; ++i) row[i] = plain[i] = static_cast<float>(random_());
    });
    rows(layer, position + tokens, kPositions, [&](float* row, float*) { row[0] = -1; });  // means nothing
  }
  static bool same_bits(const float* row, const float* plain) {
    const auto bytes = std::as_bytes(std::span(row, kHeadDim));
    const auto expected = std::as_bytes(std::span(plain, kHeadDim));
    return std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end());
  }
  bool sees(std::uint32_t layer, std::uint64_t positions) {
    bool same = true;
    rows(layer, 0, positions,
         [&](const float* row, const float* plain) { same = same && same_bits(row, plain); });
    return same;
  }

  std::uint32_t layer_count_;
  graph::Graph graph_;
  Plugin plugin_;
  belay_storage_t table_ = plugin_table();
  dispatch::Storage storage_{"test", [this] { return dispatch::StorageTable{&table_, nullptr}; }};
  dispatch::FallbackLog fallbacks_;
  threading::Pool pool_{{.threads = 2, .pin = false}};
  Stop stop_;
  memory::SpillFile::Calls real_ = memory::SpillFile::system_calls();
  memory::SpillFile::Calls calls_;
  int lies_ = 0;
  int write_fails_ = 0;
  int writes_left_ = 0;
  std::unique_ptr<KvStream> stream_;
  std::vector<float> expected_;  // (layer, keys and values, head, position, head_dim)
  std::mt19937 random_{3};
  bool right_ = true;
};

// Steps that go on, go back, or break off, until the context is full some times over.
void walk(Fixture& f, std::uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  std::uint64_t position = 0;
  for (int i = 0; i < steps; ++i) {
    if (random() % 4 == 0 || position == kPositions) position = random() % (position + 1);
    const std::uint64_t most = random() % 2 == 0 ? 3 : kPositions;
    const std::uint64_t tokens = 1 + random() % std::min(most, kPositions - position);
    if (random() % 6 == 0) REQUIRE(f.step(position, tokens, random() % f.nodes()).ok());
    const Status done = f.step(position, tokens);
    REQUIRE_MESSAGE(done.ok(), (done.ok() ? std::string() : done.error().message));
    REQUIRE(f.right());
    position += tokens;
  }
}

}  // namespace

TEST_CASE("what a layer sees is what was written, whatever the steps, with and without a plugin") {
  test::check_property("kv_stream", 40, [](std::uint32_t seed) {
    Fixture f(1 + seed % 5, seed % 3 != 0);
    walk(f, seed, 12);
    RC_ASSERT(f.right());
    RC_ASSERT(f.fallbacks().empty());
  });
}

TEST_CASE(
    "a token in a block that is not full writes nothing; the one that fills it writes it, in each layer") {
  Fixture f(4);
  REQUIRE(f.step(0, 63).ok());
  CHECK(f.use().written_bytes == 0);
  REQUIRE(f.step(63, 1).ok());
  CHECK(f.use().written_bytes == 4 * kLayerBlocks);
  CHECK(f.use().read_bytes == 0);
  REQUIRE(f.step(64, 1).ok());
  CHECK(f.use().written_bytes == 4 * kLayerBlocks);
  CHECK(f.use().read_bytes == 4 * kLayerBlocks);
  CHECK(f.right());
}

TEST_CASE("a plugin reads ahead, and what it cannot do the core does, counted") {
  for (const auto act : {Plugin::Act::kNone, Plugin::Act::kFailStart, Plugin::Act::kFailRead}) {
    Fixture f(4, true);
    f.plays().act = act;
    f.plays().every = 3;
    walk(f, 7, 20);
    CHECK(f.plays().reads > 0);
    CHECK(f.use().method == "test");
    CHECK(f.fallbacks().empty() == (act == Plugin::Act::kNone));
    if (!f.fallbacks().empty()) CHECK(f.fallbacks()[0].op == "kv_cache");
  }
}

TEST_CASE("strict: a plugin that fails is an error") {
  Fixture f(2, true, true);
  REQUIRE(f.step(0, 64).ok());
  f.plays().act = Plugin::Act::kFailRead;
  const Status done = f.step(64, 1);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ErrorCode::kFallbackForbidden);
}

TEST_CASE("a plugin whose blocks are larger than the cache's is not used") {
  Fixture f(2, true);
  REQUIRE(f.use().method == "test");
  Plugin large;
  large.block_bytes = 65536;
  // The fixture's own plugin answers when a stream is made.
  plugin = &large;
  dispatch::FallbackLog log;
  threading::Pool pool{{.threads = 1, .pin = false}};
  belay_storage_t table = plugin_table();
  dispatch::Storage storage{"test", [&] { return dispatch::StorageTable{&table, nullptr}; }};
  const auto made = KvStream::create(layers(2), {2, kHeads, kHeadDim, kPositions, DType::kF32},
                                     {"kv_stream_test.folder", &storage, log, pool});
  REQUIRE(made.ok());
  CHECK((*made)->use().method.empty());
}

TEST_CASE("a flipped bit is found: read again where that helps, else an error with the place") {
  {
    Fixture f(3, true);
    f.plays().act = Plugin::Act::kFlipBit;
    f.plays().every = 2;
    walk(f, 11, 20);
    CHECK(f.use().repaired_blocks > 0);
    REQUIRE_FALSE(f.fallbacks().empty());
    CHECK(f.fallbacks()[0].reason == "CORRUPT");
  }
  Fixture f(3);
  REQUIRE(f.step(0, 64).ok());
  f.lie(2);  // the reading, and the first that should repair it
  REQUIRE(f.step(64, 1).ok());
  CHECK(f.right());
  f.lie(1000);
  const Status done = f.step(65, 1);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ErrorCode::kGeneral);
  CHECK(done.error().message.find("8192 bytes of the KV cache at 0 ") != std::string::npos);
  f.lie(0);
  REQUIRE(f.step(65, 1).ok());
  CHECK(f.right());
}

TEST_CASE("after a full disk everything before the step is still there") {
  for (int after = 0; after < 12; ++after) {
    Fixture f(3);
    REQUIRE(f.step(0, 200).ok());
    f.break_writes(ENOSPC, after);
    const Status full = f.step(70, 150);  // back into a block that was written, and over it
    REQUIRE_FALSE(full.ok());
    CHECK(full.error().code == ErrorCode::kOutOfMemory);
    f.break_writes(0);
    REQUIRE(f.step(70, 3).ok());
    REQUIRE(f.step(73, 100).ok());
    CHECK(f.right());
  }
}

TEST_CASE("a step behind the end of what was seen is an error, not made up") {
  Fixture f(2);
  REQUIRE(f.step(0, 10).ok());
  CHECK_FALSE(f.step(11, 1).ok());
}
