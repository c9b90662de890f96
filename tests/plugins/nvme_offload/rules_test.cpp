// What a host may ask for, and what it is told when it asks for something else.
#include "plugins/nvme_offload/instance.hpp"
#include "tests/plugins/nvme_offload/support.hpp"
#include "tests/support/doctest.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <string>
#include <thread>

namespace belay::nvme::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

TEST_CASE("extents that break a rule are refused, and nothing is read") {
  constexpr std::uint64_t kSize = 10000;  // ends in block 19
  Script script;
  Sample sample(&script);
  Storage& storage = sample.storage;
  const Folder folder;
  const Memory memory(kMiB);
  belay_file_t* file = nullptr;
  REQUIRE(storage.open(folder.file(kSize), &file) == BELAY_OK);
  std::byte* to = memory.data();
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max() - 511;
  struct Case {
    belay_extent_t extent;
    const char* words;  // empty: allowed
  };
  const Case cases[] = {
      {{0, 512, to}, ""},
      {{0, 10240, to}, ""},  // with the rest of the last block
      {{9728, 512, to}, ""},
      {{0, 0, nullptr}, ""},
      {{kHuge, 0, to + 1}, ""},
      {{1, 512, to}, "whole blocks"},
      {{0, 511, to}, "whole blocks"},
      {{0, 512, to + 8}, "whole blocks"},
      {{0, 512, nullptr}, "no memory"},
      {{0, 10752, to}, "past the end"},
      {{10240, 512, to}, "past the end"},
      {{512, kHuge, to}, "larger"},
      {{kHuge, 512, to}, "larger"},
      {{0, kHuge, to}, "larger"},
      {{kHuge - 512, 512, to}, "past the end"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.extent.offset);
    CAPTURE(c.extent.bytes);
    memory.poison();
    belay_read_t* read = nullptr;
    const std::string words = c.words;
    const belay_status_t status = storage.read(file, {{0, 512, to}, c.extent}, &read);
    CHECK(status == (words.empty() ? BELAY_OK : BELAY_INVALID_ARGUMENT));
    CHECK((read != nullptr) == words.empty());
    if (words.empty()) {
      CHECK(storage.table->read_sync(read, 0, nullptr) == BELAY_OK);
    } else {
      CHECK_MESSAGE(std::string(storage.error.message).find(words) != std::string::npos,
                    storage.error.message);
      CHECK(std::string(storage.error.message).find("extent 1") != std::string::npos);
      CHECK(script.in_ring == 0);
      CHECK(memory.poisoned());
    }
    storage.table->read_end(read);
  }
  belay_read_t* read = nullptr;
  CHECK(storage.table->read(file, nullptr, 0, &read, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(storage.table->read(file, nullptr, 1, &read, nullptr) == BELAY_INVALID_ARGUMENT);
  storage.table->file_close(file);
}

TEST_CASE("paths that are no readable regular file are refused by name, without waiting") {
  const Folder folder;
  const auto fifo = folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto secret = folder.file(10, "secret");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  Script script;
  Sample sample(&script);
  for (const auto& path : {folder.path(), fifo, folder.path() / "missing", secret, secret / "deeper",
                           std::filesystem::path("/dev/null"), folder.path() / std::string(5000, 'x')}) {
    if (path == secret && ::geteuid() == 0) continue;  // may read it
    CAPTURE(path);
    belay_file_t* file = nullptr;
    CHECK(sample.storage.open(path, &file) == BELAY_IO);
    CHECK(file == nullptr);
    const std::string end = path.filename().native().substr(0, 50);
    CHECK_MESSAGE(std::string(sample.storage.error.message).find(end) != std::string::npos,
                  sample.storage.error.message);
  }
  belay_file_t* file = nullptr;
  CHECK(sample.storage.open(folder.path() / "missing", &file) == BELAY_IO);
  CHECK(sample.storage.error.native_code == ENOENT);
  const std::string with_zero = secret.native() + std::string(1, '\0') + "x";
  CHECK(sample.storage.open(with_zero, &file) == BELAY_INVALID_ARGUMENT);
  CHECK(sample.storage.open("", &file) == BELAY_IO);
  CHECK(sample.storage.table->file_open(sample.storage.instance, {nullptr, 0}, &file, nullptr) ==
        BELAY_INVALID_ARGUMENT);
  CHECK(script.open_files == 0);
}

TEST_CASE("arguments that are missing are refused, those that may be are ignored") {
  Script script;
  Sample sample(&script);
  const belay_storage_t& table = *sample.storage.table;
  CHECK(table.struct_size == sizeof table);
  CHECK(table.file_open(nullptr, sdk::str("x"), nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(table.info(nullptr, nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(table.read(nullptr, nullptr, 0, nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(table.read_sync(nullptr, 0, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(table.prepare(sample.storage.instance, nullptr, 1, nullptr) == BELAY_INVALID_ARGUMENT);
  CHECK(table.prepare(sample.storage.instance, nullptr, 0, nullptr) == BELAY_OK);
  table.file_close(nullptr);
  table.read_end(nullptr);
}

TEST_CASE("a deadline ends the wait, not the read") {
  Script script;
  Sample sample(&script);
  Storage& storage = sample.storage;
  const Folder folder;
  const Memory memory(2 * kMiB);
  belay_file_t* file = nullptr;
  REQUIRE(storage.open(folder.file(2 * kMiB), &file) == BELAY_OK);
  belay_read_t* read = nullptr;
  REQUIRE(storage.read(file, {{0, 2 * kMiB, memory.data()}}, &read) == BELAY_OK);
  script.silent = true;
  CHECK(storage.table->read_sync(read, 1, &storage.error) == BELAY_TIMEOUT);
  CHECK(storage.error.retryable == 1);
  sample.host.cancelled = true;
  CHECK(storage.table->read_sync(read, 0, &storage.error) == BELAY_CANCELLED);
  sample.host.cancelled = false;
  script.silent = false;
  CHECK(storage.table->read_sync(read, 1, &storage.error) ==
        BELAY_OK);  // it is there: the deadline is no matter
  CHECK(wrong_bytes({0, 2 * kMiB, memory.data()}, 2 * kMiB) == 0);
  storage.table->read_end(read);
  storage.table->file_close(file);
}

TEST_CASE("nothing is written after a read has ended") {
  for (const char* method : {"io_uring", "pread", "buffered"}) {
    CAPTURE(method);
    Script script;
    Sample sample(&script, method);
    Storage& storage = sample.storage;
    const Folder folder;
    const Memory ended(16 * kMiB);
    const Memory other(kMiB);
    belay_file_t* file = nullptr;
    REQUIRE(storage.open(folder.file(16 * kMiB), &file) == BELAY_OK);
    for (int round = 0; round < 3; ++round) {
      belay_read_t* read = nullptr;
      REQUIRE(storage.read(file, {{0, 16 * kMiB, ended.data()}}, &read) == BELAY_OK);
      if (round == 1) CHECK(storage.table->read_sync(read, 1, nullptr) != BELAY_IO);
      storage.table->read_end(read);
      ended.poison();
      CHECK(script.in_ring == 0);
      CHECK(storage.read_all(file, {{0, kMiB, other.data()}}) == BELAY_OK);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      CHECK(ended.poisoned());
    }
    storage.table->file_close(file);
  }
}

TEST_CASE("calls may come from different threads, one at a time") {
  const Folder folder;
  const auto path = folder.file(3 * kMiB);
  Sample sample(nullptr);
  Storage& storage = sample.storage;
  const Memory memory(3 * kMiB);
  belay_file_t* file = nullptr;
  belay_read_t* read = nullptr;
  const auto elsewhere = [](auto call) { std::thread(call).join(); };
  elsewhere([&] { CHECK(storage.open(path, &file) == BELAY_OK); });
  elsewhere([&] {
    CHECK(storage.table->prepare(storage.instance, memory.data(), memory.size(), nullptr) <= BELAY_OOM_HOST);
  });
  elsewhere([&] { CHECK(storage.read(file, {{0, 3 * kMiB, memory.data()}}, &read) == BELAY_OK); });
  elsewhere([&] { CHECK(storage.table->read_sync(read, 0, &storage.error) == BELAY_OK); });
  CHECK(wrong_bytes({0, 3 * kMiB, memory.data()}, 3 * kMiB) == 0);
  elsewhere([&] { storage.table->read_end(read); });
  elsewhere([&] { storage.table->file_close(file); });
  CHECK(sample.host.warnings.empty());
}

TEST_CASE("memory is prepared again and again") {
  Script script;
  Sample sample(&script);
  Storage& storage = sample.storage;
  const Folder folder;
  const Memory memory(2 * kMiB);
  belay_file_t* file = nullptr;
  REQUIRE(storage.open(folder.file(kMiB), &file) == BELAY_OK);
  const auto prepare = [&](std::byte* at, std::uint64_t bytes) {
    return storage.table->prepare(storage.instance, at, bytes, &storage.error);
  };
  CHECK(prepare(memory.data(), kMiB) == BELAY_OK);
  CHECK(storage.method(file) == "io_uring, registered buffers, O_DIRECT");
  CHECK(storage.read_all(file, {{0, kMiB, memory.data()}}) == BELAY_OK);
  CHECK(script.fixed_reads == 1);
  CHECK(storage.read_all(file, {{0, kMiB, memory.data() + kMiB}}) == BELAY_OK);  // memory beside it
  CHECK(storage.read_all(file, {{0, kMiB, memory.data() + 512}}) == BELAY_OK);   // and half of it
  CHECK(script.fixed_reads == 1);
  CHECK(prepare(memory.data() + kMiB, kMiB) == BELAY_OK);
  CHECK(storage.read_all(file, {{0, kMiB, memory.data() + kMiB}}) == BELAY_OK);
  CHECK(script.fixed_reads == 2);
  CHECK(prepare(nullptr, 0) == BELAY_OK);
  CHECK(storage.method(file) == "io_uring, O_DIRECT");
  script.fault = {Call::kRegisterBuffers, 0, 1 << 20, -ENOMEM};
  CHECK(prepare(memory.data(), kMiB) == BELAY_OOM_HOST);
  CHECK(storage.error.native_code == ENOMEM);
  CHECK(storage.read_all(file, {{0, kMiB, memory.data()}}) == BELAY_OK);
  CHECK(wrong_bytes({0, kMiB, memory.data()}, kMiB) == 0);
  CHECK(sample.host.warnings.empty());
  storage.table->file_close(file);
}

TEST_CASE("more files than the ring's table holds") {
  Script script;
  Sample sample(&script);
  const Folder folder;
  const Memory memory(4096);
  std::vector<belay_file_t*> files(70);
  for (belay_file_t*& file : files) REQUIRE(sample.storage.open(folder.file(4096), &file) == BELAY_OK);
  for (belay_file_t* file : files) {
    memory.poison();
    CHECK(sample.storage.read_all(file, {{0, 4096, memory.data()}}) == BELAY_OK);
    CHECK(wrong_bytes({0, 4096, memory.data()}, 4096) == 0);
    sample.storage.table->file_close(file);
  }
}

TEST_CASE("an unknown method is refused with those that there are") {
  const StorageHost host("mmap");
  belay_open_t options{};
  options.struct_size = sizeof options;
  try {
    const Instance instance(sdk::Host(host.table()), options);
    FAIL_CHECK("it was taken");
  } catch (const sdk::Error& error) {
    CHECK(error.code() == BELAY_INVALID_ARGUMENT);
    const std::string words = error.what();
    for (const char* word : {"mmap", "io_uring", "pread", "buffered"}) {
      CHECK(words.find(word) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace belay::nvme::test
