// The token loop allocates nothing, with all weights in memory and with weights that are streamed.
#include "tests/support/allocation_count.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <array>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

// Its layers are large beside the blocks in which they are read.
class TempModel : public test::TinyModelFile {
 public:
  TempModel()
      : TinyModelFile(std::filesystem::path(BELAY_TEST_BINARY_DIR) / "allocation_test.gguf",
                      {.layers = 6,
                       .heads = 8,
                       .head_dim = 32,
                       .width = 256,
                       .ffn = 512,
                       .types = {DType::kQ8_0},
                       .seed = 3}) {}
};

bool decode(runtime::Session& session, std::int32_t tokens) {
  bool all = true;
  for (std::int32_t i = 0; i < tokens; ++i) {
    const std::array<std::int32_t, 1> token = {i};
    all = session.feed(token).ok() && all;
  }
  return all;
}

// Allocations of 30 tokens, behind as many that may still allocate.
std::uint64_t allocations_of_decoding(test::TestEngine& engine) {
  REQUIRE(decode(engine.session(), 30));
  const std::uint64_t before = test::allocation_count();
  REQUIRE(decode(engine.session(), 30));
  return test::allocation_count() - before;
}

}  // namespace

TEST_CASE("decoding allocates nothing while all weights are in memory") {
  const TempModel model;
  test::TestEngine engine({.model = model.path(), .context = 128});
  CHECK(engine.assembly().engine().streamed() == nullptr);
  CHECK(allocations_of_decoding(engine) == 0);
}

TEST_CASE("decoding allocates nothing while layers lie on a device") {
  const TempModel model;
  test::TestEngine engine({.model = model.path(),
                           .plugins = {"test.device", "cpu_scalar"},
                           .further_folders = {BELAY_TEST_DEVICE_DIR},
                           .plugin_options = {{"test.device.memory", "16000000"}},
                           .context = 128});
  const auto& device = engine.assembly().engine().plan().device;
  REQUIRE(device);
  MESSAGE(device->layers << " of 6 layers on the device");
  CHECK(device->layers > 0);
  CHECK(allocations_of_decoding(engine) == 0);
}

TEST_CASE("decoding allocates nothing while weights are streamed") {
  const TempModel model;
  std::uint64_t whole = 0;
  {
    test::TestEngine engine({.model = model.path(), .context = 128});
    whole = engine.assembly().engine().plan().memory.use.total();
  }
  for (const char* method : {"io_uring", "pread", "buffered"}) {
    CAPTURE(method);
    test::TestEngine engine({.model = model.path(),
                             .plugin_options = {{"nvme_offload.method", method}},
                             .context = 128,
                             .memory_limit = whole - (2 << 20)});
    REQUIRE(engine.assembly().engine().streamed() != nullptr);
    CHECK(allocations_of_decoding(engine) == 0);
    CHECK(engine.assembly().engine().fallbacks().empty());
  }
}
