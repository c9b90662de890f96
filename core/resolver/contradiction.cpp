#include "core/resolver/contradiction.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace belay::resolver {
namespace {

constexpr int kMaxTrials = 500;
constexpr std::int64_t kTrialNodes = 2000;

// Only what the pins can lead to matters: whatever they never ask for can stay out.
std::set<Index> reach_of_pins(const Problem& problem) {
  std::set<Index> reach(problem.pins.begin(), problem.pins.end());
  std::vector<Index> next(reach.begin(), reach.end());
  while (!next.empty()) {
    const Index candidate = next.back();
    next.pop_back();
    for (const std::vector<Index>& clause : problem.candidates[candidate].clauses) {
      for (const Index literal : clause) {
        if (reach.insert(literal).second) next.push_back(literal);
      }
    }
  }
  return reach;
}

// Every part of the problem within the reach of the pins, sorted so that the pins are tried first: what goes
// with a superfluous pin goes with it.
class Parts {
 public:
  explicit Parts(const Problem& problem) : problem_(problem), reach_(reach_of_pins(problem)) {
    using Kind = Reason::Kind;
    for (const Index pin : std::set(problem.pins.begin(), problem.pins.end()))
      parts_.push_back({Kind::kPin, pin});
    for (const Index ban : std::set(problem.bans.begin(), problem.bans.end())) {
      if (reach_.contains(ban)) parts_.push_back({Kind::kBan, ban});
    }
    for (const auto& [a, b] : problem.conflicts) {
      if (reach_.contains(a) && reach_.contains(b)) parts_.push_back({Kind::kConflict, a, b});
    }
    std::set<Index> slots;
    std::map<std::string_view, Index> ids;
    for (const Index candidate : reach_) {
      const Candidate& c = problem.candidates[candidate];
      slots.insert(c.slots.begin(), c.slots.end());
      if (!ids.emplace(c.id, candidate).second) same_ids_.insert(ids[c.id]);
      for (Index row = 0; row < c.clauses.size(); ++row)
        parts_.push_back({Kind::kClause, candidate, kNone, row});
    }
    for (const Index slot : slots) parts_.push_back({Kind::kSlot, kNone, kNone, slot});
    for (const Index first : same_ids_) parts_.push_back({Kind::kSameId, first});
  }

  [[nodiscard]] const std::vector<Reason>& all() const { return parts_; }

  // A problem of these parts alone. Every candidate has an id of its own and a negative priority, so that few
  // are selected.
  [[nodiscard]] Problem problem_of(const std::vector<Reason>& parts) const {
    Problem problem;
    problem.node_budget = kTrialNodes;
    std::map<Index, Index> place;
    for (const Index candidate : reach_) {
      place.emplace(candidate, static_cast<Index>(place.size()));
      problem.candidates.push_back({std::to_string(candidate), 0, -1, {}, {}});
    }
    for (Index i = 0; i < parts.size(); ++i) add(problem, parts[i], place, i);
    return problem;
  }

 private:
  void add(Problem& problem, const Reason& part, const std::map<Index, Index>& place, Index free_slot) const {
    switch (part.kind) {
      case Reason::Kind::kPin:
        problem.pins.push_back(place.at(part.a));
        break;
      case Reason::Kind::kBan:
        problem.bans.push_back(place.at(part.a));
        break;
      case Reason::Kind::kConflict:
        problem.conflicts.emplace_back(place.at(part.a), place.at(part.b));
        break;
      case Reason::Kind::kClause: {
        std::vector<Index> literals;
        for (const Index literal : problem_.candidates[part.a].clauses[part.row])
          literals.push_back(place.at(literal));
        problem.candidates[place.at(part.a)].clauses.push_back(std::move(literals));
        break;
      }
      case Reason::Kind::kSlot:
        for (const Index candidate : reach_) {
          const std::vector<Index>& slots = problem_.candidates[candidate].slots;
          if (std::ranges::find(slots, part.row) != slots.end()) {
            problem.candidates[place.at(candidate)].slots.push_back(free_slot);
          }
        }
        break;
      case Reason::Kind::kSameId:
        for (const Index candidate : reach_) {
          if (problem_.candidates[candidate].id == problem_.candidates[part.a].id) {
            problem.candidates[place.at(candidate)].slots.push_back(free_slot);
          }
        }
        break;
    }
  }

  const Problem& problem_;
  std::set<Index> reach_;
  std::set<Index> same_ids_;
  std::vector<Reason> parts_;
};

}  // namespace

std::vector<Reason> minimal_contradiction(const Problem& problem) {
  const Parts parts(problem);
  std::vector<Reason> kept = parts.all();
  const auto contradicts = [&](const std::vector<Reason>& some) {
    return find_any(parts.problem_of(some)).outcome == Outcome::kUnsatisfiable;
  };
  int trials = 0;
  // Whole chunks first, so that thousands of irrelevant parts cost few trials.
  for (std::size_t chunk = std::max<std::size_t>(kept.size() / 2, 1);; chunk /= 2) {
    for (std::size_t at = 0; at < kept.size() && trials < kMaxTrials;) {
      std::vector<Reason> fewer = kept;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(first, first + static_cast<std::ptrdiff_t>(std::min(chunk, kept.size() - at)));
      ++trials;
      if (contradicts(fewer)) {
        kept = std::move(fewer);
      } else {
        at += chunk;
      }
    }
    if (chunk == 1) return kept;
  }
}

}  // namespace belay::resolver
