// Every rung of the ladder that this machine offers reads what the file holds.
#include "plugins/nvme_offload/rung.hpp"
#include "tests/plugins/nvme_offload/support.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <random>

namespace belay::nvme::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

struct Way {
  const char* method;  // the setting
  Rung rung;
  bool prepare;
};
constexpr Way kWays[] = {{"io_uring", Rung::kRegistered, true},
                         {"io_uring", Rung::kRing, false},
                         {"pread", Rung::kPool, true},
                         {"buffered", Rung::kBuffered, true}};

using Test = void (*)(Sample& sample, const Memory& memory, const Folder& folder);

// On the fake system, or on the real one where that offers this way.
void on_rung(const Way& way, bool fake, Test test) {
  CAPTURE(method_of(way.rung));
  CAPTURE(fake);
  Script script;
  Sample sample(fake ? &script : nullptr, way.method);
  Storage& storage = sample.storage;
  const Memory memory(8 * kMiB);
  if (way.prepare) {
    static_cast<void>(storage.table->prepare(storage.instance, memory.data(), memory.size(), nullptr));
  }
  const Folder folder;
  belay_file_t* file = nullptr;
  REQUIRE(storage.open(folder.file(1), &file) == BELAY_OK);
  const std::string method = storage.method(file);
  storage.table->file_close(file);
  if (method == method_of(way.rung)) {
    test(sample, memory, folder);
    CHECK(sample.host.warnings.empty());
  } else {
    CHECK_FALSE(fake);
    MESSAGE("skipped: " << method_of(way.rung) << ": this machine offers " << method);
  }
}

void on_every_rung(Test test) {
  for (const Way& way : kWays) {
    for (const bool fake : {true, false}) on_rung(way, fake, test);
  }
}

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t block) {
  return (bytes + block - 1) / block * block;
}

TEST_CASE("files of every size, whole") {
  on_every_rung([](Sample& sample, const Memory& memory, const Folder& folder) {
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{511}, std::uint64_t{512}, std::uint64_t{4096},
          std::uint64_t{12345}, kMiB, 3 * kMiB + 777}) {
      CAPTURE(size);
      belay_file_t* file = nullptr;
      REQUIRE(sample.storage.open(folder.file(size), &file) == BELAY_OK);
      const belay_storage_info_t info = sample.storage.info(file);
      CHECK(info.file_bytes == size);
      CHECK(info.block_bytes >= 512);
      CHECK(info.block_bytes <= 65536);
      CHECK(info.chunk_bytes == kMiB);
      CHECK(info.direct == (sdk::view(info.method) == method_of(Rung::kBuffered) ? 0 : 1));
      memory.poison();
      const belay_extent_t extent{0, rounded_up(size, info.block_bytes), memory.data()};
      CHECK(sample.storage.read_all(file, {extent}) == BELAY_OK);
      CHECK(wrong_bytes(extent, size) == 0);
      sample.storage.table->file_close(file);
    }
  });
}

// A read of random extents into memory of its own, one of them empty.
struct RandomRead {
  std::vector<belay_extent_t> extents;
  belay_read_t* read = nullptr;

  RandomRead(std::mt19937_64& random, std::uint64_t file_blocks, std::uint64_t block, std::byte* memory,
             std::uint64_t room) {
    const std::uint64_t count = 1 + random() % 4;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t first = random() % file_blocks;
      const std::uint64_t most = std::min(file_blocks - first, room / count / block);
      extents.push_back({first * block, random() % (most + 1) * block, memory});
      memory += extents.back().bytes;
    }
    extents.push_back({0, 0, nullptr});
  }

  [[nodiscard]] std::uint64_t wrong(std::uint64_t file_bytes) const {
    std::uint64_t sum = 0;
    for (const belay_extent_t& extent : extents) sum += wrong_bytes(extent, file_bytes);
    return sum;
  }
};

TEST_CASE("random extents, several reads in flight, one ended early") {
  on_every_rung([](Sample& sample, const Memory& memory, const Folder& folder) {
    constexpr std::uint64_t kSize = 5 * kMiB + 321;
    const belay_storage_t& table = *sample.storage.table;
    belay_file_t* file = nullptr;
    REQUIRE(sample.storage.open(folder.file(kSize), &file) == BELAY_OK);
    const std::uint64_t block = sample.storage.info(file).block_bytes;
    std::mt19937_64 random(7);  // NOLINT(bugprone-random-generator-seed): the same in each run
    for (int round = 0; round < 4; ++round) {
      memory.poison();
      std::vector<RandomRead> reads;
      for (std::uint64_t i = 0; i < 4; ++i) {
        reads.emplace_back(random, rounded_up(kSize, block) / block, block, memory.data() + i * 2 * kMiB,
                           2 * kMiB);
        REQUIRE(sample.storage.read(file, reads[i].extents, &reads[i].read) == BELAY_OK);
      }
      for (const std::size_t i : {2, 0, 0}) CHECK(table.read_sync(reads[i].read, 0, nullptr) == BELAY_OK);
      table.read_end(reads[1].read);
      std::fill_n(memory.data() + 2 * kMiB, 2 * kMiB, Memory::kPoison);
      CHECK(table.read_sync(reads[3].read, 0, nullptr) == BELAY_OK);
      for (const std::size_t i : {0, 2, 3}) {
        CHECK(reads[i].wrong(kSize) == 0);
        table.read_end(reads[i].read);
      }
      CHECK(std::all_of(memory.data() + 2 * kMiB, memory.data() + 4 * kMiB,
                        [](std::byte byte) { return byte == Memory::kPoison; }));
    }
    table.file_close(file);
  });
}

TEST_CASE("more chunks than a transport holds") {
  on_every_rung([](Sample& sample, const Memory& memory, const Folder& folder) {
    belay_file_t* file = nullptr;
    REQUIRE(sample.storage.open(folder.file(kMiB), &file) == BELAY_OK);
    const std::uint64_t block = sample.storage.info(file).block_bytes;
    std::vector<belay_extent_t> extents;
    for (std::uint64_t i = 0; i < 700; ++i) {
      extents.push_back({i * 37 % (kMiB / block) * block, block, memory.data() + i * block});
    }
    CHECK(sample.storage.read_all(file, extents) == BELAY_OK);
    std::uint64_t wrong = 0;
    for (const belay_extent_t& extent : extents) wrong += wrong_bytes(extent, kMiB);
    CHECK(wrong == 0);
    sample.storage.table->file_close(file);
  });
}

TEST_CASE("a reader that is closed first closes its files and ends its reads") {
  Script script;
  const Folder folder;
  const Memory memory(4 * kMiB);
  {
    Sample sample(&script);
    belay_file_t* file = nullptr;
    REQUIRE(sample.storage.open(folder.file(4 * kMiB), &file) == BELAY_OK);
    belay_read_t* read = nullptr;
    REQUIRE(sample.storage.read(file, {{0, 4 * kMiB, memory.data()}}, &read) == BELAY_OK);
    CHECK(script.in_ring == 4);
  }
  CHECK(script.in_ring == 0);
  CHECK(script.open_files == 0);
}

}  // namespace
}  // namespace belay::nvme::test
