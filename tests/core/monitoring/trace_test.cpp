#include "core/monitoring/trace.hpp"

#include "core/base/json.hpp"
#include "tests/support/doctest.hpp"

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace belay::monitoring {
namespace {

// What a viewer reads: the trace's text, parsed.
Json read(const Trace& trace) {
  auto json = parse_json(trace.to_chrome_json(), ErrorCode::kGeneral);
  REQUIRE(json.ok());
  return *std::move(json);
}

std::vector<Json> events(const Json& trace, const std::string& phase) {
  std::vector<Json> found;
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] == phase) found.push_back(event);
  }
  return found;
}

double end_of(const Json& span) { return span["ts"].get<double>() + span["dur"].get<double>(); }

// Times are rounded to doubles by the parser.
constexpr double kRounding = 1e-3;

void check_inside(const Json& inner, const Json& outer) {
  CHECK(inner["tid"] == outer["tid"]);
  CHECK(inner["ts"].get<double>() >= outer["ts"].get<double>() - kRounding);
  CHECK(end_of(inner) <= end_of(outer) + kRounding);
}

TEST_CASE("spans nest, the outer one first, and say whose they are") {
  Trace trace;
  {
    const Span step(&trace, "step", {}, 5);
    const Span op(&trace, "linear/q4_1", "cpu_avx2");
    trace.begin("unpack", "cpu_avx2");
    trace.end();
  }
  const auto spans = events(read(trace), "X");
  REQUIRE(spans.size() == 3);
  CHECK(spans[0]["name"] == "step");
  CHECK(spans[0]["args"]["tokens"] == 5);
  CHECK_FALSE(spans[0]["args"].contains("plugin"));
  CHECK(spans[1]["name"] == "linear/q4_1");
  CHECK(spans[1]["args"]["plugin"] == "cpu_avx2");
  CHECK_FALSE(spans[1]["args"].contains("tokens"));
  CHECK(spans[2]["name"] == "unpack");
  check_inside(spans[1], spans[0]);
  check_inside(spans[2], spans[1]);
}

TEST_CASE("without a trace a span does nothing") {
  const Span span(nullptr, "step");
  CHECK(events(read(Trace()), "X").empty());
}

TEST_CASE("a plugin that forgets an end, or ends too often, does not disturb the host's spans") {
  Trace trace;
  {
    const Span step(&trace, "step");
    {
      const Span op(&trace, "op");
      trace.begin("forgotten", "p");
      trace.begin("forgotten, too", "p");
    }
    {
      const Span op(&trace, "op");
      trace.end();
      trace.end();
    }
  }
  trace.end();
  const auto spans = events(read(trace), "X");
  REQUIRE(spans.size() == 5);
  CHECK(spans[0]["name"] == "step");
  CHECK(spans[1]["name"] == "op");
  check_inside(spans[2], spans[1]);
  check_inside(spans[3], spans[2]);
  CHECK(spans[4]["name"] == "op");
  check_inside(spans[4], spans[0]);
}

TEST_CASE("spans deeper than anybody nests are counted, and those around them are whole") {
  Trace trace;
  for (int i = 0; i < 100; ++i) trace.begin("deep", "p");
  for (int i = 0; i < 100; ++i) trace.end();
  CHECK(events(read(trace), "X").size() == 64);
  CHECK(trace.dropped() == 36);
}

TEST_CASE("a counter is the sum over all threads, apart for each plugin") {
  Trace trace;
  trace.count("bytes", "a", 5);
  std::thread([&] { trace.count("bytes", "a", -2); }).join();
  trace.count("bytes", "b", 1);
  const auto counters = events(read(trace), "C");
  REQUIRE(counters.size() == 3);
  CHECK(counters[0]["name"] == "a.bytes");
  CHECK(counters[0]["args"]["value"] == 5);
  CHECK(counters[1]["args"]["value"] == 3);
  CHECK(counters[2]["name"] == "b.bytes");
  CHECK(counters[2]["args"]["value"] == 1);
}

TEST_CASE("a full thread keeps its first events and counts the others") {
  Trace trace(3);
  for (int i = 0; i < 10; ++i) const Span span(&trace, "span");
  std::thread([&] { const Span span(&trace, "elsewhere"); }).join();
  const Json json = read(trace);
  CHECK(events(json, "X").size() == 4);
  CHECK(trace.dropped() == 7);
  CHECK(json["otherData"]["dropped_events"] == 7);
}

TEST_CASE("names are text that somebody else wrote") {
  Trace trace;
  trace.count("a \"quoted\"\n\\ name \xff", "p\x01", 1);
  const Span span(&trace, "\"");
  trace.begin({}, {});
  trace.end();
  CHECK(events(read(trace), "X")[0]["name"] == "");
  CHECK(events(read(trace), "C")[0]["name"].get<std::string>().find("a \"quoted\"\n\\ name") !=
        std::string::npos);
}

TEST_CASE("each thread has its own track, and a reader may come while they record") {
  constexpr int kThreads = 4;
  constexpr int kSpans = 2000;
  Trace trace;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kSpans; ++n) {
        const Span span(&trace, "work", "p");
        trace.count("done", "p", 1);
      }
      --running;
    });
  }
  std::size_t seen = 0;
  while (running > 0) {
    const auto now = events(read(trace), "X").size();
    CHECK(now >= seen);
    seen = now;
  }
  for (std::thread& thread : threads) thread.join();
  const Json json = read(trace);
  const auto spans = events(json, "X");
  CHECK(spans.size() == kThreads * kSpans);
  std::set<int> tracks;
  for (const Json& span : spans) tracks.insert(span["tid"].get<int>());
  CHECK(tracks.size() == kThreads);
  CHECK(events(json, "C").back()["args"]["value"] == kThreads * kSpans);
  CHECK(trace.dropped() == 0);
}

TEST_CASE("a trace begins empty, even where another one was") {
  std::optional<Trace> trace;
  for (int i = 0; i < 3; ++i) {
    trace.emplace();
    const Span span(&*trace, "before");
    trace->count("c", "p", 1);
    CHECK(events(read(*trace), "C").size() == 1);
  }
}

}  // namespace
}  // namespace belay::monitoring
