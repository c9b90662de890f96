// Every call by which a run reads and writes files may fail: the tokens are those of a run without faults, or
// an error names the place. A few calls of each kind in CI, all of them on request.
#include "tests/support/io_faults.hpp"

#include "core/base/log.hpp"
#include "tests/end_to_end/compressed_copy.hpp"
#include "tests/plugins/nvme_offload/fake_system.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <algorithm>
#include <cerrno>

using namespace belay;  // NOLINT(google-build-using-namespace)
using nvme::test::Call;

namespace {

using Tokens = std::vector<std::int32_t>;
constexpr std::uint64_t kCount = 3;

// More than a block of the KV cache, so that some of it is spilled.
Tokens prompt() {
  Tokens tokens(70);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * 37 % 300);
  return tokens;
}

// A run that streams weights and spills its KV cache.
class Run {
 public:
  explicit Run(std::vector<std::string> plugins) {
    spec_ = {.model = model_.path(), .plugins = {"cpu_scalar"}, .threads = 1, .context = 1024};
    {
      test::TestEngine whole(spec_);
      expected_ = whole.generate(prompt(), kCount);
      const runtime::MemoryUse& use = whole.assembly().engine().plan().memory.use;
      spec_.memory_limit = use.kv_bytes * 3 / 4;
    }
    spec_.plugins = std::move(plugins);
    // In memory where there is a place: a disk takes most of the time of a run to forget the file.
    if (std::filesystem::is_directory("/dev/shm")) spec_.spill_folder = "/dev/shm/belay_spill_test";
    spec_.further_folders = {std::filesystem::path(BELAY_TEST_FAULTY_DIR).parent_path() / "faulty_storage"};
    test::TestEngine small(spec_);
    REQUIRE(small.generate(prompt(), kCount) == expected_);
    REQUIRE(small.assembly().engine().streamed() != nullptr);
    REQUIRE(small.session().spilled() != nullptr);
    REQUIRE(small.session().spilled()->written_bytes > 0);
  }

  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (!spec_.spill_folder.empty()) std::filesystem::remove_all(spec_.spill_folder);
  }

  [[nodiscard]] test::EngineSpec& spec() { return spec_; }

  // Whether all went well; otherwise the error says what, where.
  bool check() {
    const auto tokens = test::TestEngine::try_generate(spec_, prompt(), kCount);
    if (tokens.ok()) {
      CHECK(*tokens == expected_);
      return true;
    }
    const std::string& message = tokens.error().message;
    CAPTURE(message);
    const bool names_place = message.find(model_.path().filename()) != std::string::npos ||
                             message.find("spill") != std::string::npos;
    CHECK(names_place);
    CHECK(message.find_first_of("0123456789") != std::string::npos);
    return false;
  }

 private:
  test::TinyModelFile model_{std::filesystem::path(BELAY_TEST_BINARY_DIR) / "io_faults_test.gguf",
                             {.layers = 5,
                              .heads = 8,
                              .kv_heads = 2,
                              .head_dim = 32,
                              .width = 256,
                              .ffn = 256,
                              .context = 1024,
                              .types = {DType::kQ8_0},
                              .seed = 8}};
  test::EngineSpec spec_;
  Tokens expected_;
};

// The faults that a plugin counted when it was closed.
class FaultCount {
 public:
  FaultCount() {
    set_log_sink([this](LogLevel, std::string_view message) {
      const std::size_t at = message.find("faults: ");
      if (at != std::string_view::npos) faults_ = std::stoi(std::string(message.substr(at + 8)));
    });
  }
  FaultCount(const FaultCount&) = delete;
  FaultCount& operator=(const FaultCount&) = delete;
  ~FaultCount() { set_log_sink({}); }
  [[nodiscard]] int last() const { return faults_; }

 private:
  int faults_ = -1;
};

void set_fault(test::EngineSpec& spec, Call call, int first, int times, int result) {
  const std::string id = "test.faulty_storage.";
  spec.plugin_options = {{id + "call", std::to_string(static_cast<int>(call))},
                         {id + "first", std::to_string(first)},
                         {id + "times", std::to_string(times)},
                         {id + "result", std::to_string(result)}};
}

}  // namespace

TEST_CASE("each call of the storage plugin fails once in a whole run: the tokens are the same") {
  Run run({"cpu_scalar", "test.faulty_storage"});
  struct Kind {
    Call call;
    std::vector<int> results;
  };
  const std::vector<Kind> kinds = {
      {Call::kOpen, {-EACCES, -EINTR}},
      {Call::kStatus, {-EIO}},
      {Call::kSetDirect, {-EINVAL}},
      {Call::kRead, {-EIO, -EINVAL, 512}},
      {Call::kMakeRing, {-EPERM, -ENOSYS, -ENOMEM}},
      {Call::kSubmit, {-EINTR, -EAGAIN, -EINVAL, -EIO}},
      {Call::kWait, {-EIO, -EINVAL}},
      {Call::kRingRead, {-EINTR, -EAGAIN, -EIO, -EINVAL, -EOPNOTSUPP, 1, 512, 5000}},
      {Call::kRegisterBuffers, {-ENOMEM, -EPERM}},
      {Call::kRegisterFile, {-EINVAL, -ENOMEM}},
  };
  const FaultCount count;
  int faults = 0;
  for (const Kind& kind : kinds) {
    for (const int result : kind.results) {
      for (int first = 0;; first += first < 2 ? 1 : test::times(97, 1)) {
        CAPTURE(static_cast<int>(kind.call));
        CAPTURE(result);
        CAPTURE(first);
        set_fault(run.spec(), kind.call, first, 1, result);
        CHECK(run.check());
        REQUIRE(count.last() >= 0);
        if (count.last() == 0) break;
        ++faults;
      }
    }
  }
  MESSAGE(faults << " faults");
}

TEST_CASE(
    "what the storage plugin is refused for good leaves the next rung, or the core: the tokens are the "
    "same") {
  Run run({"cpu_scalar", "test.faulty_storage"});
  constexpr int kAlways = 1 << 20;
  struct Refusal {
    Call call;
    int result;
  };
  const std::vector<Refusal> refusals = {
      {Call::kOpen, -EACCES},        {Call::kSetDirect, -EINVAL}, {Call::kMakeRing, -EPERM},
      {Call::kMakeRing, -ENOSYS},    {Call::kSubmit, -EPERM},     {Call::kWait, -EIO},
      {Call::kRingRead, -EIO},       {Call::kRingRead, -EINVAL},  {Call::kRegisterBuffers, -ENOMEM},
      {Call::kRegisterFile, -EINVAL}};
  for (const Refusal& refusal : refusals) {
    for (const int first : {0, 1, 9}) {
      CAPTURE(static_cast<int>(refusal.call));
      CAPTURE(refusal.result);
      CAPTURE(first);
      set_fault(run.spec(), refusal.call, first, kAlways, refusal.result);
      CHECK(run.check());
    }
  }
}

namespace {

// The k-th call of the C library in a run, for some or all k. How many of them were errors of the run.
int fail_each(Run& run, int result) {
  test::fail_io(0, 0);
  REQUIRE(run.check());
  const int calls = test::end_io_faults();
  REQUIRE(calls > 100);
  int errors = 0;
  const int stride = test::times(std::max(1, calls / 6), 1);
  for (int k = 1; k <= calls; k += stride) {
    CAPTURE(k);
    CAPTURE(result);
    test::fail_io(k, result);
    errors += run.check() ? 0 : 1;
    test::end_io_faults();
  }
  return errors;
}

}  // namespace

TEST_CASE(
    "each read and write of a whole run fails once: the tokens are the same, or an error names the place") {
  for (const char* method : {"pread", "buffered", ""}) {
    const bool reads_ahead = *method != '\0';
    Run run(reads_ahead ? std::vector<std::string>{"cpu_scalar", "nvme_offload"}
                        : std::vector<std::string>{"cpu_scalar"});
    run.spec().plugin_options = {{"nvme_offload.method", method}};
    for (const int result : {-EIO, -EINTR, 1, 512, 4096}) {
      CAPTURE(method);
      CHECK(fail_each(run, result) <= 1);  // the making of the spill file cannot be tried again
    }
    for (const int result : {-EINVAL, -ENOSPC}) fail_each(run, result);
  }
}

TEST_CASE(
    "each read and write fails once while weights are made for the cache folder: the tokens are the same") {
  test::EngineSpec spec = {.model = BELAY_TEST_RANDOM_FOLDER,
                           .quantize = DType::kQ4_0,
                           .plugins = {"cpu_scalar"},
                           .threads = 1,
                           .context = 64};
  const Tokens three = {5, 17, 42};
  Tokens expected;
  {
    test::TestEngine whole(spec);
    expected = whole.generate(three, kCount);
    const runtime::MemoryUse& use = whole.assembly().engine().plan().memory.use;
    spec.memory_limit = (use.total() - use.packed_bytes) / 2;
  }
  const auto folder = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "io_faults.weights";
  spec.making.folder = folder;
  spec.making.cache.keep_every = 300'000;
  const auto run = [&](int number, int result) {
    std::filesystem::remove_all(folder);
    for (const bool again : {false, true}) {
      test::fail_io(again ? 0 : number, result);
      const auto tokens = test::TestEngine::try_generate(spec, three, kCount);
      const std::string message = tokens.ok() ? "" : tokens.error().message;
      CAPTURE(message);
      REQUIRE(tokens.ok());
      CHECK(*tokens == expected);
      if (number == 0) break;
    }
    return test::end_io_faults();
  };
  const int calls = run(0, 0);
  REQUIRE(calls > 50);
  for (const int result : {-EIO, -ENOSPC, -EINTR, -EINVAL, 1000}) {
    for (int k = 1; k <= calls; k += test::times(std::max(1, calls / 9), 1)) {
      CAPTURE(k);
      CAPTURE(result);
      run(k, result);
    }
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE(
    "each read and write fails once while weights come from a compressed copy: the tokens are the same") {
  const auto folder = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "io_faults.compressed";
  std::filesystem::remove_all(folder);
  test::make_compressed_copy(BELAY_TEST_RANDOM_FOLDER, folder);
  const Tokens three = {5, 17, 42};
  test::EngineSpec spec = {
      .model = BELAY_TEST_RANDOM_FOLDER, .plugins = {"cpu_scalar"}, .threads = 1, .context = 64};
  Tokens expected;
  {
    test::TestEngine whole(spec);
    expected = whole.generate(three, kCount);
    const runtime::MemoryUse& use = whole.assembly().engine().plan().memory.use;
    spec.memory_limit = (use.total() - use.packed_bytes) * 2 / 3;
  }
  spec.making.folder = folder;
  spec.plugins.emplace_back("nvme_offload");
  for (const char* method : {"pread", "buffered"}) {
    spec.plugin_options = {{"nvme_offload.method", method}};
    const auto run = [&](int number, int result) {
      test::fail_io(number, result);
      const auto tokens = test::TestEngine::try_generate(spec, three, kCount);
      const std::string message = tokens.ok() ? "" : tokens.error().message;
      CAPTURE(message);
      REQUIRE(tokens.ok());
      CHECK(*tokens == expected);
      return test::end_io_faults();
    };
    const int calls = run(0, 0);
    REQUIRE(calls > 50);
    for (const int result : {-EIO, -EINTR, 1, 512}) {
      for (int k = 1; k <= calls; k += test::times(std::max(1, calls / 9), 1)) {
        CAPTURE(k);
        CAPTURE(result);
        run(k, result);
      }
    }
  }
  std::filesystem::remove_all(folder);
}
