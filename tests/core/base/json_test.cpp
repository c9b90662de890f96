#include "core/base/json.hpp"

#include "tests/support/doctest.hpp"

#include <chrono>
#include <cmath>
#include <string>

using belay::ErrorCode;
using belay::Json;
using belay::parse_json;

namespace {

std::string problem(std::string_view text, const belay::JsonLimits& limits = {}) {
  const auto parsed = parse_json(text, ErrorCode::kBadInput, limits);
  REQUIRE(!parsed.ok());
  CHECK(parsed.error().code == ErrorCode::kBadInput);
  return parsed.error().message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("values arrive, keys in the order of the text") {
  const auto parsed =
      parse_json(R"({"z":[1,-2,1.5,true,null,"\u00e9"],"a":{},"m":18446744073709551615})", ErrorCode::kUsage);
  REQUIRE(parsed.ok());
  CHECK(belay::to_line(*parsed) ==
        "{\"z\":[1,-2,1.5,true,null,\"\xC3\xA9\"],\"a\":{},\"m\":18446744073709551615}");
  CHECK((*parsed)["m"].is_number_unsigned());
  CHECK(*parse_json("7", ErrorCode::kUsage) == 7);
}

TEST_CASE("bad text is refused with a reason and a place") {
  CHECK(contains(problem(R"({"a":1,"b":2,"a":3})"), "\"a\" stands twice"));
  CHECK(contains(problem("\"\xFF\""), "byte 2"));
  CHECK(contains(problem("18446744073709551616"), "64 bits"));
  CHECK(contains(problem("[-9223372036854775809]"), "64 bits"));
  CHECK(contains(problem("{\"a\":1"), "byte 7"));
  for (const char* text : {"", "[1,]", "{1:2}", "[1] 2", "1e999", "\"\\ud800\"", "nul", "[", "// x\n1"}) {
    CAPTURE(text);
    CHECK(!problem(text).empty());
  }
}

TEST_CASE("depth: the limit passes, one more is refused, a million end at once") {
  const belay::JsonLimits limits{3};
  CHECK(parse_json("[[[1]]]", ErrorCode::kUsage, limits).ok());
  CHECK(contains(problem("[[[[1]]]]", limits), "3 levels"));
  CHECK(contains(problem(std::string(1000000, '[')), "64 levels"));
}

TEST_CASE("values: the limit passes, one more is refused, a tree much larger than its text is refused") {
  const belay::JsonLimits limits{.max_values = 4};
  CHECK(parse_json(R"([1,{"a":[]}])", ErrorCode::kUsage, limits).ok());
  CHECK(contains(problem(R"([1,{"a":[]},2])", limits), "more than 4 values"));
  CHECK(contains(problem(R"([1,{"a":[]},{}])", limits), "more than 4 values"));
  std::string text = "[[]";
  for (int i = 0; i < 5'000'000; ++i) text += ",[]";
  CHECK(contains(problem(text + "]"), "more than 4194304 values"));
}

TEST_CASE("a vocabulary of 150 000 keys takes no quadratic time") {
  std::string text = "{\"k\":0";
  for (int i = 0; i < 150000; ++i) text += ",\"key" + std::to_string(i) + "\":" + std::to_string(i);
  const auto begin = std::chrono::steady_clock::now();
  const auto parsed = parse_json(text + "}", ErrorCode::kUsage);
  REQUIRE(parsed.ok());
  CHECK(parsed->size() == 150001);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));  // quadratic: minutes
}

TEST_CASE("to_line replaces what is not UTF-8 and what is not a number") {
  CHECK(belay::to_line(Json{{"a", "x\xFFy"}}) == "{\"a\":\"x\xEF\xBF\xBDy\"}");
  CHECK(belay::to_line(Json{{"a", std::nan("")}}) == "{\"a\":null}");
}
