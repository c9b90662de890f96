#include "core/registry/probe_protocol.hpp"

#include "core/base/text.hpp"

#include <algorithm>
#include <array>

namespace belay::registry {
namespace {

constexpr const char* kRequestSchema = "belay.probe_request/1";
constexpr const char* kVerdictSchema = "belay.probe_verdict/1";
constexpr std::size_t kMaxDetail = 1000;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// A code of refusal.hpp that a probe or the checks before it can give.
bool is_reason(std::string_view text) {
  constexpr std::array<std::string_view, 17> kReasons = {
      reason::kProbeFailed,  reason::kProbeCrash,   reason::kProbeSigill, reason::kProbeTimeout,
      reason::kKnownAnswer,  reason::kAbiMismatch,  reason::kNoDriver,    reason::kNoDevice,
      reason::kDriverTooOld, reason::kNoLibrary,    reason::kUntrusted,   reason::kBadElf,
      reason::kHash,         reason::kNoteMismatch, reason::kOpenmp,      reason::kDeviceBusy,
      reason::kNoKernelImage};
  return std::find(kReasons.begin(), kReasons.end(), text) != kReasons.end();
}

std::optional<Stage> stage_named(std::string_view text) {
  for (const Stage stage : {Stage::kTrust, Stage::kFit, Stage::kProbe}) {
    if (to_string(stage) == text) return stage;
  }
  return std::nullopt;
}

Json device_json(const Device& device) {
  return {{"kind", device.kind},
          {"index", device.index},
          {"id", device.id},
          {"name", device.name},
          {"memory_bytes", device.memory_bytes},
          {"memory_free_bytes", device.memory_free_bytes}};
}

Device read_device(const Json& json) {
  Device device;
  if (!json.is_object()) return device;
  device.kind =
      static_cast<std::int32_t>(std::min<std::uint64_t>(number_of(json, "kind"), BELAY_DEVICE_OTHER));
  device.index = static_cast<std::uint32_t>(number_of(json, "index"));
  device.id = printable(text_of(json, "id"));
  device.name = printable(text_of(json, "name"));
  device.memory_bytes = number_of(json, "memory_bytes");
  device.memory_free_bytes = number_of(json, "memory_free_bytes");
  return device;
}

}  // namespace

std::string write_request(const ProbeRequest& request) {
  return to_line(Json{{"schema", kRequestSchema},
                      {"manifest", request.manifest},
                      {"id", request.id},
                      {"version", request.version},
                      {"sha256", request.sha256},
                      {"profile", request.profile_toml},
                      {"known_answer", request.known_answer}});
}

Result<ProbeRequest> read_request(std::string_view text) {
  BELAY_TRY_ASSIGN(const Json json, parse_json(text, ErrorCode::kUsage));
  if (!json.is_object() || text_of(json, "schema") != kRequestSchema) {
    return Error{ErrorCode::kUsage, "the request on standard input is not one of a probe"};
  }
  return ProbeRequest{.manifest = text_of(json, "manifest"),
                      .id = text_of(json, "id"),
                      .version = text_of(json, "version"),
                      .sha256 = text_of(json, "sha256"),
                      .profile_toml = text_of(json, "profile"),
                      .known_answer = flag_of(json, "known_answer")};
}

Json verdict_json(const Verdict& verdict) {
  Json json = {{"schema", kVerdictSchema}, {"usable", !verdict.objection.has_value()}};
  if (verdict.objection) {
    json["stage"] = to_string(verdict.objection->stage);
    json["reason"] = verdict.objection->reason;
    json["detail"] = verdict.objection->detail;
  }
  json["sha256"] = verdict.sha256;
  json["device"] = device_json(verdict.device);
  json["known_answers"] = verdict.known_answers;
  return json;
}

std::optional<Verdict> read_verdict(const Json& json) {
  if (!json.is_object() || text_of(json, "schema") != kVerdictSchema) return std::nullopt;
  Verdict verdict;
  if (!flag_of(json, "usable")) {
    const auto stage = stage_named(text_of(json, "stage"));
    const std::string reason = text_of(json, "reason");
    if (!stage || !is_reason(reason)) return std::nullopt;
    verdict.objection = Objection{*stage, reason, printable(text_of(json, "detail"), kMaxDetail)};
  }
  verdict.sha256 = printable(text_of(json, "sha256"));
  verdict.device = read_device(json.contains("device") ? json["device"] : Json());
  verdict.known_answers = number_of(json, "known_answers");
  return verdict;
}

std::string step_line(std::string_view step) { return to_line(Json{{"step", step}}) + "\n"; }

ProbeAnswer read_answer(std::string_view output) {
  ProbeAnswer answer;
  while (!output.empty()) {
    const std::size_t end = output.find('\n');
    const auto json = parse_json(output.substr(0, end), ErrorCode::kGeneral, {.max_depth = 4});
    output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
    if (!json || !json->is_object()) continue;
    if (json->contains("step")) answer.last_step = printable(text_of(*json, "step"));
    if (auto verdict = read_verdict(*json)) answer.verdict = std::move(verdict);
  }
  return answer;
}

}  // namespace belay::registry
