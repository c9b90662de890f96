// What parent and child of a probe say to each other: one JSON request, then lines of JSON. A line with
// "step" tells what the child is about to do, the last line is its verdict. The child runs foreign code:
// nothing it says is believed beyond its form.
#pragma once

#include "core/base/json.hpp"
#include "core/registry/probe.hpp"

#include <string>
#include <string_view>

namespace belay::registry {

struct ProbeRequest {
  std::string manifest;  // its path; the child reads it again and compares
  std::string id;
  std::string version;
  std::string sha256;  // of the library that the parent checked
  std::string profile_toml;
  bool known_answer = true;
};

[[nodiscard]] std::string write_request(const ProbeRequest& request);
[[nodiscard]] Result<ProbeRequest> read_request(std::string_view text);

[[nodiscard]] Json verdict_json(const Verdict& verdict);
// Nothing when the value has not the form of a verdict, or names a reason that is not among the codes.
[[nodiscard]] std::optional<Verdict> read_verdict(const Json& json);

[[nodiscard]] std::string step_line(std::string_view step);

struct ProbeAnswer {
  std::string last_step;
  std::optional<Verdict> verdict;
};
[[nodiscard]] ProbeAnswer read_answer(std::string_view output);

}  // namespace belay::registry
