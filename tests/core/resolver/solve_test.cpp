// The solver against the definition: small problems by brute force, larger ones by what must hold for every
// answer.
#include "core/resolver/solve.hpp"

#include "tests/core/resolver/instances.hpp"
#include "tests/core/resolver/oracle.hpp"
#include "tests/support/rapidcheck.hpp"

#include <algorithm>
#include <compare>
#include <limits>

using namespace belay::resolver;        // NOLINT(google-build-using-namespace)
using namespace belay::resolver::test;  // NOLINT(google-build-using-namespace)

namespace {

std::string describe(const Problem& problem) {
  std::string text = problem.mode == Mode::kWeighted ? "weighted\n" : "leximax\n";
  const auto list = [](const std::vector<Index>& members) {
    std::string words = "{";
    for (const Index member : members) words += std::to_string(member) + " ";
    return words + "}";
  };
  for (std::size_t i = 0; i < problem.candidates.size(); ++i) {
    const Candidate& c = problem.candidates[i];
    text += std::to_string(i) + ": " + c.id + " v" + std::to_string(c.version) + " p" +
            std::to_string(c.priority) + " slots" + list(c.slots);
    for (const auto& clause : c.clauses) text += " needs" + list(clause);
    text += "\n";
  }
  for (const auto& [a, b] : problem.conflicts) text += std::to_string(a) + " x " + std::to_string(b) + "\n";
  for (const Synergy& s : problem.synergies) {
    for (const auto& group : s.groups) text += list(group);
    text += " gain " + std::to_string(s.gain) + "\n";
  }
  return text + "pins" + list(problem.pins) + " bans" + list(problem.bans);
}

bool equals_brute_force(const Problem& problem) {
  const Solution solution = solve(problem);
  const std::optional<Selection> best = brute_force(problem);
  if (!best) return solution.outcome == Outcome::kUnsatisfiable && !solution.contradiction.empty();
  return solution.outcome == Outcome::kOptimal && to_selection(problem, solution.selected) == *best &&
         solution.objective == evaluate(problem, solution.selected) && solution.upper == solution.objective;
}

// RapidCheck's shrinkable source of a problem: the dice read a vector of numbers, which shrinks; missing
// numbers are 0.
Dice from_numbers(std::vector<Index> numbers) {
  return [numbers = std::move(numbers), next = std::size_t{0}](Index limit) mutable {
    return next < numbers.size() ? numbers[next++] % limit : 0;
  };
}

std::vector<std::string> names(const Problem& problem, const std::vector<Index>& selected) {
  std::vector<std::string> ids;
  ids.reserve(selected.size());
  for (const Index index : selected) {
    ids.push_back(problem.candidates[index].id + "#" + std::to_string(problem.candidates[index].version));
  }
  std::ranges::sort(ids);
  return ids;
}

}  // namespace

TEST_CASE("solve equals brute force on random problems") {
  std::int64_t nodes = 0;
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    const Problem problem = small_problem(seeded(seed), seed % 10 == 0 ? 12 : 8);
    nodes += solve(problem).nodes;
    if (equals_brute_force(problem)) continue;
    FAIL_CHECK("seed " << seed << "\n" << describe(problem));
    return;
  }
  MESSAGE("branch nodes on average: " << static_cast<double>(nodes) / 20'000);
}

TEST_CASE("solve equals brute force, with shrinking") {
  belay::test::check_property("equals brute force", 1500, [](const std::vector<Index>& numbers) {
    RC_ASSERT(equals_brute_force(small_problem(from_numbers(numbers), 9)));
  });
}

TEST_CASE("the order of the input changes nothing") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const Dice dice = seeded(seed);
    const Problem problem = seed % 50 == 0 ? families(dice, 200, 60) : small_problem(dice, 14);
    const Shuffled other = shuffle(problem, dice);
    const Solution a = solve(problem);
    const Solution b = solve(other.problem);
    std::vector<Index> moved;
    for (const Index index : a.selected) moved.push_back(other.moved[index]);
    std::ranges::sort(moved);
    CAPTURE(seed);
    REQUIRE(a.outcome == b.outcome);
    REQUIRE(moved == b.selected);
    REQUIRE(a.objective == b.objective);
    REQUIRE(a.nodes == b.nodes);
  }
}

TEST_CASE("a candidate that can never be selected changes nothing") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Dice dice = seeded(seed);
    const Problem problem = small_problem(dice, 14);
    Problem more = problem;
    const auto n = static_cast<Index>(problem.candidates.size());
    more.candidates.push_back({"zz", 0, 900, {0, 1}, {{}}});
    more.conflicts.emplace_back(dice(n), n);
    more.synergies.push_back({{{dice(n)}, {n}}, 1000});
    CAPTURE(seed);
    REQUIRE(solve(problem).selected == solve(more).selected);
  }
}

TEST_CASE("removing an unselected candidate changes nothing") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Dice dice = seeded(seed);
    const Problem problem = small_problem(dice, 14);
    const Solution solution = solve(problem);
    if (solution.outcome != Outcome::kOptimal) continue;
    const Selection in = to_selection(problem, solution.selected);
    for (Index gone = 0; gone < in.size(); ++gone) {
      if (in[gone]) continue;
      const Problem rest = without(problem, gone);
      CAPTURE(seed);
      REQUIRE(names(rest, solve(rest).selected) == names(problem, solution.selected));
    }
  }
}

TEST_CASE("a higher priority keeps a selected candidate") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Dice dice = seeded(seed);
    Problem problem = small_problem(dice, 14);
    const Solution solution = solve(problem);
    if (solution.selected.empty()) continue;
    const Index raised = solution.selected[dice(static_cast<Index>(solution.selected.size()))];
    problem.candidates[raised].priority += 1 + static_cast<std::int32_t>(dice(4));
    CAPTURE(seed);
    REQUIRE(to_selection(problem, solve(problem).selected)[raised]);
  }
}

TEST_CASE("banning and un-banning restores") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const Dice dice = seeded(seed);
    Problem problem = small_problem(dice, 14);
    const std::vector<Index> before = solve(problem).selected;
    problem.bans.push_back(0);
    const Solution banned = solve(problem);
    CHECK(!std::ranges::binary_search(banned.selected, Index{0}));
    problem.bans.pop_back();
    CHECK(solve(problem).selected == before);
  }
}

TEST_CASE("components solved apart equal the whole") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const Dice dice = seeded(seed);
    Problem left = small_problem(dice, 10);
    Problem right = small_problem(dice, 10);
    left.mode = right.mode = Mode::kLeximax;
    const auto n = static_cast<Index>(left.candidates.size());
    Problem both = left;
    const auto shifted = [&](std::vector<Index> members) {
      for (Index& member : members) member += n;
      return members;
    };
    for (Candidate candidate : right.candidates) {
      candidate.id = "other-" + candidate.id;
      for (Index& slot : candidate.slots) slot += 100;
      for (auto& clause : candidate.clauses) clause = shifted(clause);
      both.candidates.push_back(candidate);
    }
    for (const auto& [a, b] : right.conflicts) both.conflicts.emplace_back(a + n, b + n);
    for (Synergy synergy : right.synergies) {
      for (auto& group : synergy.groups) group = shifted(group);
      both.synergies.push_back(synergy);
    }
    for (const Index pin : right.pins) both.pins.push_back(pin + n);
    for (const Index ban : right.bans) both.bans.push_back(ban + n);
    const Solution a = solve(left);
    const Solution b = solve(right);
    const Solution whole = solve(both);
    if (a.outcome != Outcome::kOptimal || b.outcome != Outcome::kOptimal) {
      CHECK(whole.outcome == Outcome::kUnsatisfiable);
      continue;
    }
    std::vector<Index> joined = a.selected;
    const std::vector<Index> moved = shifted(b.selected);
    joined.insert(joined.end(), moved.begin(), moved.end());
    CHECK(whole.selected == joined);
  }
}

TEST_CASE("a spent budget still gives a feasible selection below its bound, always the same") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Problem problem = small_problem(seeded(seed), 12);
    problem.node_budget = static_cast<std::int64_t>(seed % 4);
    const Solution solution = solve(problem);
    CAPTURE(seed);
    CHECK(solution.nodes <= problem.node_budget * 12);
    REQUIRE(solve(problem).selected == solution.selected);
    const std::optional<Selection> best = brute_force(problem);
    if (solution.outcome == Outcome::kUnknown) continue;
    REQUIRE(best.has_value() == (solution.outcome != Outcome::kUnsatisfiable));
    if (!best) continue;
    const Selection found = to_selection(problem, solution.selected);
    REQUIRE(feasible(problem, found));
    std::vector<Index> best_indices;
    for (Index i = 0; i < best->size(); ++i) {
      if ((*best)[i]) best_indices.push_back(i);
    }
    REQUIRE(std::is_gteq(compare(solution.upper, evaluate(problem, best_indices), problem.mode)));
    if (solution.outcome == Outcome::kOptimal) REQUIRE(found == *best);
  }
}

TEST_CASE("requirements in a cycle are selected together") {
  Problem problem;
  problem.candidates = {{"a", 0, 5, {}, {{1}}}, {"b", 0, 5, {}, {{2}}}, {"c", 0, 5, {}, {{0}}}};
  CHECK(solve(problem).selected == std::vector<Index>{0, 1, 2});
  problem.bans = {1};
  CHECK(solve(problem).selected.empty());
}

TEST_CASE("a negative priority is selected only when needed") {
  Problem problem;
  problem.candidates = {{"helper", 0, -10, {}, {}}, {"user", 0, 5, {}, {{0}}}};
  CHECK(solve(problem).selected == std::vector<Index>{0, 1});
  problem.bans = {1};
  CHECK(solve(problem).selected.empty());
  problem.pins = {0};
  CHECK(solve(problem).selected == std::vector<Index>{0});
}

TEST_CASE("priority beats synergy, synergy decides among equals, then the version, then the id") {
  Problem problem;
  problem.candidates = {{"a", 0, 10, {0}, {}}, {"b", 0, 10, {0}, {}}, {"c", 0, 1, {}, {}}};
  CHECK(solve(problem).selected == std::vector<Index>{0, 2});
  problem.synergies = {{{{1}, {2}}, 300}};
  CHECK(solve(problem).selected == std::vector<Index>{1, 2});
  problem.candidates[0].priority = 11;
  CHECK(solve(problem).selected == std::vector<Index>{0, 2});
  problem.mode = Mode::kWeighted;
  CHECK(solve(problem).selected == std::vector<Index>{1, 2});
  problem.candidates.push_back({"b", 1, 10, {0}, {}});
  problem.synergies[0].groups[0] = {1, 3};
  CHECK(solve(problem).selected == std::vector<Index>{2, 3});
}

TEST_CASE("weighted mode with powers as priorities and no lambda equals leximax") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Problem problem = small_problem(seeded(seed), 10);
    for (Candidate& candidate : problem.candidates) {
      // 16 exceeds the number of candidates; 0 and below would mean something else when added up.
      const std::int32_t tier = std::max(candidate.priority, 0);
      candidate.priority = 1 << (4 * (tier % 6));
    }
    problem.synergies.clear();
    problem.mode = Mode::kLeximax;
    const Solution leximax = solve(problem);
    problem.mode = Mode::kWeighted;
    problem.lambda = 0;
    CAPTURE(seed);
    REQUIRE(solve(problem).selected == leximax.selected);
  }
}

TEST_CASE("contradicting pins give the smallest reason") {
  using Kind = Reason::Kind;
  Problem problem;
  for (const char* id : {"a", "b", "c", "d", "e"}) problem.candidates.push_back({id, 0, 1, {}, {}});
  problem.candidates[0].clauses = {{2}};  // a needs c
  problem.conflicts = {{1, 2}, {3, 4}};   // b conflicts with c
  problem.pins = {0, 1, 3};
  const Solution solution = solve(problem);
  REQUIRE(solution.outcome == Outcome::kUnsatisfiable);
  CHECK(solution.selected.empty());
  const std::vector<Reason> expected = {{Kind::kPin, 0, kNone, kNone},
                                        {Kind::kPin, 1, kNone, kNone},
                                        {Kind::kConflict, 1, 2, kNone},
                                        {Kind::kClause, 0, kNone, 0}};
  CHECK(solution.contradiction == expected);

  problem.conflicts.clear();
  problem.bans = {2};
  CHECK(solve(problem).contradiction == std::vector<Reason>{{Kind::kPin, 0, kNone, kNone},
                                                            {Kind::kBan, 2, kNone, kNone},
                                                            {Kind::kClause, 0, kNone, 0}});

  Problem slots;
  slots.candidates = {{"a", 0, 1, {7}, {}}, {"b", 0, 1, {7}, {}}, {"c", 0, 1, {}, {}}, {"c", 1, 1, {}, {}}};
  slots.pins = {0, 1};
  CHECK(solve(slots).contradiction.back() == Reason{Kind::kSlot, kNone, kNone, 7});
  slots.pins = {2, 3};
  CHECK(solve(slots).contradiction.back().kind == Kind::kSameId);
  slots.pins = {0};
  slots.candidates[0].clauses = {{}};
  CHECK(solve(slots).contradiction ==
        std::vector<Reason>{{Kind::kPin, 0, kNone, kNone}, {Kind::kClause, 0, kNone, 0}});
}

TEST_CASE("no part of a contradiction is superfluous") {
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    Problem problem = small_problem(seeded(seed), 8);
    const Solution solution = solve(problem);
    if (solution.outcome != Outcome::kUnsatisfiable) continue;
    ++seen;
    CAPTURE(seed);
    // Without one of the pins it names, the others of the contradiction can be met.
    std::vector<Index> pins;
    for (const Reason& reason : solution.contradiction) {
      if (reason.kind == Reason::Kind::kPin) pins.push_back(reason.a);
    }
    REQUIRE(!pins.empty());
    problem.pins = pins;
    REQUIRE(solve(problem).outcome == Outcome::kUnsatisfiable);
  }
  CHECK(seen > 100);
}

TEST_CASE("the largest numbers do not overflow") {
  Problem problem;
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
  for (int i = 0; i < 20; ++i) problem.candidates.push_back({"p" + std::to_string(i), 0, kMax, {}, {}});
  for (int i = 0; i < 100'000; ++i) problem.synergies.push_back({{{0}, {1}}, kMax});
  const Solution leximax = solve(problem);
  CHECK(leximax.objective.synergy == std::int64_t{kMax} * 100'000);
  problem.mode = Mode::kWeighted;
  problem.lambda = std::numeric_limits<std::int64_t>::max();
  problem.conflicts = {{0, 2}, {1, 2}};
  const Solution weighted = solve(problem);
  CHECK(weighted.selected.size() == 19);
  CHECK(weighted.objective.weight == Int128{kMax} * 19 + Int128{problem.lambda} * leximax.objective.synergy);
}

TEST_CASE("an empty problem has an empty answer") {
  const Solution solution = solve(Problem{});
  CHECK(solution.outcome == Outcome::kOptimal);
  CHECK(solution.selected.empty());
}
