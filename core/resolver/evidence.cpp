#include "core/resolver/evidence.hpp"

#include "core/base/format.hpp"

#include <algorithm>
#include <tuple>

namespace belay::resolver {
namespace {

constexpr int kMaxDepth = 3;  // of reasons within reasons; requirements may go in circles

std::string because(const manifest::Conflict* declared) {
  if (declared == nullptr) return "they need different OpenMP runtimes";
  return declared->reason.empty() ? "no reason is given" : declared->reason;
}

}  // namespace

Evidence::Evidence(const Model& model, const std::vector<Index>& selected, bool optimal)
    : model_(model),
      optimal_(optimal),
      in_(model.entries.size()),
      holder_(model.slot_names.size(), kNone),
      conflicts_of_(model.entries.size()) {
  for (const Index candidate : selected) {
    in_[candidate] = true;
    for (const Index slot : model.problem.candidates[candidate].slots) holder_[slot] = candidate;
  }
  for (std::size_t i = 0; i < model.problem.conflicts.size(); ++i) {
    const auto& [a, b] = model.problem.conflicts[i];
    if (in_[a]) conflicts_of_[b].push_back(i);
    if (in_[b]) conflicts_of_[a].push_back(i);
  }
  for (Index i = 0; i < model.entries.size(); ++i) versions_[model.entries[i].id].push_back(i);
}

std::string Evidence::name(Index candidate) const {
  const Entry& entry = model_.entries[candidate];
  if (versions_.at(entry.id).size() == 1) return entry.id;
  return format("{} {}", entry.id, entry.plugin->version.text());
}

Blocker Evidence::why_not(Index candidate, int depth) const {
  if (auto blocker = other_version(candidate)) return *blocker;
  if (auto blocker = unmet_need(candidate, true, depth)) return *blocker;
  if (auto blocker = conflict(candidate)) return *blocker;
  if (auto blocker = taken_slot(candidate)) return *blocker;
  if (auto blocker = unmet_need(candidate, false, depth)) return *blocker;
  return not_worth_it(candidate);
}

std::optional<Blocker> Evidence::other_version(Index candidate) const {
  const Entry& entry = model_.entries[candidate];
  for (const Index version : versions_.at(entry.id)) {
    if (version == candidate || !in_[version]) continue;
    return Blocker{reason::kVersion,
                   format("version {} is not used: version {} is selected", entry.plugin->version.text(),
                          model_.entries[version].plugin->version.text()),
                   version};
  }
  return std::nullopt;
}

// With `hopeless_only` just what nothing can serve, and an optimization's own plugin: both come before any
// rival.
std::optional<Blocker> Evidence::unmet_need(Index candidate, bool hopeless_only, int depth) const {
  const std::vector<std::vector<Index>>& clauses = model_.problem.candidates[candidate].clauses;
  for (std::size_t row = 0; row < clauses.size(); ++row) {
    if (std::ranges::any_of(clauses[row], [&](Index literal) { return in_[literal]; })) continue;
    const Need& need = model_.needs[candidate][row];
    if (clauses[row].empty())
      return Blocker{reason::kRequires, format("it needs {}: {}", need.words, need.missing)};
    const bool own_plugin = row == 0 && model_.entries[candidate].optimization != nullptr;
    if (hopeless_only && !own_plugin) continue;
    Blocker blocker{reason::kRequires, format("it needs {}, which is not selected", need.words)};
    if (depth < kMaxDepth) {
      const auto best =
          std::ranges::min_element(clauses[row], [&](Index a, Index b) { return outranks(a, b); });
      const Blocker deeper = why_not(*best, depth + 1);
      blocker.winner = deeper.winner;
      blocker.detail += format(" ({}: {})", deeper.code, deeper.detail);
    }
    return blocker;
  }
  return std::nullopt;
}

std::optional<Blocker> Evidence::conflict(Index candidate) const {
  std::optional<Blocker> best;
  for (const std::size_t number : conflicts_of_[candidate]) {
    const auto& [a, b] = model_.problem.conflicts[number];
    const Index other = a == candidate ? b : a;
    Blocker blocker{reason::kConflict,
                    format("it conflicts with {} (priority {}): {}", name(other), priority(other),
                           because(model_.declared[number])),
                    other};
    if (!best || stands_before(blocker, *best)) best = std::move(blocker);
  }
  return best;
}

std::optional<Blocker> Evidence::taken_slot(Index candidate) const {
  std::optional<Blocker> best;
  for (const Index slot : model_.problem.candidates[candidate].slots) {
    const Index holder = holder_[slot];
    if (holder == kNone || holder == candidate) continue;
    Blocker blocker{reason::kSlot,
                    format("slot {} is taken by {} (priority {})", model_.slot_names[slot], name(holder),
                           priority(holder)),
                    holder};
    if (!best || stands_before(blocker, *best)) best = std::move(blocker);
  }
  return best;
}

// By rank and not by number: the words must not depend on the order in which manifests were read.
bool Evidence::stands_before(const Blocker& a, const Blocker& b) const {
  return a.winner == b.winner ? a.detail < b.detail : outranks(a.winner, b.winner);
}

bool Evidence::outranks(Index a, Index b) const {
  const Candidate& x = model_.problem.candidates[a];
  const Candidate& y = model_.problem.candidates[b];
  return std::tie(y.priority, x.id, y.version) < std::tie(x.priority, y.id, x.version);
}

Blocker Evidence::not_worth_it(Index candidate) const {
  if (priority(candidate) < 0) {
    return {
        reason::kLowerPriority,
        format("its priority {} is negative: it is only taken when something needs it", priority(candidate))};
  }
  if (!optimal_)
    return {reason::kLowerPriority, "the search budget ended before it was tried with everything else"};
  return {reason::kLowerPriority,
          format("with its priority {} the selection would be worth less", priority(candidate))};
}

std::string contradiction_text(const Model& model, const std::vector<Reason>& reasons) {
  using Kind = Reason::Kind;
  std::vector<std::string> parts;
  const auto id = [&](Index candidate) { return model.entries[candidate].id; };
  for (const Reason& reason : reasons) {
    if (reason.kind == Kind::kClause) {
      const Need& need = model.needs[reason.a][reason.row];
      const std::string missing = need.missing.empty() ? "" : format(" ({})", need.missing);
      parts.push_back(reason.a == model.core ? need.words
                                             : format("{} needs {}{}", id(reason.a), need.words, missing));
    } else if (reason.kind == Kind::kConflict) {
      parts.push_back(format("{} conflicts with {}", id(reason.a), id(reason.b)));
    } else if (reason.kind == Kind::kSlot) {
      parts.push_back(format("slot {} has one place", model.slot_names[reason.row]));
    } else if (reason.kind == Kind::kSameId) {
      parts.push_back(format("only one version of {} can be selected", id(reason.a)));
    }  // the only pin is the core's, and bans were filtered before: neither says anything to the user
  }
  return format("{}", join(parts, "; "));
}

}  // namespace belay::resolver
