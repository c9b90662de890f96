// Weights that go through the ring, with a storage plugin that does what a bad disk, a bad driver or bad
// memory does: what a node sees is always what the file has, or there is an error.
#include "core/runtime/weight_stream.hpp"

#include "core/models/model.hpp"
#include "core/runtime/compression.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <cstring>
#include <fstream>
#include <map>
#include <random>

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

// What the plugin does at which of its calls, counted over starts and waits.
struct Script {
  enum class Act { kFail, kNoRead, kTimeOut, kFlipBit, kDie };
  std::map<std::uint64_t, Act> acts = {};
  std::uint64_t calls = 0;
  std::uint64_t reads = 0;
  std::uint32_t block_bytes = 4096;
  bool opens = true;
  std::uint64_t flips = 0;  // of every read, from here on: which bit, made by a generator
  std::mt19937_64 random{5};

  [[nodiscard]] bool next(Act act) const {
    const auto found = acts.find(calls);
    return found != acts.end() && found->second == act;
  }
};

Script* script = nullptr;  // of the test that runs: the ABI's functions have no other way to it

}  // namespace

struct belay_file_t {
  std::filesystem::path path;
};
struct belay_read_t {
  belay_file_t* file;
  belay_extent_t extent;
};

namespace {

belay_status_t failed(belay_error_t* error, belay_status_t code, std::int32_t scope) {
  error->code = code;
  error->scope = scope;
  std::strncpy(error->message, "as the script says", sizeof error->message - 1);
  return code;
}

belay_status_t file_open(belay_instance_t*, belay_str_t path, belay_file_t** file, belay_error_t* error) {
  if (!script->opens) return failed(error, BELAY_IO, BELAY_SCOPE_OP);
  *file = new belay_file_t{std::string(path.data, path.size)};
  return BELAY_OK;
}

belay_status_t info(const belay_file_t* file, belay_storage_info_t* out, belay_error_t*) {
  out->file_bytes = std::filesystem::file_size(file->path);
  out->block_bytes = script->block_bytes;
  out->method = BELAY_STR("script");
  return BELAY_OK;
}

belay_status_t start_read(belay_file_t* file, const belay_extent_t* extents, std::uint64_t count,
                          belay_read_t** read, belay_error_t* error) {
  ++script->calls;
  REQUIRE(count == 1);
  CHECK(extents->offset % script->block_bytes == 0);
  CHECK(extents->offset + extents->bytes < std::filesystem::file_size(file->path) + script->block_bytes);
  CHECK(extents->bytes % script->block_bytes == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(extents->to) % script->block_bytes == 0);
  if (script->next(Script::Act::kFail)) return failed(error, BELAY_IO, BELAY_SCOPE_OP);
  if (script->next(Script::Act::kDie)) return failed(error, BELAY_INTERNAL, BELAY_SCOPE_PLUGIN);
  *read = script->next(Script::Act::kNoRead) ? nullptr : new belay_read_t{file, *extents};
  std::memset(extents->to, 0xEE, extents->bytes);  // it is not there yet
  return BELAY_OK;
}

belay_status_t read_sync(belay_read_t* read, std::uint64_t, belay_error_t* error) {
  ++script->calls;
  if (script->next(Script::Act::kFail)) return failed(error, BELAY_IO, BELAY_SCOPE_OP);
  if (script->next(Script::Act::kTimeOut)) return failed(error, BELAY_TIMEOUT, BELAY_SCOPE_OP);
  ++script->reads;
  const std::uint64_t size = std::filesystem::file_size(read->file->path);
  const std::uint64_t bytes = std::min(read->extent.bytes, size - read->extent.offset);
  auto* to = static_cast<std::byte*>(read->extent.to);
  std::ifstream file(read->file->path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(read->extent.offset));
  file.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(bytes));
  REQUIRE(file.good());
  if (script->next(Script::Act::kFlipBit) || script->flips > 0) {
    const std::uint64_t bit = script->random() % (8 * bytes);
    to[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
  return BELAY_OK;
}

belay_storage_t table() {
  belay_storage_t made = {};
  made.struct_size = sizeof made;
  made.file_open = file_open;
  made.file_close = [](belay_file_t* file) { delete file; };
  made.info = info;
  made.read = start_read;
  made.read_sync = read_sync;
  made.read_end = [](belay_read_t* read) { delete read; };
  made.prepare = [](belay_instance_t*, void*, std::uint64_t, belay_error_t*) {
    return belay_status_t{BELAY_OK};
  };
  return made;
}

// A model on the disk whose layers from the second on are streamed through a small ring.
class Fixture {
 public:
  explicit Fixture(Script what) : what_(std::move(what)) { script = &what_; }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() {
    stream_.reset();
    script = nullptr;
  }

  Status start(bool with_plugin = true, bool strict = false) {
    stream_.reset();
    BELAY_TRY_ASSIGN(file_, models::ModelFile::open(path()));
    BELAY_TRY_ASSIGN(model_, models::build_model(*file_, DType::kF32));
    original_.clear();
    for (const graph::Weight& weight : body().weights) original_.push_back(weight.data);
    stream_ = std::make_unique<WeightStream>(
        body(), WeightStream::Parts{*file_, with_plugin ? &storage_ : nullptr, log_, pool_}, strict);
    if (compress_) BELAY_TRY(read_copy());
    return lay_out(1);
  }

  // From the next start on.
  void compress(bool wanted = true) { compress_ = wanted; }
  [[nodiscard]] std::filesystem::path copy() const {
    return std::filesystem::directory_iterator(copies_.path())->path();
  }

  // One pass over the graph; true when every node saw its weight as it is in the file.
  Result<bool> pass(std::size_t nodes = ~std::size_t{0}) {
    bool right = true;
    for (std::size_t n = 0; n < std::min(nodes, body().nodes.size()); ++n) {
      BELAY_TRY(stream_->acquire(n, stop_));
      for (const graph::WeightId id : body().nodes[n].weights)
        right = right && std::ranges::equal(body().weights[id].data, original_[id]);
      stream_->release(n);
    }
    return right;
  }

  Status lay_out(std::size_t first_layer) {
    constexpr std::uint64_t kToUnpack = (64 << 10) + kThreads * memory::TileUnpacker::kMemoryBytes;
    return stream_->lay_out(
        {.first_layer = first_layer, .ring_bytes = (96 << 10) + (compress_ ? kToUnpack : 0)});
  }
  Status lay_out_small() { return stream_->lay_out({.first_layer = 1, .ring_bytes = 96 << 10}); }
  [[nodiscard]] graph::Graph& body() { return model_->decoder.body; }
  // Where in the file the last of the streamed weights begins.
  [[nodiscard]] std::uint64_t place_of_streamed() {
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < original_.size(); ++i) {
      if (body().weights[i].home == graph::Home::kRing) offset = file_->place_of(original_[i])->offset;
    }
    return offset;
  }
  [[nodiscard]] const StreamUse& use() const { return stream_->use(); }
  [[nodiscard]] const std::vector<dispatch::Fallback>& fallbacks() const { return log_.entries(); }
  [[nodiscard]] const std::filesystem::path& path() const { return model_file_.path(); }
  void end() { stream_.reset(); }
  Script& plays() { return what_; }
  Stop& stop() { return stop_; }

 private:
  static constexpr std::uint32_t kThreads = 2;

  // Of the weights of every layer.
  Status read_copy() {
    const auto weights = compressible_weights(body(), *file_);
    const CopyName name = name_copy(weights, *file_, copies_.path());
    auto copy = memory::CompressedFile::open(name.path, name.description);
    if (!copy.ok()) {
      BELAY_TRY(make_copy(weights, name, "", pool_, {}));
      copy = memory::CompressedFile::open(name.path, name.description);
    }
    if (!copy.ok()) return copy.error();
    stream_->read_compressed(*std::move(copy));
    return {};
  }

  bool compress_ = false;
  test::TemporaryFolder copies_;
  Script what_;
  test::TinyModelFile model_file_{"weight_stream_test.gguf",
                                  {.layers = 4, .types = {DType::kQ8_0, DType::kF32}, .seed = 9}};
  belay_storage_t table_ = table();
  std::optional<models::ModelFile> file_;
  std::optional<models::Model> model_;
  std::vector<std::span<const std::byte>> original_;  // of each weight, in the mapped file
  threading::Pool pool_{{.threads = kThreads, .pin = false}};
  dispatch::FallbackLog log_;
  dispatch::Storage storage_{"script", [this] { return dispatch::StorageTable{&table_, nullptr}; }};
  Stop stop_;
  std::unique_ptr<WeightStream> stream_;
};

void check_passes(Fixture& f, int passes = 3) {
  for (int i = 0; i < passes; ++i) {
    const auto right = f.pass();
    REQUIRE_MESSAGE(right.ok(), (right.ok() ? std::string() : right.error().message));
    CHECK(*right);
  }
}

// A bit of each of 10,000 reads.
void check_flips(Fixture& f) {
  f.plays().flips = 1;
  const std::uint64_t before = f.plays().reads;
  while (f.plays().reads < before + 10'000) {
    const auto right = f.pass();
    REQUIRE(right.ok());
    REQUIRE(*right);
  }
}

}  // namespace

TEST_CASE("every node sees its weight, pass after pass, and the ring is smaller than what goes through it") {
  Fixture f({});
  REQUIRE(f.start().ok());
  check_passes(f);
  CHECK(f.fallbacks().empty());
  CHECK(f.use().method == "script");
  CHECK(f.use().ring_bytes < f.use().pass_bytes);
  CHECK(f.use().read_bytes == 3 * f.use().pass_bytes);
  std::size_t streamed = 0;
  for (const graph::Weight& weight : f.body().weights) streamed += weight.home == graph::Home::kRing ? 1 : 0;
  CHECK(streamed == 3 * 7);  // q, k, v, o, gate, up, down of three layers
}

TEST_CASE("extents keep to the plugin's blocks, also at the end of the file") {
  Script what;
  what.block_bytes = 512;
  Fixture f(what);
  REQUIRE(f.start().ok());
  check_passes(f);
  CHECK(f.fallbacks().empty());
}

TEST_CASE("without a plugin the core reads, and nothing is a fallback") {
  Fixture f({});
  REQUIRE(f.start(false).ok());
  check_passes(f);
  CHECK(f.fallbacks().empty());
  CHECK(f.plays().calls == 0);
}

TEST_CASE("a plugin that fails at any call changes nothing but who read, and that is counted") {
  std::uint64_t calls = 0;
  {
    Fixture f({});
    REQUIRE(f.start().ok());
    check_passes(f, 2);
    calls = f.plays().calls;
  }
  using Act = Script::Act;
  for (const Act act : {Act::kFail, Act::kNoRead, Act::kTimeOut, Act::kDie}) {
    for (std::uint64_t k = 1; k <= calls; ++k) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(act));
      Fixture f({.acts = {{k, act}}});
      REQUIRE(f.start().ok());
      check_passes(f, 2);
      const bool waited_only = act == Act::kTimeOut;
      if (waited_only) CHECK(f.fallbacks().empty());
      for (const dispatch::Fallback& fallback : f.fallbacks()) {
        CHECK(fallback.op == "weights");
        CHECK(fallback.from == "script");
        CHECK(fallback.to == "core");
      }
    }
  }
}

TEST_CASE("three failures in a row end the plugin's use, one that took it with it does so at once") {
  Fixture f({.acts = {{1, Script::Act::kDie}}});
  REQUIRE(f.start().ok());
  check_passes(f, 2);
  CHECK(f.plays().calls == 1);
  REQUIRE(f.fallbacks().size() == 1);
  CHECK(f.fallbacks()[0].count > 10);
}

TEST_CASE("under strict the first failure is an error that names the plugin") {
  Fixture f({.acts = {{1, Script::Act::kFail}}});
  REQUIRE(f.start(true, true).ok());
  const auto right = f.pass();
  REQUIRE_FALSE(right.ok());
  CHECK(right.error().code == ErrorCode::kFallbackForbidden);
  CHECK(right.error().message.find("script") != std::string::npos);
}

TEST_CASE("a plugin that cannot open the file, or wants larger blocks, leaves the reading to the core") {
  for (const std::uint32_t block : {8192U, 3U, 4096U}) {
    Script what;
    what.block_bytes = block;
    what.opens = block != 4096U;
    Fixture f(what);
    REQUIRE(f.start().ok());
    check_passes(f);
    CHECK(f.plays().reads == 0);
  }
}

TEST_CASE("10,000 flipped bits on the way: every one is found, and the node sees the file's bytes") {
  Fixture f({});
  REQUIRE(f.start().ok());
  check_passes(f, 1);  // hashes are taken
  check_flips(f);
  // The first bytes of a slot belong to the neighbour in the file, so that some flips hit no weight.
  CHECK(f.use().repaired_tiles > 0);
  REQUIRE(f.fallbacks().size() == 1);
  CHECK(f.fallbacks()[0].reason == "CORRUPT");
  CHECK(f.fallbacks()[0].count == f.use().repaired_tiles);
}

TEST_CASE(
    "a bit that flipped in the file itself is an error with file and offset, in this run and in the next") {
  Fixture f({});
  REQUIRE(f.start().ok());
  check_passes(f, 1);
  const std::uint64_t place = f.place_of_streamed();
  f.end();  // keeps the hashes
  {
    std::fstream file(f.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(place + 20));
    const int byte = file.peek();
    file.put(static_cast<char>(byte ^ 4));
  }
  REQUIRE(f.start().ok());
  const auto right = f.pass();
  REQUIRE_FALSE(right.ok());
  CHECK(right.error().code == ErrorCode::kBadInput);
  CHECK(right.error().message.find("weight_stream_test.gguf: the ") != std::string::npos);
  CHECK(right.error().message.find("belay-tiles") != std::string::npos);
}

TEST_CASE("a pass that is broken off is followed by a whole one") {
  Fixture f({});
  REQUIRE(f.start().ok());
  for (const std::size_t nodes : {1U, 20U, 33U, 45U}) {
    REQUIRE(f.pass(nodes).ok());
    check_passes(f, 1);
  }
}

TEST_CASE(
    "laid out again between two passes, more or fewer layers are streamed, and every node sees its weight") {
  Fixture f({});
  REQUIRE(f.start().ok());
  for (const std::size_t first : {3U, 0U, 2U, 1U}) {
    check_passes(f, 2);
    REQUIRE(f.lay_out(first).ok());
    std::size_t streamed = 0;
    for (const graph::Weight& weight : f.body().weights)
      streamed += weight.home == graph::Home::kRing ? 1 : 0;
    CHECK(streamed == (4 - first) * 7);
  }
  check_passes(f, 1);
}

TEST_CASE("the user's wish to stop ends the waiting for a disk that does not answer") {
  Script what;
  for (std::uint64_t call = 1; call < 1000; ++call) what.acts[call] = Script::Act::kTimeOut;
  Fixture f(what);
  REQUIRE(f.start().ok());
  f.stop().deadline = std::chrono::steady_clock::now();
  const auto right = f.pass();
  REQUIRE_FALSE(right.ok());
  CHECK(right.error().code == ErrorCode::kDeadline);
}

TEST_CASE("a ring that cannot hold the largest weight is refused") {
  Fixture f({});
  REQUIRE(f.start().ok());
  models::Model model;
  auto file = models::ModelFile::open(f.path());
  REQUIRE(file.ok());
  auto built = models::build_model(*file, DType::kF32);
  REQUIRE(built.ok());
  dispatch::FallbackLog log;
  threading::Pool pool({.threads = 1, .pin = false});
  WeightStream stream(built->decoder.body, {*file, nullptr, log, pool}, false);
  const Status laid = stream.lay_out({.first_layer = 0, .ring_bytes = 4096});
  REQUIRE_FALSE(laid.ok());
  CHECK(laid.error().code == ErrorCode::kOutOfMemory);
  CHECK_FALSE(stream.is_streaming());
  for (const graph::Weight& weight : built->decoder.body.weights) CHECK(weight.home != graph::Home::kRing);
}

TEST_CASE("from a compressed copy fewer bytes are read, and every node sees its weight") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start().ok());
  check_passes(f);
  CHECK(f.fallbacks().empty());
  CHECK(f.use().stored_bytes < f.use().pass_bytes);
  CHECK(f.use().read_bytes == 3 * f.use().stored_bytes);
  for (const std::size_t first : {3U, 0U, 2U}) {
    REQUIRE(f.lay_out(first).ok());
    check_passes(f, 2);
  }
  CHECK(f.use().repaired_tiles == 0);
}

TEST_CASE("a plugin that fails at any call of a compressed pass changes nothing but who read") {
  std::uint64_t calls = 0;
  {
    Fixture f({});
    f.compress();
    REQUIRE(f.start().ok());
    check_passes(f, 2);
    calls = f.plays().calls;
  }
  using Act = Script::Act;
  for (const Act act : {Act::kFail, Act::kNoRead, Act::kDie}) {
    for (std::uint64_t k = 1; k <= calls; ++k) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(act));
      Fixture f({.acts = {{k, act}}});
      f.compress();
      REQUIRE(f.start().ok());
      check_passes(f, 2);
      for (const dispatch::Fallback& fallback : f.fallbacks()) CHECK(fallback.to == "core");
    }
  }
}

TEST_CASE("without a plugin what has a compressed copy is read whole") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start(false).ok());
  check_passes(f);
  CHECK(f.use().read_bytes == 3 * f.use().pass_bytes);
}

TEST_CASE("10,000 flipped bits in compressed weights on their way: every one is found") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start().ok());
  check_flips(f);
  CHECK(f.use().repaired_tiles > 0);
  REQUIRE(f.fallbacks().size() == 1);
  CHECK(f.fallbacks()[0].reason == "CORRUPT");
}

TEST_CASE("a copy that is damaged on the disk is read around, and nothing wrong is learned from it") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start().ok());
  const std::filesystem::path copy = f.copy();
  const auto size = std::filesystem::file_size(copy);
  {
    std::fstream file(copy, std::ios::binary | std::ios::in | std::ios::out);
    file.write(std::string(size / 2, 'x').data(), static_cast<std::streamsize>(size / 2));
  }
  check_passes(f, 2);
  CHECK(f.use().repaired_tiles > 0);
  f.end();
  std::filesystem::remove(f.path().string() + ".belay-tiles");  // so that nothing is known but by the copy
  REQUIRE(f.start().ok());
  check_passes(f, 2);
  CHECK(f.use().repaired_tiles > 0);
}

TEST_CASE("a copy of other weights than those of the file is not read") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start().ok());  // makes the copy
  const std::uint64_t place = f.place_of_streamed();
  f.end();
  // Another file of the same name, size and time, whose hashes were taken.
  const auto time = std::filesystem::last_write_time(f.path());
  {
    std::fstream file(f.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(place + 20));
    const int byte = file.peek();
    file.seekp(static_cast<std::streamoff>(place + 20));
    file.put(static_cast<char>(byte ^ 4));
  }
  std::filesystem::last_write_time(f.path(), time);
  std::filesystem::remove(memory::TileHashes::kept_beside(f.path()));
  f.compress(false);
  REQUIRE(f.start().ok());
  check_passes(f, 1);
  f.end();
  f.compress();
  REQUIRE(f.start().ok());
  check_passes(f);
  CHECK(f.fallbacks().empty());
}

TEST_CASE("a ring without room to unpack is used without the copy") {
  Fixture f({});
  f.compress();
  REQUIRE(f.start().ok());
  REQUIRE(f.lay_out_small().ok());
  check_passes(f);
  CHECK(f.use().stored_bytes == f.use().pass_bytes);
}
