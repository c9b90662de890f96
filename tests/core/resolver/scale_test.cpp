// Large problems: how many branch nodes they take. CPU times are printed, not judged.
#include "core/resolver/solve.hpp"
#include "tests/core/resolver/fixtures.hpp"
#include "tests/core/resolver/instances.hpp"
#include "tests/core/resolver/oracle.hpp"
#include "tests/support/doctest.hpp"

#include <compare>
#include <ctime>
#include <string>

using namespace belay::resolver;        // NOLINT(google-build-using-namespace)
using namespace belay::resolver::test;  // NOLINT(google-build-using-namespace)

namespace {

Solution timed(const std::string& what, const Problem& problem) {
  const std::clock_t start = std::clock();
  Solution solution = solve(problem);
  const double spent_ms = 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  MESSAGE(what << ": " << spent_ms << " ms, " << solution.nodes << " nodes, selected "
               << solution.selected.size());
  CHECK(feasible(problem, to_selection(problem, solution.selected)));
  return solution;
}

}  // namespace

TEST_CASE("10 000 candidates in families take few nodes") {
  const Solution sparse =
      timed("10 000 candidates, n/50 edges of each kind", families(seeded(1), 10'000, 200));
  CHECK(sparse.outcome == Outcome::kOptimal);
  CHECK(sparse.nodes <= 2000);
  const Solution denser =
      timed("10 000 candidates, n/10 edges of each kind", families(seeded(2), 10'000, 1000));
  CHECK(denser.outcome == Outcome::kOptimal);
  CHECK(denser.nodes <= 20'000);
}

TEST_CASE("100 000 candidates in families take few nodes") {
  const Solution solution =
      timed("100 000 candidates, n/50 edges of each kind", families(seeded(3), 100'000, 2000));
  CHECK(solution.outcome == Outcome::kOptimal);
  CHECK(solution.nodes <= 20'000);
}

TEST_CASE("one slot with 10 000 equal members needs no branching") {
  Problem problem;
  for (int i = 0; i < 10'000; ++i)
    problem.candidates.push_back({"p" + std::to_string(100'000 + i), 0, 5, {0}, {}});
  const Solution solution = timed("one slot of 10 000", problem);
  CHECK(solution.selected == std::vector<Index>{0});
  CHECK(solution.nodes == 0);
}

TEST_CASE("a dense conflict graph of equals stops at its budget") {
  const Dice dice = seeded(4);
  Problem problem;
  for (Index i = 0; i < 400; ++i)
    problem.candidates.push_back({"p" + std::to_string(1000 + i), 0, 5, {}, {}});
  for (Index a = 0; a < 400; ++a) {
    for (Index b = 0; b < a; ++b) {
      if (dice(10) == 0) problem.conflicts.emplace_back(a, b);
    }
  }
  problem.node_budget = 20'000;
  const Solution solution = timed("G(400, 0.1), all equal, budget 20 000", problem);
  CHECK(solution.outcome == Outcome::kBounded);
  CHECK(solution.nodes <= 20'000);
  CHECK(std::is_gt(compare(solution.upper, solution.objective, problem.mode)));
}

TEST_CASE("a large sparse conflict graph of equals stops at its budget, too") {
  const Dice dice = seeded(5);
  Problem problem;
  for (Index i = 0; i < 10'000; ++i) {
    problem.candidates.push_back({"p" + std::to_string(100'000 + i), 0, 5, {}, {}});
  }
  for (int i = 0; i < 20'000; ++i) problem.conflicts.emplace_back(dice(10'000), dice(10'000));
  problem.node_budget = 20'000;
  const Solution solution = timed("10 000 equals with 20 000 conflicts, budget 20 000", problem);
  CHECK(solution.outcome == Outcome::kBounded);
  CHECK(solution.nodes <= 20'000);
}

TEST_CASE("a long chain of equal conflicts is bounded in depth") {
  Problem problem;
  for (Index i = 0; i < 20'000; ++i) {
    problem.candidates.push_back({"p" + std::to_string(100'000 + i), 0, 5, {}, {}});
    if (i > 0) problem.conflicts.emplace_back(i - 1, i);
  }
  problem.node_budget = 5000;
  const Solution solution = timed("a chain of 20 000 conflicts", problem);
  CHECK(solution.nodes <= 5000);
}

TEST_CASE("10 000 manifests with optimizations, conflicts and requirements") {
  const Dice dice = seeded(6);
  Case c;
  for (Index i = 0; i < 10'000; ++i) {
    c.manifests.push_back(
        plugin("p" + std::to_string(100'000 + i), static_cast<std::int32_t>(dice(50)) * 10));
    belay::manifest::Manifest& m = c.manifests.back();
    m.exclusive = {"family" + std::to_string(i / 5)};
    const auto other = [&] { return "p" + std::to_string(100'000 + dice(10'000)); };
    if (i % 50 == 0) {
      m.conflicts = {{other(), {}, "for a test"}};
      m.requires_.plugins = {{other(), {}}};
      m.synergies = {{{other()}, 100, ""}};
    }
    if (i % 10 == 0) m.optimizations = {optimization("act_q8", 100)};
  }
  const std::clock_t start = std::clock();
  const Resolution resolution = c.resolution();
  const double spent_ms = 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  MESSAGE("resolve() of 10 000 manifests: " << spent_ms << " ms");
  CHECK(resolution.optimal);
  CHECK(resolution.selected.size() == 2000);
  CHECK(resolution.refused.size() + resolution.selected.size() + resolution.optimizations.size() == 11'000);
}
