#include "core/dispatch/canary.hpp"

#include "core/base/log.hpp"
#include "tests/core/dispatch/fixture.hpp"
#include "tests/support/doctest.hpp"

#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace belay;            // NOLINT(google-build-using-namespace)
using namespace belay::dispatch;  // NOLINT(google-build-using-namespace)
using belay::test::Fixture;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("one NaN or infinity is seen wherever it stands, and extreme numbers are none") {
  for (std::size_t size = 0; size < 40; ++size) {
    std::vector<float> values(size, -std::numeric_limits<float>::max());
    for (std::size_t i = 0; i < size; i += 3) values[i] = std::numeric_limits<float>::denorm_min();
    CHECK(all_finite(values));
    for (std::size_t place = 0; place < size; ++place) {
      for (const float bad : {kNan, kInfinity, -kInfinity}) {
        const float before = std::exchange(values[place], bad);
        CHECK_FALSE(all_finite(values));
        values[place] = before;
      }
    }
  }
}

TEST_CASE("under scrutiny a plugin that makes NaN is caught, and the next one does the call") {
  Fixture f;
  f.plugins[0].mark = kNan;
  f.plugins[1].mark = kInfinity;
  REQUIRE(f.start().ok());
  {
    const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
    REQUIRE(f.run().ok());
    CHECK(f.output == 3);
    CHECK(scrutiny.verdict().ok());
  }
  REQUIRE(f.fallbacks.entries().size() == 1);
  CHECK(f.fallbacks.entries()[0].from == "best");
  CHECK(f.fallbacks.entries()[0].to == "last");
  CHECK(f.fallbacks.entries()[0].reason == "CONTRACT");
  REQUIRE(f.run().ok());  // nobody looks any more
  CHECK_FALSE(all_finite({&f.output, 1}));
}

TEST_CASE("three wrong results take a plugin out of use") {
  Fixture f;
  f.plugins[0].mark = kNan;
  REQUIRE(f.start().ok());
  const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
  for (int i = 0; i < 3; ++i) REQUIRE(f.run().ok());
  CHECK_FALSE(f.backends[0]->healthy());
  REQUIRE(f.run().ok());
  CHECK(f.plugins[0].runs == 3);
}

TEST_CASE("who gets NaN may give NaN") {
  Fixture f;
  f.plugins[0].mark = kNan;
  f.input = kNan;
  REQUIRE(f.start().ok());
  const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
  REQUIRE(f.run().ok());
  CHECK(f.fallbacks.entries().empty());
}

TEST_CASE("NaN from every plugin is the model's") {
  Fixture f;
  for (auto& plugin : f.plugins) plugin.mark = kNan;
  REQUIRE(f.start().ok());
  const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
  const Status status = f.run();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kBadInput);
  CHECK(status.error().message.find("add/f32") != std::string::npos);
  CHECK(f.backends[0]->healthy());
}

TEST_CASE("strict names the plugin that was wrong, or says that nobody was caught") {
  Fixture f;
  f.options.strict = true;
  f.plugins[0].mark = kNan;
  REQUIRE(f.start().ok());
  const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
  const Status status = f.run();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kFallbackForbidden);
  CHECK(status.error().message.find("best") != std::string::npos);
  CHECK(scrutiny.verdict().error().code == ErrorCode::kFallbackForbidden);
}

TEST_CASE("a step that goes well the second time is talked about") {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  Fixture f;
  REQUIRE(f.start().ok());
  const Dispatcher::Scrutiny scrutiny(*f.dispatcher, 0);
  REQUIRE(f.run().ok());
  CHECK(scrutiny.verdict().ok());
  set_log_sink({});
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("computed again") != std::string::npos);
}

TEST_CASE("the recorded assignment is that of the second try") {
  Fixture f;
  AssignmentHook hook;
  f.options.hook = &hook;
  f.plugins[0].mark = kNan;
  REQUIRE(f.start().ok());
  REQUIRE(f.run().ok());
  const std::size_t before = f.dispatcher->recorded_calls();
  REQUIRE(f.run().ok());
  {
    const Dispatcher::Scrutiny scrutiny(*f.dispatcher, before);
    REQUIRE(f.run().ok());
  }
  CHECK(hook.recorded == std::vector<std::uint8_t>{0, 1});
}
