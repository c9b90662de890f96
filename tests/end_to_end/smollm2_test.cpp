// The real model against the float32 reference: 200 greedy tokens, their logits, and the perplexity of a
// text.
#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/sha256.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"

#include <algorithm>
#include <cmath>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const Json& goldens() {
  static const Json json = [] {
    const auto text =
        read_file(std::filesystem::path(BELAY_TEST_GOLDENS) / "smollm2_goldens.json", 1U << 24U);
    REQUIRE(text.ok());
    auto parsed = parse_json(*text, ErrorCode::kBadInput);
    REQUIRE(parsed.ok());
    return *std::move(parsed);
  }();
  return json;
}

// How far a run was from the reference, fed with the reference's own tokens.
struct Distance {
  int steps = 0;
  int same_argmax = 0;
  int clear_flips = 0;  // another argmax although the reference's margin is at least 0.5
  double worst_top5 = 0;
};

void add_run(Distance& distance, test::TestEngine& engine, const Json& run) {
  const auto prompt = run["prompt_ids"].get<std::vector<std::int32_t>>();
  const auto greedy = run["greedy_ids"].get<std::vector<std::int32_t>>();
  std::vector<std::int32_t> tokens = prompt;
  tokens.insert(tokens.end(), greedy.begin(), greedy.end() - 1);
  const auto rows = engine.logits(tokens);
  for (std::size_t i = 0; i < greedy.size(); ++i) {
    const auto& row = rows[prompt.size() - 1 + i];
    const Json& step = run["steps"][i];
    const bool same = std::max_element(row.begin(), row.end()) - row.begin() == greedy[i];
    ++distance.steps;
    distance.same_argmax += same ? 1 : 0;
    distance.clear_flips += !same && step["margin"].get<double>() >= 0.5 ? 1 : 0;
    for (std::size_t k = 0; k < step["ids"].size(); ++k) {
      const double got = row[step["ids"][k].get<std::size_t>()];
      distance.worst_top5 = std::max(distance.worst_top5, std::abs(got - step["logits"][k].get<double>()));
    }
  }
}

// The golden's 2048 token ids: the beginning of a licence that every Debian system has.
std::vector<std::int32_t> text_ids(const models::ModelFile& file) {
  const Json& golden = goldens()["perplexity"];
  const auto text = read_file(golden["text"].get<std::string>(), 1U << 20U);
  if (!text.ok()) return {};
  const auto tokenizer = file.make_tokenizer();
  REQUIRE(tokenizer.ok());
  auto ids = tokenizer->encode(*text, tokenizer::Specials::kParse);
  REQUIRE(ids.ok());
  ids->resize(golden["n_tokens"].get<std::size_t>());
  const auto bytes = std::as_bytes(std::span<const std::int32_t>(*ids));
  REQUIRE(sha256_hex(bytes) == golden["token_ids_sha256_le_i32"].get<std::string>());
  return *std::move(ids);
}

double log_softmax(std::span<const float> row, std::int32_t id) {
  const double most = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float value : row) sum += std::exp(value - most);
  return row[static_cast<std::size_t>(id)] - most - std::log(sum);
}

// exp of the mean negative log likelihood over windows, the first token of each unscored.
double perplexity(test::TestEngine& engine, std::span<const std::int32_t> ids, std::size_t window) {
  double nll = 0;
  std::size_t scored = 0;
  for (std::size_t at = 0; at < ids.size(); at += window) {
    const auto part = ids.subspan(at, std::min(window, ids.size() - at));
    engine.session().rewind(0);
    const Status fed =
        engine.session().feed(part, [&](std::uint64_t position, std::span<const float> row) -> Status {
          if (position + 1 >= part.size()) return {};
          nll -= log_softmax(row, part[position + 1]);
          ++scored;
          return {};
        });
    REQUIRE(fed.ok());
  }
  return std::exp(nll / static_cast<double>(scored));
}

void check_perplexity(const std::string& level, test::TestEngine& engine, std::size_t window, const char* key,
                      double tolerance) {
  const auto ids = text_ids(engine.assembly().file());
  if (ids.empty()) return;
  const double reference = goldens()["perplexity"][key]["ppl"].get<double>();
  const double measured = perplexity(engine, ids, window);
  MESSAGE(level << ": perplexity " << measured << ", reference " << reference);
  CHECK(std::abs(measured / reference - 1) <= tolerance);
}

void check_minimal(const std::filesystem::path& model, const std::vector<std::string>& plugins,
                   std::size_t window, const char* key) {
  test::TestEngine minimal({.model = model, .plugins = plugins, .context = 2048});
  Distance distance;
  for (const Json& run : goldens()["runs"]) {
    add_run(distance, minimal, run);
    const auto greedy = run["greedy_ids"].get<std::vector<std::int32_t>>();
    CHECK(minimal.generate(run["prompt_ids"].get<std::vector<std::int32_t>>(), greedy.size()) == greedy);
  }
  MESSAGE("minimal: largest top-5 difference " << distance.worst_top5);
  CHECK(distance.steps == 200);
  CHECK(distance.same_argmax == 200);
  CHECK(distance.worst_top5 <= 2e-3);
  check_perplexity("minimal", minimal, window, key, 1e-4);
}

void check_moderate(const std::filesystem::path& model, const std::vector<std::string>& plugins,
                    std::size_t window, const char* key) {
  test::TestEngine moderate(
      {.model = model, .plugins = plugins, .level = manifest::Level::kModerate, .context = 2048});
  Distance distance;
  for (const Json& run : goldens()["runs"]) add_run(distance, moderate, run);
  MESSAGE("moderate: " << distance.same_argmax << " of 200 argmax equal, largest top-5 difference "
                       << distance.worst_top5);
  CHECK(distance.clear_flips == 0);
  CHECK(distance.same_argmax >= 192);
  CHECK(distance.worst_top5 <= 1.2);
  check_perplexity("moderate", moderate, window, key, 1e-2);
}

void check_plugins(const std::vector<std::string>& plugins, std::size_t window, const char* key) {
  const auto model = test::smollm2();
  if (!model) return;
  CAPTURE((plugins.empty() ? std::string("default") : plugins[0]));
  check_minimal(*model, plugins, window, key);
  check_moderate(*model, plugins, window, key);
}

void check_alone(const std::string& plugin, std::size_t window, const char* key) {
  if (!test::usable_plugins({plugin}).empty()) check_plugins({plugin}, window, key);
}

}  // namespace

TEST_CASE("the default plan") { check_plugins({}, 2048, "f32_window2048"); }
TEST_CASE("cpu_avx2 alone") { check_alone("cpu_avx2", 512, "f32_window512"); }
TEST_CASE("cpu_sse alone") { check_alone("cpu_sse", 2048, "f32_window2048"); }
TEST_CASE("cpu_scalar alone") { check_alone("cpu_scalar", 512, "f32_window512"); }
