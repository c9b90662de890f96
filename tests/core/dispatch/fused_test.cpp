// Kernels that do the work of several nodes: three additions, of which a plugin does two or all as one.
#include "core/dispatch/calls.hpp"
#include "core/dispatch/sequence.hpp"
#include "tests/core/dispatch/fixture.hpp"
#include "tests/support/doctest.hpp"

#include <array>

using namespace belay;            // NOLINT(google-build-using-namespace)
using namespace belay::dispatch;  // NOLINT(google-build-using-namespace)
using belay::test::FakePlugin;

namespace {

struct Line {
  graph::Graph graph = [] {
    graph::Builder build;
    graph::ValueId x = build.input("x", DType::kF32, {graph::kTokens, 1});
    for (const char* name : {"first", "second", "third"}) x = build.add(name, x, x);
    return *std::move(build).finish({x});
  }();
  FakePlugin best = {.mark = 1};
  FakePlugin other = {.mark = 2};
  std::vector<std::unique_ptr<Backend>> backends;
  FallbackLog fallbacks;
  DispatchOptions options;
  std::array<float, 4> memory = {5};
  std::vector<belay_tensor_t> tensors;
  Calls calls;
  std::unique_ptr<Dispatcher> dispatcher;

  Status start() {
    backends.push_back(test::fake_backend("best", best));
    backends.push_back(test::fake_backend("other", other));
    for (float& value : memory)
      tensors.push_back(memory::describe(DType::kF32, std::array<std::int64_t, 2>{1, 1}, &value));
    calls = Calls(graph, tensors);
    dispatcher =
        std::make_unique<Dispatcher>(graph, backends, Chains{{0, 1}, {0, 1}, {0, 1}}, fallbacks, options);
    BELAY_TRY(dispatcher->confirm());
    return dispatcher->bind(4);
  }
  // As an executor does it.
  Status step() {
    for (std::size_t i = 0; i < graph.nodes.size();) {
      if (const std::size_t count = dispatcher->fused(i); count > 0) {
        BELAY_TRY_ASSIGN(const bool done, dispatcher->run_fused(i, calls.of(i, count)));
        if (done) {
          i += count;
          continue;
        }
      }
      BELAY_TRY(dispatcher->run(i, calls.of(i)));
      ++i;
    }
    return {};
  }
};

}  // namespace

TEST_CASE("nodes that a plugin does as one are one call") {
  Line line;
  line.best.fuses = 2;
  REQUIRE(line.start().ok());
  CHECK(line.dispatcher->fused(0) == 2);
  CHECK(line.dispatcher->fused(2) == 0);  // one is left
  REQUIRE(line.step().ok());
  CHECK(line.best.runs == 2);
  CHECK(line.best.fused_runs == 1);
  CHECK(line.memory[2] == 1);
  CHECK(line.backends[0]->calls() == 3);  // nodes
  CHECK(line.fallbacks.entries().empty());
  line.dispatcher.reset();
  CHECK(line.best.live_kernels == 0);
}

TEST_CASE("a group that fails is run node by node from there on, and that is said") {
  Line line;
  line.best.fuses = 3;
  line.best.failing_runs = {1};
  REQUIRE(line.start().ok());
  REQUIRE(line.step().ok());
  REQUIRE(line.step().ok());
  CHECK(line.best.fused_runs == 2);
  CHECK(line.dispatcher->fused(0) == 0);
  CHECK(line.memory[3] == 1);
  REQUIRE(line.fallbacks.entries().size() == 1);
  const Fallback& entry = line.fallbacks.entries()[0];
  CHECK(entry.op == "add/f32 x3");
  CHECK(entry.from == "best");
  CHECK(entry.to == "best");
  REQUIRE(line.step().ok());
  CHECK(line.best.fused_runs == 2);
  line.dispatcher.reset();
  CHECK(line.best.live_kernels == 0);
}

TEST_CASE("a group whose device has no memory for a step that can be smaller stays a group") {
  Line line;
  line.best.fuses = 3;
  line.best.failing_runs = {0};
  line.best.status = BELAY_OOM_DEVICE;
  line.best.scope = BELAY_SCOPE_OUT_OF_MEMORY;
  REQUIRE(line.start().ok());
  line.dispatcher->set_divisible(true);
  const Status status = line.step();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kOutOfMemory);
  REQUIRE(line.step().ok());
  CHECK(line.best.fused_runs == 2);
  CHECK(line.dispatcher->fused(0) == 3);
}

TEST_CASE("a group whose device is lost is done by the next of each chain") {
  Line line;
  line.best.fuses = 3;
  line.best.failing_runs = {0};
  line.best.scope = BELAY_SCOPE_DEVICE;
  REQUIRE(line.start().ok());
  REQUIRE(line.step().ok());
  CHECK(line.memory[3] == 2);
  CHECK(line.other.runs == 3);
  CHECK(line.dispatcher->fused(0) == 0);
}

TEST_CASE("strict makes an error of a group that fails, and a cancelled one an interruption") {
  Line strict;
  strict.options.strict = true;
  strict.best.fuses = 2;
  strict.best.failing_runs = {0};
  REQUIRE(strict.start().ok());
  const Status failed = strict.step();
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::kFallbackForbidden);
  CHECK(failed.error().message.find("add/f32 x2 failed on best") != std::string::npos);

  Line cancelled;
  cancelled.best.fuses = 2;
  cancelled.best.failing_runs = {0};
  cancelled.best.status = BELAY_CANCELLED;
  REQUIRE(cancelled.start().ok());
  const Status stopped = cancelled.step();
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::kInterrupted);
}

TEST_CASE("an answer that makes no sense is no group, and its kernel is given back") {
  for (const std::uint64_t taken : {std::uint64_t{1}, std::uint64_t{4}}) {
    Line line;
    line.best.fuses = 2;
    line.best.says_taken = taken;
    REQUIRE(line.start().ok());
    CHECK(line.dispatcher->fused(0) == 0);
    CHECK(line.best.live_kernels == 3);
    REQUIRE(line.step().ok());
    CHECK(line.best.fused_runs == 0);
  }
}

TEST_CASE("nodes that are bound again are in no group any more") {
  Line line;
  line.best.fuses = 2;
  REQUIRE(line.start().ok());
  const std::array<std::size_t, 1> moved = {1};
  REQUIRE(line.dispatcher->rebind(moved).ok());
  CHECK(line.dispatcher->fused(0) == 0);
  REQUIRE(line.step().ok());
  CHECK(line.best.fused_runs == 0);
  CHECK(line.best.live_kernels == 3);
}

TEST_CASE("what is bound a second time, because it left a device, forms its groups again") {
  Line line;
  line.best.fuses = 2;
  REQUIRE(line.start().ok());
  REQUIRE(line.dispatcher->bind(4).ok());
  CHECK(line.dispatcher->fused(0) == 2);
  CHECK(line.best.live_kernels == 4);  // three and the joined one
  (void)line.dispatcher->leave_devices(1, "no room");
  CHECK(line.dispatcher->fused(0) == 0);
  CHECK(line.best.live_kernels == 3);
}

TEST_CASE("a trace knows the name of a group that was given up") {
  monitoring::Trace trace(1000);
  Line line;
  line.options.trace = &trace;
  line.best.fuses = 2;
  line.best.failing_runs = {1};
  REQUIRE(line.start().ok());
  REQUIRE(line.step().ok());
  REQUIRE(line.step().ok());
  CHECK(trace.to_chrome_json().find("add/f32 x2") != std::string::npos);
}

TEST_CASE("a replayed assignment and a step that is looked at are run node by node") {
  AssignmentHook hook;
  hook.replay = {0, 1, 0};
  Line line;
  line.options.hook = &hook;
  line.best.fuses = 3;
  REQUIRE(line.start().ok());
  REQUIRE(line.step().ok());
  CHECK(hook.recorded == hook.replay);
  CHECK(line.best.fused_runs == 0);

  Line looked_at;
  looked_at.best.fuses = 3;
  REQUIRE(looked_at.start().ok());
  const Dispatcher::Scrutiny scrutiny(*looked_at.dispatcher, 0);
  REQUIRE(looked_at.step().ok());
  CHECK(looked_at.best.fused_runs == 0);
  REQUIRE(scrutiny.verdict().ok());
  CHECK(looked_at.dispatcher->fused(0) == 0);  // nobody else can have been wrong
}

TEST_CASE("a recorded group is as many calls as it has nodes") {
  AssignmentHook hook;
  Line line;
  line.options.hook = &hook;
  line.best.fuses = 2;
  REQUIRE(line.start().ok());
  REQUIRE(line.step().ok());
  CHECK(line.best.fused_runs == 1);
  CHECK(hook.recorded == std::vector<std::uint8_t>{0, 0, 0});
}

TEST_CASE("a sequence says which values pass from step to step and which are read behind it") {
  const Line line;
  std::array<belay_kernel_t, 2> kernels = {};
  const std::array<belay_kernel_t*, 2> bound = {&kernels[0], &kernels[1]};
  const std::vector<std::size_t> readers = last_readers(line.graph);
  Sequence sequence(line.graph, readers, 0, bound, BELAY_NUMERICS_F32);
  const auto steps = sequence.from(0);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].inputs[0] == steps[0].inputs[1]);
  CHECK(steps[0].outputs[0] == steps[1].inputs[0]);
  CHECK(steps[0].last_reads[0] == 1);
  CHECK(steps[1].last_reads[0] == UINT64_MAX);  // by the third node
  CHECK(steps[1].kernel == &kernels[1]);
  const auto rest = sequence.from(1);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].last_reads[0] == UINT64_MAX);
}
