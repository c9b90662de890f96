// Whether streamed weights are compressed, and how their copy is made. The disk is one of the test's own: how
// fast it is, is written here.
#include "core/runtime/compression.hpp"

#include "core/base/format.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/core/runtime/plain_disk.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <chrono>
#include <thread>

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{64} << 20U;

// The weights of a small model.
struct Model {
  explicit Model(const std::vector<DType>& types)
      : on_disk(format("compression_test_{}.gguf", to_string(types.front())),
                {.layers = 4, .types = types, .seed = 9}) {
    auto opened = models::ModelFile::open(on_disk.path());
    REQUIRE(opened.ok());
    file.emplace(*std::move(opened));
    auto built = models::build_model(*file, DType::kF32);
    REQUIRE(built.ok());
    model.emplace(*std::move(built));
    weights = compressible_weights(model->decoder.body, *file);
  }

  test::TinyModelFile on_disk;
  std::optional<models::ModelFile> file;
  std::optional<models::Model> model;
  std::vector<CompressibleWeight> weights;
};

// The gain for weights that compress well, on a disk that takes that long for each read of 8 MiB.
std::optional<double> gain_on(std::chrono::milliseconds time_of_a_read, double& ratio, int& plain_reads) {
  const Model m({DType::kBF16});
  threading::Pool pool({.threads = 2, .pin = false});
  auto trial = CompressionTrial::make(m.weights, pool);
  REQUIRE(trial.ok());
  ratio = trial->ratio();
  test::PlainDisk disk(kFileBytes);
  disk.on_wait = [&] { std::this_thread::sleep_for(time_of_a_read); };
  const DiskTrial plain = {"some.gguf", 0, std::uint64_t{16} << 20U, std::uint64_t{16} << 20U,
                           [&](std::span<const std::byte>) { ++plain_reads; }};
  return trial->gain(disk.storage(), plain);
}

struct Making {
  test::TemporaryFolder folder;
  threading::Pool pool{{.threads = 2, .pin = false}};
};

}  // namespace

TEST_CASE("every matrix of every layer may have a copy") {
  const Model m({DType::kF16});
  CHECK(m.weights.size() == 4 * 7);
  for (const CompressibleWeight& weight : m.weights) CHECK(weight.place.file == m.on_disk.path());
}

TEST_CASE("numbers compress and blocks do not") {
  const Model numbers({DType::kBF16});
  const Model blocks({DType::kQ8_0});
  threading::Pool pool({.threads = 1, .pin = false});
  const auto of_numbers = CompressionTrial::make(numbers.weights, pool);
  const auto of_blocks = CompressionTrial::make(blocks.weights, pool);
  REQUIRE(of_numbers.ok());
  REQUIRE(of_blocks.ok());
  CHECK(of_numbers->ratio() * kLeastGain < 1);
  CHECK(of_blocks->ratio() * kLeastGain > 1);
}

TEST_CASE("on a disk that takes all the time the gain is that of the bytes") {
  double ratio = 0;
  int plain_reads = 0;
  const auto gain = gain_on(std::chrono::milliseconds(50), ratio, plain_reads);
  REQUIRE(gain.has_value());
  CHECK(*gain > 1);
  CHECK(*gain <= 1.05 / ratio);
  CHECK(plain_reads == 2 + 1 + 2 + 2);
}

TEST_CASE("on a disk that takes no time there is no gain, and one look is enough") {
  double ratio = 0;
  int plain_reads = 0;
  const auto gain = gain_on(std::chrono::milliseconds(0), ratio, plain_reads);
  REQUIRE(gain.has_value());
  CHECK(*gain < kLeastGain);
  CHECK(plain_reads == 2 + 1);
}

TEST_CASE("the copy has every tile, and says why it was made") {
  const Model m({DType::kF16, DType::kF32, DType::kQ4_0});
  Making at;
  const CopyName name = name_copy(m.weights, *m.file, at.folder.path());
  REQUIRE(make_copy(m.weights, name, "for a test", at.pool, {}).ok());
  const auto copy = memory::CompressedFile::open(name.path, name.description);
  REQUIRE(copy.ok());
  CHECK(copy->note() == "for a test");
  memory::TileUnpacker unpacker;
  for (const CompressibleWeight& weight : m.weights) {
    const memory::CompressedPart* part = copy->find(part_name(weight.name, weight.place.offset));
    REQUIRE(part != nullptr);
    REQUIRE(part->tiles.size() == 1);
    std::vector<std::byte> packed(part->bytes());
    REQUIRE(read_range(name.path, part->offset, packed).ok());
    std::vector<std::byte> out(weight.bytes);
    REQUIRE(unpacker.unpack(packed, part->number_bytes, out));
    std::vector<std::byte> wanted(weight.bytes);
    REQUIRE(read_range(weight.place.file, weight.place.offset, wanted).ok());
    CHECK(out == wanted);
    CHECK(part->tiles[0].hash == xxh3(wanted));
  }
}

TEST_CASE("parts of one tensor are told apart") {
  Model m({DType::kF16});
  Making at;
  CompressibleWeight& whole = m.weights[0];
  CompressibleWeight behind = whole;
  whole.bytes /= 2;
  behind.bytes -= whole.bytes;
  behind.place.offset += whole.bytes;
  m.weights.push_back(behind);
  const CopyName name = name_copy(m.weights, *m.file, at.folder.path());
  REQUIRE(make_copy(m.weights, name, "", at.pool, {}).ok());
  const auto copy = memory::CompressedFile::open(name.path, name.description);
  REQUIRE(copy.ok());
  const memory::CompressedPart* first = copy->find(part_name(behind.name, m.weights[0].place.offset));
  const memory::CompressedPart* second = copy->find(part_name(behind.name, behind.place.offset));
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  CHECK(first->tiles[0].hash != second->tiles[0].hash);
}

TEST_CASE("a file that was written again has another copy") {
  Making at;
  const Model m({DType::kF16});
  const CopyName before = name_copy(m.weights, *m.file, at.folder.path());
  CHECK(name_copy(m.weights, *m.file, at.folder.path()).path == before.path);
  std::filesystem::last_write_time(
      m.on_disk.path(), std::filesystem::last_write_time(m.on_disk.path()) + std::chrono::seconds(1));
  CHECK(name_copy(m.weights, *m.file, at.folder.path()).path != before.path);
}

TEST_CASE("the user's wish to stop ends the making, and so do bytes that changed; then there is no file") {
  Making at;
  const Model m({DType::kF16});
  const CopyName name = name_copy(m.weights, *m.file, at.folder.path());
  const Status stopped = make_copy(m.weights, name, "", at.pool, [](std::size_t done, std::size_t) {
    return done < 5 ? Status() : Status(Error{ErrorCode::kInterrupted, "interrupted"});
  });
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::kInterrupted);
  CHECK(std::filesystem::is_empty(at.folder.path()));

  const CompressibleWeight& weight = m.weights[3];
  {
    auto hashes = memory::TileHashes::of(m.on_disk.path());
    hashes.expect(weight.place.offset, weight.bytes);
    CHECK(hashes.check(weight.place.offset, Xxh3{1, 2}));  // as if it had been something else
    REQUIRE(hashes.keep().ok());
  }
  const Status changed = make_copy(m.weights, name, "", at.pool, {});
  REQUIRE_FALSE(changed.ok());
  CHECK(changed.error().code == ErrorCode::kBadInput);
  CHECK(std::filesystem::is_empty(at.folder.path()));
}
