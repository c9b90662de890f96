// The last look at a plugin before it is used: it runs each operator that its manifest claims, once for each
// claimed type, on small inputs, and must give the known answer. Meant for the probe's child, where it may
// die.
#pragma once

#include "core/registry/plugin.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

namespace belay::registry {

struct KnownAnswers {
  std::size_t right = 0;
  std::size_t declined = 0;            // supports() said no to the small shapes
  std::optional<Objection> objection;  // the first wrong one: stage probe, KNOWN_ANSWER
};

// `step` is told what is about to run ("known answer of belay.linear/1 q8_0"), so that a crash can be placed.
[[nodiscard]] KnownAnswers run_known_answers(const Plugin& plugin,
                                             const std::function<void(std::string_view)>& step);

}  // namespace belay::registry
