#include "core/dispatch/dispatcher.hpp"

#include "core/graph/builder.hpp"
#include "core/memory/tensor.hpp"
#include "tests/core/dispatch/fixture.hpp"
#include "tests/support/doctest.hpp"

#include <array>

using namespace belay;            // NOLINT(google-build-using-namespace)
using namespace belay::dispatch;  // NOLINT(google-build-using-namespace)
using belay::test::FakePlugin;
using belay::test::Fixture;

TEST_CASE("a healthy chain runs on its head and opens nothing else") {
  Fixture f;
  f.plugins[1].opens = false;
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 1);
  CHECK(f.plugins[1].binds == 0);
  CHECK(f.plugins[2].binds == 0);
  CHECK(f.fallbacks.entries().empty());
  CHECK(f.backends[0]->calls() == 1);
}

TEST_CASE("a failing call runs on the next plugin, is counted, and the head is tried again") {
  Fixture f;
  f.plugins[0].failing_runs = {1};
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  REQUIRE(f.run().ok());
  CHECK(f.output == 1);
  REQUIRE(f.fallbacks.entries().size() == 1);
  const Fallback& entry = f.fallbacks.entries()[0];
  CHECK(entry.op == "add/f32");
  CHECK(entry.from == "best");
  CHECK(entry.to == "middle");
  CHECK(entry.reason == "INTERNAL");
  CHECK(entry.count == 1);
}

TEST_CASE("two failing links in a row reach the third") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  f.plugins[1].failing_runs = {0};
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 3);
  CHECK(f.fallbacks.entries().size() == 2);
}

TEST_CASE("when every link fails the error names the op and each reason") {
  Fixture f;
  for (FakePlugin& plugin : f.plugins) plugin.failing_runs = {0};
  REQUIRE(f.start().ok());
  const Status status = f.run();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kNoPlugin);
  for (const char* part : {"add/f32", "sum", "best", "middle", "last", "as told"}) {
    CAPTURE(part);
    CHECK(status.error().message.find(part) != std::string::npos);
  }
}

TEST_CASE("strict makes a fallback an error with op and reason") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  f.options.strict = true;
  REQUIRE(f.start().ok());
  const Status status = f.run();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kFallbackForbidden);
  CHECK(status.error().message.find("add/f32") != std::string::npos);
  CHECK(status.error().message.find("as told") != std::string::npos);
  CHECK(f.plugins[1].runs == 0);
}

TEST_CASE("a plugin that says no leaves the chain before anything runs") {
  Fixture f;
  f.plugins[0].supports = false;
  REQUIRE(f.start().ok());
  CHECK(f.dispatcher->chain(0) == std::vector<std::string>{"middle", "last"});
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  CHECK(f.fallbacks.entries().empty());
}

TEST_CASE("no plugin at all is an error at the start") {
  Fixture f;
  f.plugins[0].supports = false;
  f.plugins[1].opens = false;
  f.plugins[2].supports = false;
  const Status status = f.start();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kNoPlugin);
  CHECK(status.error().message.find("would not open") != std::string::npos);
  CHECK(status.error().message.find("not this one") != std::string::npos);
}

TEST_CASE("three failures within a thousand calls open the breaker") {
  Fixture f;
  f.plugins[0].failing_runs = {0, 2, 4};
  REQUIRE(f.start().ok());
  for (int i = 0; i < 5; ++i) REQUIRE(f.run().ok());
  CHECK_FALSE(f.backends[0]->healthy());
  const int runs = f.plugins[0].runs;
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  CHECK(f.plugins[0].runs == runs);
}

TEST_CASE("failures far apart do not open it") {
  Fixture f;
  f.plugins[0].failing_runs = {0, 1500, 3000, 4500};
  REQUIRE(f.start().ok());
  for (int i = 0; i < 5000; ++i) REQUIRE(f.run().ok());
  CHECK(f.backends[0]->healthy());
}

TEST_CASE("a lost device opens the breaker at once") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  f.plugins[0].status = BELAY_DEVICE_LOST;
  f.plugins[0].scope = BELAY_SCOPE_DEVICE;
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  CHECK_FALSE(f.backends[0]->healthy());
}

TEST_CASE("a device without memory for a step that can be smaller is asked for less, and keeps its place") {
  Fixture f;
  f.plugins[0].failing_runs = {0, 1, 2, 3, 4};
  f.plugins[0].status = BELAY_OOM_DEVICE;
  f.plugins[0].scope = BELAY_SCOPE_OUT_OF_MEMORY;
  REQUIRE(f.start().ok());
  f.dispatcher->set_divisible(true);
  for (int i = 0; i < 4; ++i) {
    const Status status = f.run();
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == ErrorCode::kOutOfMemory);
  }
  CHECK(f.plugins[1].runs == 0);
  CHECK(f.backends[0]->healthy());
  f.dispatcher->set_divisible(false);
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  const auto& said = f.fallbacks.entries();
  REQUIRE(said.size() == 2);
  CHECK(said[0].op == "step");
  CHECK(said[0].to == "best");
  CHECK(said[0].count == 4);
  CHECK(said[1].op == "add/f32");
}

TEST_CASE("UNSUPPORTED after a yes drops the node's link for good") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  f.plugins[0].status = BELAY_UNSUPPORTED;
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  CHECK(f.plugins[0].runs == 1);
  CHECK(f.backends[0]->healthy());
}

TEST_CASE("cancellation is no failure") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  f.plugins[0].status = BELAY_CANCELLED;
  REQUIRE(f.start().ok());
  const Status status = f.run();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kInterrupted);
  CHECK(f.fallbacks.entries().empty());
}

TEST_CASE("a private layout is packed once, into memory of the core; other links pack when first needed") {
  Fixture f;
  f.plugins[0].layout = 9;
  f.plugins[1].layout = 4;
  f.plugins[0].failing_runs = {1};
  REQUIRE(f.start().ok());
  CHECK(f.plugins[0].packs == 1);
  CHECK(f.plugins[1].packs == 0);
  CHECK(f.dispatcher->bytes() >= 100);
  REQUIRE(f.run().ok());
  REQUIRE(f.run().ok());
  CHECK(f.plugins[0].packs == 1);
  CHECK(f.plugins[1].packs == 1);
}

TEST_CASE("a plugin that asks for memory that cannot be leaves the chain") {
  Fixture f;
  f.plugins[0].layout = 9;
  f.plugins[0].alignment = 3;
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
}

TEST_CASE("without memory for packed weights a plugin that can do without runs as it is, another leaves") {
  for (const std::uint32_t optional : {0U, 1U}) {
    Fixture f;
    f.plugins[0].layout = 9;
    f.plugins[0].packed_bytes = std::uint64_t{1} << 60U;
    f.plugins[0].packing_is_optional = optional;
    REQUIRE(f.start().ok());
    REQUIRE(f.run().ok());
    CHECK(f.plugins[0].packs == 0);
    CHECK(f.output == (optional != 0 ? 1 : 2));
  }
}

TEST_CASE("a weight made in memory is packed beside itself only where that is wanted or must be") {
  struct Case {
    graph::Home home;
    std::uint32_t optional;
    Dispatcher::Pack pack;
    int packs;
  };
  for (const Case& c : {Case{graph::Home::kMemory, 1, Dispatcher::Pack::kAll, 1},
                        Case{graph::Home::kMemory, 1, Dispatcher::Pack::kFromFiles, 0},
                        Case{graph::Home::kMemory, 0, Dispatcher::Pack::kFromFiles, 1},
                        Case{graph::Home::kFile, 1, Dispatcher::Pack::kFromFiles, 1}}) {
    const std::array<std::byte, 64> bytes = {};
    Fixture f;
    f.plugins[0].layout = 9;
    f.plugins[0].packing_is_optional = c.optional;
    f.graph.weights.push_back({"w", DType::kF32, {4, 4}, bytes, c.home});
    f.graph.nodes[0].weights = {0};
    REQUIRE(f.start(c.pack).ok());
    CHECK(f.plugins[0].packs == c.packs);
    REQUIRE(f.run().ok());
    CHECK(f.output == 1);
  }
}

TEST_CASE(
    "a bias in memory does not keep a matrix from being packed, and an op without weights may be, too") {
  const std::array<std::byte, 64> bytes = {};
  for (const bool has_weights : {true, false}) {
    Fixture f;
    f.plugins[0].layout = 9;
    f.plugins[0].packing_is_optional = 1;
    if (has_weights) {
      f.graph.weights.push_back({"w", DType::kF32, {4, 4}, bytes, graph::Home::kFile});
      f.graph.weights.push_back({"b", DType::kF32, {4}, bytes, graph::Home::kMemory});
      f.graph.nodes[0].weights = {0, 1};
    }
    REQUIRE(f.start(Dispatcher::Pack::kFromFiles).ok());
    CHECK(f.plugins[0].packs == 1);
    REQUIRE(f.run().ok());
    CHECK(f.output == 1);
  }
}

TEST_CASE("packed weights stand for the bytes of a file, not beside them") {
  const std::array<std::byte, 64> bytes = {};
  for (const graph::Home home : {graph::Home::kMemory, graph::Home::kFile}) {
    Fixture f;
    f.plugins[0].layout = 9;
    f.graph.weights.push_back({"w", DType::kF32, {4, 4}, bytes, home});
    f.graph.nodes[0].weights = {0};
    REQUIRE(f.start().ok());
    const std::uint64_t workspace = std::uint64_t{4} * 8;
    CHECK(f.dispatcher->bytes() == workspace + 100 - (home == graph::Home::kFile ? bytes.size() : 0));
  }
}

TEST_CASE("a weight that is read while the model runs is never packed, and a plugin that must pack leaves") {
  for (const std::uint32_t optional : {1U, 0U}) {
    const std::array<std::byte, 64> bytes = {};
    Fixture f;
    f.plugins[0].layout = 9;
    f.plugins[0].packing_is_optional = optional;
    f.graph.weights.push_back({"w", DType::kF32, {4, 4}, bytes, graph::Home::kRing});
    f.graph.nodes[0].weights = {0};
    REQUIRE(f.start().ok());
    CHECK(f.plugins[0].packs == 0);
    REQUIRE(f.run().ok());
    CHECK(f.output == (optional != 0 ? 1 : 2));
  }
}

TEST_CASE("a recorded assignment replays on the same plugins") {
  AssignmentHook recording;
  {
    Fixture f;
    f.options.hook = &recording;
    f.plugins[0].failing_runs = {1};
    REQUIRE(f.start().ok());
    for (int i = 0; i < 3; ++i) REQUIRE(f.run().ok());
    CHECK(recording.recorded == std::vector<std::uint8_t>{0, 1, 0});
  }
  AssignmentHook replaying;
  replaying.replay = recording.recorded;
  Fixture f;
  f.options.hook = &replaying;
  REQUIRE(f.start().ok());
  std::vector<float> outputs;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(f.run().ok());
    outputs.push_back(f.output);
  }
  CHECK(outputs == std::vector<float>{1, 2, 1});
  CHECK(f.fallbacks.entries().empty());
  CHECK_FALSE(f.run().ok());  // the assignment has only three calls
}

TEST_CASE("kernels are released with the dispatcher") {
  Fixture f;
  f.plugins[0].failing_runs = {0};
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  CHECK(f.plugins[0].live_kernels == 1);
  f.dispatcher.reset();
  CHECK(f.plugins[0].live_kernels == 0);
  CHECK(f.plugins[1].live_kernels == 0);
}

TEST_CASE("a trace has a span for every call, the failed one too, with the plugin that it was made on") {
  monitoring::Trace trace;
  Fixture f;
  f.options.trace = &trace;
  f.plugins[0].failing_runs = {1};
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  REQUIRE(f.run().ok());
  CHECK(f.output == 2);
  const std::string text = trace.to_chrome_json();
  std::vector<std::string> plugins;
  for (std::size_t at = 0; (at = text.find("\"name\":\"add/f32\"", at)) != std::string::npos; ++at) {
    const std::size_t name = text.find("\"plugin\":\"", at) + 10;
    plugins.push_back(text.substr(name, text.find('"', name) - name));
  }
  CHECK(plugins == std::vector<std::string>{"best", "best", "middle"});
}
