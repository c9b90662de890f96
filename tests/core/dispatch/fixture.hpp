// What the tests of dispatch run: one node, three plugins.
#pragma once

#include "core/dispatch/dispatcher.hpp"
#include "core/graph/builder.hpp"
#include "core/memory/tensor.hpp"
#include "tests/core/dispatch/fake_plugin.hpp"

#include <array>

namespace belay::test {

using dispatch::Backend, dispatch::Chains, dispatch::Dispatcher, dispatch::DispatchOptions,
    dispatch::FallbackLog;

// One `add` over one float, on three plugins: "best" marks 1, "middle" 2, "last" 3.
struct Fixture {
  graph::Graph graph = [] {
    graph::Builder build;
    const auto a = build.input("a", DType::kF32, {graph::kTokens, 1});
    const auto sum = build.add("sum", a, a);
    return *std::move(build).finish({sum});
  }();
  std::array<FakePlugin, 3> plugins = {FakePlugin{.mark = 1}, FakePlugin{.mark = 2}, FakePlugin{.mark = 3}};
  std::vector<std::unique_ptr<Backend>> backends;
  FallbackLog fallbacks;
  DispatchOptions options;
  std::unique_ptr<Dispatcher> dispatcher;
  float input = 5;
  float output = 0;
  belay_tensor_t in = memory::describe(DType::kF32, std::array<std::int64_t, 2>{1, 1}, &input);
  belay_tensor_t out = memory::describe(DType::kF32, std::array<std::int64_t, 2>{1, 1}, &output);
  std::array<const belay_tensor_t*, 2> inputs = {&in, &in};
  std::array<const belay_tensor_t*, 1> outputs = {&out};

  Status start(Dispatcher::Pack pack = Dispatcher::Pack::kAll) {
    const std::array<const char*, 3> ids = {"best", "middle", "last"};
    for (std::size_t i = 0; i < 3; ++i) backends.push_back(test::fake_backend(ids[i], plugins[i]));
    dispatcher = std::make_unique<Dispatcher>(graph, backends, Chains{{0, 1, 2}}, fallbacks, options);
    BELAY_TRY(dispatcher->confirm());
    return dispatcher->bind(4, pack);
  }
  Status run() {
    belay_run_t run = {};
    run.struct_size = sizeof run;
    run.inputs = inputs.data();
    run.input_count = 2;
    run.outputs = outputs.data();
    run.output_count = 1;
    return dispatcher->run(0, run);
  }
};

}  // namespace belay::test
