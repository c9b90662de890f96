// Why each candidate is, or is not, in the best selection, and what the selection would be if it were. Pure;
// any thread.
#pragma once

#include "core/resolver/resolve.hpp"

namespace belay::resolver {

enum class Verdict { kSelected, kExcluded, kLost };

// Where the selection with the candidate falls behind the chosen one.
enum class LostAt {
  kPriorities,
  kNegatives,
  kSynergy,
  kWeight,    // Σ priority + λ Σ gain
  kVersion,   // equal worth, newer version chosen
  kId,        // equal worth, lower ids chosen
  kUnproved,  // it does not: the search budget ended early
};

[[nodiscard]] std::string_view to_string(Verdict verdict);
[[nodiscard]] std::string_view to_string(LostAt level);

struct Explanation {
  std::string id;       // full
  std::string version;  // of the plugin
  Verdict verdict = Verdict::kSelected;
  std::optional<Refusal> refusal;  // kExcluded and kLost
  // The rest for kLost only.
  std::string lost_to;  // the selected candidate in the way; empty when it is not a single one
  LostAt level = LostAt::kPriorities;
  Worth chosen;
  Worth alternative;                               // of the best selection with this candidate pinned
  std::vector<std::string> alternative_selection;  // its full ids, ascending, without `core`
};

// Of everything that was given or refused, by id; or only of `id`, a full id or a bare optimization name
// (kUsage when there is none). Same inputs and errors as resolve().
[[nodiscard]] Result<std::vector<Explanation>> explain(const hardware::Profile& profile,
                                                       std::span<const manifest::Manifest> manifests,
                                                       std::span<const Refusal> already_refused,
                                                       const Policy& policy,
                                                       std::optional<std::string_view> id = {});

// For people, one line or a few, without a line break at the end.
[[nodiscard]] std::string to_text(const Explanation& explanation);

}  // namespace belay::resolver
