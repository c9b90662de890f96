#include "core/base/toml.hpp"

#include "tests/support/doctest.hpp"

#include <string>

using belay::toml::Limits;
using belay::toml::ParseError;
using belay::toml::Table;

namespace {

Table table_of(std::string_view text, const Limits& limits = {}) {
  auto parsed = belay::toml::parse(text, limits);
  const auto* error = std::get_if<ParseError>(&parsed);
  if (error != nullptr) FAIL(error->at.line << ": " << error->message);
  return std::get<Table>(std::move(parsed));
}

ParseError error_of(std::string_view text, const Limits& limits = {}) {
  auto parsed = belay::toml::parse(text, limits);
  REQUIRE(std::holds_alternative<ParseError>(parsed));
  return std::get<ParseError>(std::move(parsed));
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string repeated(std::string_view part, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += part;
  return out;
}

}  // namespace

TEST_CASE("every type arrives, in the order of the file, with positions") {
  const Table table = table_of(
      "z = \"s\"\na = -7\n  f = 1.5\nb = true\nd = 1979-05-27\nl = [1, \"x\"]\n[t]\nk = { q = 1 }\n");
  REQUIRE(table.size() == 7);
  CHECK(table[0].key == "z");
  CHECK(*table[0].value.string() == "s");
  CHECK(table[1].key == "a");
  CHECK(*table[1].value.integer() == -7);
  CHECK(*table[2].value.floating() == 1.5);
  CHECK(table[2].at.line == 3);
  CHECK(table[2].at.column == 3);
  CHECK(table[2].value.at.column == 7);
  CHECK(*table[3].value.boolean());
  CHECK(std::get<belay::toml::Value::Datetime>(table[4].value.data).text == "1979-05-27");
  REQUIRE(table[5].value.array() != nullptr);
  CHECK(*table[5].value.array()->at(1).string() == "x");
  const auto* inner = belay::toml::find(*table[6].value.table(), "k");
  REQUIRE(inner != nullptr);
  CHECK(*belay::toml::find(*inner->table(), "q")->integer() == 1);
  CHECK(belay::toml::find(table, "missing") == nullptr);
  CHECK(belay::toml::type_name(table[0].value) == std::string("string"));
  CHECK(belay::toml::type_name(table[6].value) == std::string("table"));
}

TEST_CASE("letters beyond ASCII outside of strings are an error, wherever they stand") {
  for (const char* letter :
       {"\u00e9", "\u0100", "\u15d4", "\u1eb0", "\u2500", "\u30e2", "\ufb00", "\U0001F600"}) {
    for (const char* around : {"", "a", "a = ", "a = 1 ", "[t", "[t] ", "a = \"\"\"\\", "a = [1, ", "a.b "}) {
      CAPTURE(letter);
      CAPTURE(around);
      CHECK_FALSE(error_of(std::string(around) + letter + "\n").message.empty());
    }
  }
}

TEST_CASE("bytes that are not plain UTF-8 text are refused, with their place") {
  CHECK(contains(error_of("\xEF\xBB\xBF"
                          "a = 1")
                     .message,
                 "byte-order mark"));
  const ParseError bad = error_of("a = 1\nb = \"\xFF\"\n");
  CHECK(bad.at.line == 2);
  CHECK(bad.at.column == 6);
  CHECK(contains(bad.message, "0xff"));
  CHECK(contains(error_of(std::string_view("a = \"\0\"", 7)).message, "NUL"));
}

TEST_CASE("limits: one below passes, one above is refused and named") {
  CHECK(table_of("# " + std::string(2046, 'x') + "\na = 1\n").size() == 1);
  const ParseError long_line = error_of("a = 1\n# " + std::string(2047, 'x'));
  CHECK(long_line.at.line == 2);
  CHECK(contains(long_line.message, "2049 bytes"));

  CHECK(table_of(repeated("#2345678901234\n", 4369)).empty());  // 65 535 bytes
  CHECK(contains(error_of(repeated("#2345678901234\n", 4370)).message, "65536"));

  Limits few;
  few.max_keys = 5;
  CHECK(table_of("a = 1\nb.c = 2\n[d]\ne = \"x.y = z\" # f = 1\n", few).size() == 3);
  CHECK(contains(error_of("a = 1\nb.c = 2\n  [d]\ne = 1\ng = 1\n", few).message, "more than 5 keys"));
  CHECK(error_of("a = 1\nb.c = 2\n[d]\ne = 1\ng = 1\n", few).at.line == 5);
}

TEST_CASE("depth is bounded before the parser and after it") {
  CHECK(table_of("a.b.c.d.e.f.g.h = 1").size() == 1);
  CHECK(contains(error_of("a.b.c.d.e.f.g.h.i = 1").message, "dotted key"));
  CHECK(contains(error_of("[a.b.c.d.e.f.g]\nh.i = 1").message, "levels deep"));
  CHECK(contains(error_of(repeated("a.", 1000) + "a = 1").message, "dotted key"));
  CHECK(contains(error_of("x = [{ " + repeated("\"a\" . ", 200) + "a = 1 }]").message, "dotted key"));
  CHECK(contains(error_of("a = " + repeated("[", 1000)).message, "brackets"));
  CHECK(contains(error_of("a = " + repeated("[\n", 9) + repeated("]", 9)).message, "brackets"));
  CHECK(table_of("a = " + repeated("[", 7) + repeated("]", 7)).size() == 1);
  CHECK(table_of("a = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5]").size() == 1);
}

TEST_CASE("what stands in strings and comments counts for nothing") {
  const std::string brackets = repeated("[.=", 50);
  Limits few;
  few.max_keys = 4;
  CHECK(table_of("a = \"" + brackets + "\\\"" + brackets + "\" # " + brackets, few).size() == 1);
  CHECK(table_of("a = '" + brackets + "\\'\n", few).size() == 1);
  CHECK(table_of("a = \"\"\"\n" + brackets + "\"\"\n" + brackets + "\"\"\"\"\"\nb = 1", few).size() == 2);
  CHECK(table_of("a = '''" + brackets + "'''''\nb = 1", few).size() == 2);
  CHECK(contains(error_of("a = ''''''\n" + repeated("b.", 9) + "c = 1").message, "dotted key"));
}

TEST_CASE("malformed text is an error with its line") {
  CHECK(error_of("a = 1\na = 2\n").at.line == 2);
  CHECK(error_of("a = 1\n[a\nb = 2\n").at.line == 2);
  for (const char* text : {"a", "a =", "= 1", "a = \"x", "a = '''x", "a = [1", "[[a]", "a = 1 b = 2",
                           "a = \"\\", "\"", "'", "{", "[&", "[&x]", "[[&]]"}) {
    CAPTURE(text);
    CHECK(!error_of(text).message.empty());
  }
}

TEST_CASE("a document cut anywhere is parsed or refused") {
  const std::string text =
      "schema = 1\n[plugin]\nid = \"x\\u00e9\" # c\nl = [1.5, { a.b = 'y' }]\nm = \"\"\"\nz\"\"\"\n[[p]]\nd "
      "= 1979-05-27T07:32:00Z\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    auto parsed = belay::toml::parse(std::string_view(text).substr(0, cut));
    const auto* error = std::get_if<ParseError>(&parsed);
    CHECK((error == nullptr || !error->message.empty()));
  }
}
