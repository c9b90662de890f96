#include "core/graph/builder.hpp"

#include "tests/support/doctest.hpp"

using namespace belay;         // NOLINT(google-build-using-namespace)
using namespace belay::graph;  // NOLINT(google-build-using-namespace)

namespace {

Weight weight(std::string name, Shape shape, DType dtype = DType::kF32) {
  return {std::move(name), dtype, std::move(shape), {}};
}

}  // namespace

TEST_CASE("a graph lists nodes in running order, with their layers") {
  Builder build;
  const ValueId ids = build.input("ids", DType::kI32, {kTokens});
  const ValueId x = build.embed("embed", ids, build.weight(weight("table", {10, 8})));
  build.set_layer(3);
  const ValueId y = build.linear("project", x, {build.weight(weight("w", {6, 8}, DType::kQ8_0))});
  const auto graph = std::move(build).finish({y});
  REQUIRE(graph.ok());
  REQUIRE(graph->nodes.size() == 2);
  CHECK(graph->nodes[0].op == Op::kEmbed);
  CHECK(graph->nodes[0].layer == -1);
  CHECK(graph->nodes[1].layer == 3);
  CHECK(graph->values[graph->outputs[0]].shape == Shape{kTokens, 6});
  CHECK(grouping_dtype(*graph, graph->nodes[1]) == DType::kQ8_0);
  CHECK(value_bytes(graph->values[y], 5) == 5 * 6 * 4);
}

TEST_CASE("the first mistake is reported with the tensor's name, whatever follows it") {
  Builder build;
  const ValueId ids = build.input("ids", DType::kI32, {kTokens});
  const ValueId x = build.embed("embed", ids, build.weight(weight("table", {10, 8})));
  const ValueId bad = build.linear("project", x, {build.weight(weight("blk.0.w", {6, 7}))});
  const ValueId y = build.add("sum", bad, x);
  const auto graph = std::move(build).finish({y});
  REQUIRE_FALSE(graph.ok());
  CHECK(graph.error().code == ErrorCode::kBadInput);
  CHECK(graph.error().message.find("blk.0.w") != std::string::npos);
  CHECK(graph.error().message.find("[6, 7]") != std::string::npos);
}

TEST_CASE("a cache has the type that was asked for, and attention groups by it") {
  Builder build;
  const ValueId q = build.reshape(build.input("q", DType::kF32, {kTokens, 32}), {kTokens, 4, 8});
  const ValueId k = build.reshape(build.input("k", DType::kF32, {kTokens, 16}), {kTokens, 2, 8});
  build.set_layer(0);
  const auto cache = build.kv_write("write", k, k, DType::kF16);
  const ValueId y = build.attention("attend", q, cache);
  const auto graph = std::move(build).finish({y});
  REQUIRE(graph.ok());
  CHECK(grouping_dtype(*graph, graph->nodes[0]) == DType::kF16);
  CHECK(grouping_dtype(*graph, graph->nodes[1]) == DType::kF16);
  CHECK(graph->values[cache.keys].layer == 0);
  CHECK(graph->values[q].view_of.has_value());
}

TEST_CASE("heads that cannot be grouped are refused") {
  Builder build;
  const ValueId q = build.input("q", DType::kF32, {kTokens, 3, 8});
  const ValueId k = build.input("k", DType::kF32, {kTokens, 2, 8});
  const ValueId y = build.attention("attend", q, build.kv_write("write", k, k, DType::kF32));
  CHECK_FALSE(std::move(build).finish({y}).ok());
}

TEST_CASE("operators have the ABI's ids and short names") {
  CHECK(op_id(Op::kKvWrite) == "belay.kv_write/1");
  CHECK(op_name(Op::kKvWrite) == "kv_write");
  CHECK(op_name(Op::kAdd) == "add");
}
