// Any call may fail, at any time: the data is right all the same, or the read says why it is not there.
#include "plugins/nvme_offload/rung.hpp"
#include "tests/plugins/nvme_offload/support.hpp"
#include "tests/support/doctest.hpp"

#include <cerrno>

namespace belay::nvme::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSize = 2 * kMiB + 777;
constexpr std::uint64_t kWhole = kSize / 512 * 512 + 512;

const Folder& folder() {
  static const Folder all;
  return all;
}

const std::filesystem::path& file_path() {
  static const std::filesystem::path path = folder().file(kSize);
  return path;
}

struct Outcome {
  belay_status_t opened = BELAY_OK;
  belay_status_t read = BELAY_OK;  // the first that was not OK
  std::uint64_t wrong = 0;
  std::string message;
  std::int64_t native_code = 0;
  std::string method;  // in the end
  std::size_t warnings = 0;
};

// Opens the file and reads it with three reads in flight.
Outcome read_file(Script& script, const std::string& method, bool prepare = true) {
  static const Memory memory(3 * kMiB);
  memory.poison();
  Outcome outcome;
  {
    Sample sample(&script, method);
    Storage& storage = sample.storage;
    if (prepare) {
      static_cast<void>(storage.table->prepare(storage.instance, memory.data(), memory.size(), nullptr));
    }
    belay_file_t* file = nullptr;
    outcome.opened = storage.open(file_path(), &file);
    outcome.message = storage.error.message;
    if (outcome.opened != BELAY_OK) return outcome;
    std::byte* to = memory.data();
    const std::vector<std::vector<belay_extent_t>> parts = {
        {{0, 4096, to}, {4096, kMiB, to + 4096}},
        {{kMiB + 4096, 8192, to + kMiB + 4096}},
        {{kMiB + 12288, kWhole - kMiB - 12288, to + kMiB + 12288}}};
    std::vector<belay_read_t*> reads(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i)
      REQUIRE(storage.read(file, parts[i], &reads[i]) == BELAY_OK);
    for (const std::size_t i : {1, 0, 2}) {
      const belay_status_t status = storage.table->read_sync(reads[i], 0, &storage.error);
      if (status == BELAY_OK || outcome.read != BELAY_OK) continue;
      outcome.read = status;
      outcome.message = storage.error.message;
      outcome.native_code = storage.error.native_code;
    }
    for (belay_read_t* read : reads) storage.table->read_end(read);
    outcome.wrong = wrong_bytes({0, kSize, to}, kSize);
    outcome.method = storage.method(file);
    storage.table->file_close(file);
    outcome.warnings = sample.host.warnings.size();
  }
  CHECK(script.in_ring == 0);
  CHECK(script.open_files == 0);
  return outcome;
}

bool ok(const Outcome& outcome) {
  return outcome.opened == BELAY_OK && outcome.read == BELAY_OK && outcome.wrong == 0;
}

// The fault at the first call, at the second, ... until there is none left to fail. How many that were.
int fail_each(const char* method, Call call, std::int64_t result) {
  for (int first = 0;; ++first) {
    Script script;
    script.fault = {call, first, 1, result};
    const Outcome outcome = read_file(script, method);
    CAPTURE(method);
    CAPTURE(static_cast<int>(call));
    CAPTURE(result);
    CAPTURE(first);
    CAPTURE(outcome.message);
    CHECK(ok(outcome));
    CHECK(outcome.warnings <= 1);
    if (script.faults == 0) return first;
  }
}

TEST_CASE("each call fails once, in turn: the data is right") {
  struct Kind {
    Call call;
    std::vector<std::int64_t> results;
  };
  const Kind kinds[] = {
      {Call::kSetDirect, {-EINVAL, -EIO}},
      {Call::kRead, {-EINTR, -EAGAIN, -EIO, -EINVAL, -EOPNOTSUPP, 1, 511, 512, 70000}},
      {Call::kStartThread, {-EAGAIN}},
      {Call::kMakeRing, {-EPERM, -ENOSYS, -ENOMEM, -EINVAL}},
      {Call::kSubmit, {-EINTR, -EAGAIN, -EBUSY, -EINVAL, -EIO}},
      {Call::kWait, {-EIO, -EINVAL}},
      {Call::kRingRead, {-EINTR, -EAGAIN, -ECANCELED, -EIO, -EINVAL, -EOPNOTSUPP, 1, 511, 512, 70000}},
      {Call::kRegisterBuffers, {-ENOMEM, -EPERM, -EOPNOTSUPP}},
      {Call::kRegisterFile, {-EINVAL, -ENOMEM}},
  };
  int faults = 0;
  for (const char* method : {"io_uring", "pread", "buffered"}) {
    for (const Kind& kind : kinds) {
      for (const std::int64_t result : kind.results) faults += fail_each(method, kind.call, result);
    }
  }
  MESSAGE(faults << " faults");
}

TEST_CASE("a file that cannot be opened says why; an interrupted open goes on") {
  for (const Call call : {Call::kOpen, Call::kStatus}) {
    Script script;
    script.fault = {call, 0, 1, -EACCES};
    Outcome outcome = read_file(script, "");
    CHECK(outcome.opened == BELAY_IO);
    CHECK(outcome.message.find("Permission denied") != std::string::npos);
    CHECK(outcome.message.find(file_path().filename()) != std::string::npos);
    Script interrupted;
    interrupted.fault = {call, 0, 3, -EINTR};
    CHECK(ok(read_file(interrupted, "")));
  }
}

TEST_CASE("what fails again and again is an error after three tries, with file, offset and number") {
  for (const char* method : {"io_uring", "pread", "buffered"}) {
    Script script;
    script.fault = {std::string(method) == "io_uring" ? Call::kRingRead : Call::kRead, 1, 1 << 20, -EIO};
    if (script.fault.call == Call::kRingRead) script.fault.first = 0;
    const Outcome outcome = read_file(script, method);
    CAPTURE(method);
    CAPTURE(outcome.message);
    CHECK(outcome.read == BELAY_IO);
    CHECK(outcome.native_code == EIO);
    CHECK(outcome.message.find("Input/output error at offset ") == 0);
    CHECK(outcome.message.find(file_path().native()) != std::string::npos);
  }
  Script twice;
  twice.fault = {Call::kRingRead, 0, 2, -EIO};
  CHECK(ok(read_file(twice, "")));
}

TEST_CASE("the rungs below are reached by what is refused, and said once") {
  struct Case {
    const char* what;
    const char* method;
    Fault fault;
    Rung ends;
    std::size_t warnings;
  };
  constexpr int kAlways = 1 << 20;
  for (const Case& c : {
           Case{"nothing", "", {}, Rung::kRegistered, 0},
           Case{"io_uring, by the setting", "io_uring", {}, Rung::kRegistered, 0},
           Case{"registration", "", {Call::kRegisterBuffers, 0, kAlways, -ENOMEM}, Rung::kRing, 0},
           Case{"io_uring, by a container", "", {Call::kMakeRing, 0, kAlways, -EPERM}, Rung::kPool, 0},
           Case{"io_uring, by the kernel", "", {Call::kMakeRing, 0, kAlways, -ENOSYS}, Rung::kPool, 0},
           Case{"io_uring, for want of memory", "", {Call::kMakeRing, 0, kAlways, -ENOMEM}, Rung::kPool, 0},
           Case{"submissions", "", {Call::kSubmit, 0, kAlways, -EPERM}, Rung::kPool, 1},
           Case{"submissions, for want of memory", "", {Call::kSubmit, 0, kAlways, -EAGAIN}, Rung::kPool, 1},
           Case{"waiting", "", {Call::kWait, 1, 1, -EIO}, Rung::kPool, 1},
           Case{"O_DIRECT", "", {Call::kSetDirect, 0, 1, -EINVAL}, Rung::kBuffered, 0},
           Case{"the first direct read", "", {Call::kRead, 0, 1, -EINVAL}, Rung::kBuffered, 0},
           Case{"direct reads of pread later on", "pread", {Call::kRead, 3, 1, -EINVAL}, Rung::kBuffered, 1},
           Case{"threads", "pread", {Call::kStartThread, 0, kAlways, -EAGAIN}, Rung::kPool, 0},
           Case{"some threads", "buffered", {Call::kStartThread, 1, kAlways, -EAGAIN}, Rung::kBuffered, 0},
       }) {
    INFO(c.what);
    Script script;
    script.fault = c.fault;
    const Outcome outcome = read_file(script, c.method);
    CAPTURE(outcome.message);
    CHECK(ok(outcome));
    CHECK(outcome.method == method_of(c.ends));
    CHECK(outcome.warnings == c.warnings);
    CHECK((script.dropped > 0) == (c.ends == Rung::kBuffered));
    if (c.ends == Rung::kRegistered) CHECK(script.fixed_reads > 0);
  }
}

TEST_CASE("reads into registered memory that are refused are done without") {
  Script script;
  script.registered_refused = true;
  const Outcome outcome = read_file(script, "");
  CHECK(ok(outcome));
  CHECK(outcome.method == method_of(Rung::kRing));
  CHECK(outcome.warnings == 1);
}

TEST_CASE("direct reads that are refused from the beginning cost no warning") {
  Script script;
  script.no_direct_reads = true;
  const Outcome outcome = read_file(script, "");
  CHECK(ok(outcome));
  CHECK(outcome.method == method_of(Rung::kBuffered));
  CHECK(outcome.warnings == 0);
}

TEST_CASE("a kernel before 5.19 gets a ring without its flag") {
  Script script;
  script.cooperative_refused = true;
  CHECK(read_file(script, "").method == method_of(Rung::kRegistered));
}

TEST_CASE("without registered memory the ring reads all the same") {
  Script script;
  const Outcome outcome = read_file(script, "", false);
  CHECK(ok(outcome));
  CHECK(outcome.method == method_of(Rung::kRing));
  CHECK(script.fixed_reads == 0);
}

TEST_CASE("a kernel that does not tell its block gets one that fits every drive") {
  for (const std::uint32_t told : {0U, 4U, 512U, 3000U, 4096U, 65536U, 131072U}) {
    Script script;
    script.block = told;
    Sample sample(&script, "buffered");
    belay_file_t* file = nullptr;
    REQUIRE(sample.storage.open(file_path(), &file) == BELAY_OK);
    const std::uint32_t expected = told == 4 ? 512 : told == 512 || told == 65536 ? told : 4096;
    CHECK(sample.storage.info(file).block_bytes == expected);
    sample.storage.table->file_close(file);
  }
}

TEST_CASE("a file that became shorter is an error that says where it ends") {
  for (const char* method : {"io_uring", "pread", "buffered"}) {
    for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{1000}, kMiB, kMiB + 1}) {
      CAPTURE(method);
      CAPTURE(left);
      const auto path = folder().file(2 * kMiB, "shrinks");
      Script script;
      Sample sample(&script, method);
      const Memory memory(2 * kMiB);
      belay_file_t* file = nullptr;
      REQUIRE(sample.storage.open(path, &file) == BELAY_OK);
      std::filesystem::resize_file(path, left);
      CHECK(sample.storage.read_all(file, {{kMiB, kMiB, memory.data()}}) == BELAY_IO);
      const std::string ends = "the file ends at " + std::to_string(std::max(left, kMiB)) + ",";
      CHECK_MESSAGE(std::string(sample.storage.error.message).find(ends) == 0, sample.storage.error.message);
      CHECK(sample.storage.error.scope == BELAY_SCOPE_OP);
      sample.storage.table->file_close(file);
    }
  }
}

TEST_CASE("what one read meets leaves the others alone") {
  Script script;
  script.broken_from = kMiB;
  Sample sample(&script);
  const Memory memory(2 * kMiB);
  belay_file_t* file = nullptr;
  REQUIRE(sample.storage.open(file_path(), &file) == BELAY_OK);
  belay_read_t* good = nullptr;
  belay_read_t* bad = nullptr;
  REQUIRE(sample.storage.read(file, {{0, kMiB, memory.data()}}, &good) == BELAY_OK);
  REQUIRE(sample.storage.read(file, {{kMiB, kMiB, memory.data() + kMiB}}, &bad) == BELAY_OK);
  CHECK(sample.storage.table->read_sync(good, 0, &sample.storage.error) == BELAY_OK);
  CHECK(wrong_bytes({0, kMiB, memory.data()}, kSize) == 0);
  CHECK(sample.storage.table->read_sync(bad, 0, &sample.storage.error) == BELAY_IO);
  CHECK(sample.storage.table->read_sync(bad, 0, &sample.storage.error) == BELAY_IO);
  sample.storage.table->read_end(good);
  sample.storage.table->read_end(bad);
  sample.storage.table->file_close(file);
}

}  // namespace
}  // namespace belay::nvme::test
