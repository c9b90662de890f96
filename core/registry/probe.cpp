#include "core/registry/probe.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/registry/probe_protocol.hpp"
#include "core/registry/verify.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace belay::registry {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{256} << 10U;
constexpr std::size_t kMaxAtOnce = 4;

Verdict refused(std::string_view reason, std::string detail) {
  Verdict verdict;
  verdict.objection = Objection{Stage::kProbe, std::string(reason), std::move(detail)};
  return verdict;
}

std::vector<std::string> environment_of(const manifest::Manifest& manifest, const ProbeSettings& settings) {
  std::vector<std::string> environment = settings.launcher.environment;
  if (settings.elevated) return environment;
  for (const std::string& name : manifest.probe.env_allow) {
    const char* value = std::getenv(name.c_str());  // the host changes no variable while it looks for plugins
    if (value != nullptr) environment.push_back(name + "=" + value);
  }
  return environment;
}

ChildRequest child_request(const ProbeSubject& subject, const std::string& sha256,
                           const ProbeSettings& settings) {
  const manifest::Manifest& manifest = *subject.manifest;
  ChildRequest request;
  request.argv = settings.launcher.prefix;
  request.argv.push_back(settings.launcher.program);
  request.argv.emplace_back(kProbeArgument);
  request.environment = environment_of(manifest, settings);
  request.input = write_request({.manifest = manifest.file.string(),
                                 .id = manifest.id,
                                 .version = manifest.version.text(),
                                 .sha256 = sha256,
                                 .profile_toml = settings.profile_toml,
                                 .known_answer = manifest.probe.known_answer});
  request.timeout = std::chrono::milliseconds(manifest.probe.timeout_ms);
  request.max_output = kMaxOutput;
  return request;
}

// Where the child was, and the end of what it wrote to standard error.
std::string last_words(const ProbeAnswer& answer, const ChildResult& result) {
  constexpr std::size_t kMaxWords = 400;
  std::string_view errors = result.errors;
  while (!errors.empty() && (errors.back() == '\n' || errors.back() == ' ')) errors.remove_suffix(1);
  if (errors.size() > kMaxWords) errors.remove_prefix(errors.size() - kMaxWords);
  std::string words =
      answer.last_step.empty() ? " before its first step" : format(" during: {}", answer.last_step);
  if (!errors.empty()) words += format("; it said: {}", printable(errors, 2 * kMaxWords));
  return words;
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? format("SIG{}", name) : format("signal {}", number);
}

Verdict judge(const ChildResult& result, const manifest::Manifest& manifest) {
  ProbeAnswer answer = read_answer(result.output);
  const std::string words = last_words(answer, result);
  switch (result.end) {
    case ChildResult::End::kNotStarted:
      return refused(reason::kProbeFailed,
                     format("the probe's process did not start: {}", std::strerror(result.code)));
    case ChildResult::End::kTimedOut:
      return refused(reason::kProbeTimeout,
                     format("no answer within {} ms{}", manifest.probe.timeout_ms, words));
    case ChildResult::End::kSignalled:
      return refused(result.code == SIGILL ? reason::kProbeSigill : reason::kProbeCrash,
                     format("its process died of {}{}", signal_name(result.code), words));
    case ChildResult::End::kExited:
      break;
  }
  if (result.code != 0) {
    return refused(reason::kProbeFailed, format("its process ended with status {}{}", result.code, words));
  }
  if (!answer.verdict) return refused(reason::kProbeFailed, format("its process gave no verdict{}", words));
  return *std::move(answer.verdict);
}

}  // namespace

Verdict probe(const ProbeSubject& subject, const ProbeSettings& settings) {
  auto verified = verify(*subject.library, *subject.manifest);
  if (!verified) {
    Verdict verdict;
    verdict.objection = std::move(verified).objection();
    return verdict;
  }
  const ChildResult result = run_child(child_request(subject, verified->sha256, settings));
  Verdict verdict = judge(result, *subject.manifest);
  verdict.sha256 = std::move(verified->sha256);
  return verdict;
}

std::vector<Verdict> probe_all(std::span<const ProbeSubject> subjects, const ProbeSettings& settings) {
  std::vector<Verdict> verdicts(subjects.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < subjects.size(); i = next++) verdicts[i] = probe(subjects[i], settings);
  };
  std::vector<std::jthread> helpers;  // they wait for children; the work itself is in the children
  for (std::size_t i = 1; i < std::min(subjects.size(), kMaxAtOnce); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return verdicts;
}

}  // namespace belay::registry
