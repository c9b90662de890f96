// Manifests in few words, for the tests of resolve() and explain().
#pragma once

#include "core/resolver/explain.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace belay::resolver::test {

inline manifest::Version version(const std::string& text) { return *manifest::parse_version(text); }
inline manifest::VersionRange range(const std::string& text) { return *manifest::parse_range(text); }

inline manifest::Manifest plugin(const std::string& id, std::int32_t priority,
                                 const std::string& number = "1.0.0") {
  manifest::Manifest manifest;
  manifest.id = id;
  manifest.priority = priority;
  manifest.version = version(number);
  return manifest;
}

inline manifest::Optimization optimization(const std::string& id, std::int32_t priority) {
  manifest::Optimization optimization;
  optimization.id = id;
  optimization.priority = priority;
  return optimization;
}

// A machine, its manifests and a policy, to be changed and asked.
struct Case {
  hardware::Profile profile;
  std::vector<manifest::Manifest> manifests;
  std::vector<Refusal> refused;
  Policy policy;

  [[nodiscard]] Result<Resolution> result() const { return resolve(profile, manifests, refused, policy); }
  [[nodiscard]] Resolution resolution() const {
    auto answer = result();
    return answer.ok() ? std::move(answer).value() : Resolution{};
  }
  [[nodiscard]] std::vector<std::string> selected() const { return ids_of(resolution().selected); }
  [[nodiscard]] std::vector<std::string> optimizations() const { return ids_of(resolution().optimizations); }
  [[nodiscard]] std::string error() const {
    const auto answer = result();
    return answer.ok() ? "" : answer.error().message;
  }
  // "CODE: detail", or nothing when it is not refused.
  [[nodiscard]] std::string refusal(const std::string& id) const {
    const Resolution answer = resolution();
    const auto found = std::ranges::find(answer.refused, id, &Refusal::id);
    return found == answer.refused.end() ? "" : found->reason + ": " + found->detail;
  }
};

using Ids = std::vector<std::string>;

}  // namespace belay::resolver::test
