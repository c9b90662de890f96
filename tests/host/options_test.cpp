#include "host/options.hpp"

#include "host/config_file.hpp"
#include "host/settings.hpp"
#include "tests/support/doctest.hpp"

using namespace belay;        // NOLINT(google-build-using-namespace)
using namespace belay::host;  // NOLINT(google-build-using-namespace)

namespace {

Result<Options> parse(std::vector<std::string> words) { return parse_command_line(Verb::kRun, words); }

Result<CommonSettings> settings(std::vector<std::string> words) {
  BELAY_TRY_ASSIGN(const Options options, parse(std::move(words)));
  return read_common(options);
}

const char* fake_environment(const char* name) {
  if (std::string_view(name) == "BELAY_LEVEL") return "minimal";
  if (std::string_view(name) == "BELAY_STRICT") return "1";
  if (std::string_view(name) == "BELAY_PROMPT") return "not from here";
  return nullptr;
}

}  // namespace

TEST_CASE("values come with spaces or equals signs, flags without, and a value may begin with a dash") {
  const auto options = parse({"--prompt", "a b", "--seed=7", "--strict", "--cpu-features", "-avx2",
                              "--plugin-dir", "x", "--plugin-dir", "y"});
  REQUIRE(options.ok());
  CHECK(options->text("prompt") == "a b");
  CHECK(options->text("seed") == "7");
  CHECK(options->has("strict"));
  CHECK(options->text("cpu-features") == "-avx2");
  CHECK(options->all("plugin-dir") == std::vector<std::string>{"x", "y"});
  CHECK_FALSE(options->has("json"));
}

TEST_CASE("unknown options, missing values and stray words are usage errors") {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"--promt", "a"}, {"--prompt"}, {"word"}, {"--lev", "minimal"}, {"--json=1"}}) {
    CAPTURE(words[0]);
    const auto options = parse(words);
    REQUIRE_FALSE(options.ok());
    CHECK(options.error().code == ErrorCode::kUsage);
  }
  CHECK(parse({"--promt", "a"}).error().message.find("--prompt") != std::string::npos);
}

TEST_CASE("the command line wins over the environment, the environment over the file") {
  auto options = parse({"--level", "aggressive"});
  REQUIRE(options.ok());
  add_environment(Verb::kRun, *options, &fake_environment);
  CHECK(options->text("level") == "aggressive");
  CHECK(options->texts().find("strict")->second.source == "BELAY_STRICT");
  CHECK_FALSE(options->has("prompt"));
  auto fewer = parse({});
  add_environment(Verb::kRun, *fewer, &fake_environment);
  REQUIRE(parse_config("[policy]\nlevel = \"moderate\"\nthreads = 3\n", "belay.toml", *fewer).ok());
  CHECK(fewer->text("level") == "minimal");
  CHECK(fewer->text("threads") == "3");
  CHECK(fewer->texts().find("threads")->second.source == "belay.toml");
}

TEST_CASE("sizes, lists and numbers mean what they say or are refused") {
  CHECK(settings({"--memory-limit", "700M"})->memory_limit == std::uint64_t{700} << 20U);
  CHECK(settings({"--memory-limit", "2g"})->memory_limit == std::uint64_t{2} << 30U);
  CHECK(settings({"--memory-limit", "123"})->memory_limit == 123U);
  CHECK(settings({"--plugins", "a,b"})->plugins == std::vector<std::string>{"a", "b"});
  CHECK(settings({"--deadline", "1.5"})->deadline_s == 1.5);
  CHECK(settings({"--plugin-option", "a.b.c=d=e"})->plugin_options.at("a.b.c") == "d=e");
  for (const auto& words : std::vector<std::vector<std::string>>{{"--memory-limit", "0"},
                                                                 {"--memory-limit", "1T"},
                                                                 {"--memory-limit", "M"},
                                                                 {"--memory-limit", "-1"},
                                                                 {"--memory-limit", "99999999999999G"},
                                                                 {"--memory-limit", ""},
                                                                 {"--plugins", "a,,b"},
                                                                 {"--plugins", ""},
                                                                 {"--threads", "0"},
                                                                 {"--threads", "two"},
                                                                 {"--threads", "1e3"},
                                                                 {"--deadline", "0"},
                                                                 {"--deadline", "nan"},
                                                                 {"--deadline", "inf"},
                                                                 {"--level", "Minimal"},
                                                                 {"--objective", "speed"},
                                                                 {"--cpu-features", "-nonsense"},
                                                                 {"--plugin-option", "x=1"}}) {
    CAPTURE(words[0]);
    CAPTURE(words[1]);
    const auto refused = settings(words);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kUsage);
  }
}

TEST_CASE("belay.toml: pins, bans, overrides and mode; anything else is refused with its place") {
  auto options = parse({});
  const auto file = parse_config(
      "[policy]\npin = [\"cpu_sse\"]\nban = [\"acme.*\"]\nmode = \"weighted\"\nlambda = 3\nfallback = "
      "\"forbid\"\nplugin_dirs = [\"/p\"]\n"
      "[override.\"acme.npu\"]\npriority = 5\nenabled = false\n",
      "belay.toml", *options);
  REQUIRE(file.ok());
  CHECK(file->pins == std::vector<std::string>{"cpu_sse"});
  CHECK(file->bans == std::vector<std::string>{"acme.*"});
  CHECK(file->weighted_lambda == 3);
  CHECK(file->overrides.at("acme.npu").priority == 5);
  CHECK(file->overrides.at("acme.npu").enabled == false);
  CHECK(options->has("strict"));
  CHECK(options->all("plugin-dir") == std::vector<std::string>{"/p"});
  for (const char* bad :
       {"[policy]\nlevle = 1", "[policy]\nprompt = \"x\"", "top = 1", "[override.x]\npriority = 1.5",
        "[override.x]\npriority = 2000", "[policy]\npin = \"a\"", "[policy]\nmode = \"best\"", "[policy",
        "[policy]\nlevel = 2020-01-01"}) {
    CAPTURE(bad);
    auto none = parse({});
    const auto refused = parse_config(bad, "belay.toml", *none);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kUsage);
    CHECK(refused.error().message.rfind("belay.toml:", 0) == 0);
  }
}
