// A plugin that crashes, hangs, lies or cannot run here is found out in a child process, and this one goes
// on.
#include "core/registry/probe.hpp"

#include "core/base/format.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/manifest/parse.hpp"
#include "core/manifest/requirement.hpp"
#include "core/registry/probe_protocol.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

#include <chrono>
#include <cstdlib>

namespace belay::registry::test {
namespace {

namespace fs = std::filesystem;

ProbeSettings settings() { return {launcher(), hardware::write_profile(profile()), false}; }

Verdict probe_built(std::string_view id, const ProbeSettings& how = settings()) {
  const manifest::Manifest manifest = manifest_of(id);
  const auto file = LibraryFile::open(fs::canonical(built(id)), manifest.library, trust_current_user());
  REQUIRE(file.ok());
  return probe({&manifest, &*file}, how);
}

std::string outcome(const Verdict& verdict) {
  return verdict.objection ? code(*verdict.objection) : "usable";
}

TEST_CASE("a good plugin is usable, with what the child saw") {
  const Verdict verdict = probe_built("test_good");
  INFO(verdict.objection.value_or(Objection{}).detail);
  CHECK(outcome(verdict) == "usable");
  CHECK(verdict.device.id == "cpu");
  CHECK(verdict.device.name == "test device");
  CHECK(verdict.known_answers == 1);  // add; it declines linear
  CHECK(verdict.sha256 == manifest_of("test_good").sha256);
}

TEST_CASE("a plugin that prints cannot forge the child's answer") {
  CHECK(outcome(probe_built("test_print")) == "usable");
}

TEST_CASE("ways to fail, and what is said about them") {
  struct Case {
    const char* id;
    const char* outcome;
    const char* words;  // somewhere in the detail
  };
  for (const Case& c :
       {Case{"test_crash_in_run", "probe/PROBE_CRASH", "SIGBUS during: known answer of belay.add/1 f32"},
        Case{"test_crash_at_exit", "probe/PROBE_CRASH", "SIGSEGV during: exit"},
        Case{"test_exit", "probe/PROBE_FAILED", "no verdict during: entry, probe and open"},
        Case{"test_no_driver", "probe/NO_DRIVER", "libtest.so.1 is not installed"},
        Case{"test_other_id", "probe/ABI_MISMATCH", "somebody_else"}}) {
    const Verdict verdict = probe_built(c.id);
    CHECK_MESSAGE(outcome(verdict) == c.outcome, c.id);
    REQUIRE(verdict.objection.has_value());
    CHECK_MESSAGE(verdict.objection->detail.find(c.words) != std::string::npos, verdict.objection->detail);
  }
}

// tests/faulty_plugins/README.md says what is wrong with each.
TEST_CASE("the faulty plugins of the whole tree") {
  struct Case {
    const char* name;
    const char* outcome;
  };
  for (const Case& c :
       {Case{"crash_in_probe", "probe/PROBE_CRASH"}, Case{"sigill_in_probe", "probe/PROBE_SIGILL"},
        Case{"hang_in_probe", "probe/PROBE_TIMEOUT"}, Case{"exits_in_probe", "probe/PROBE_FAILED"},
        Case{"prints_to_stdout", "usable"}, Case{"hang_in_static_init", "probe/PROBE_TIMEOUT"},
        Case{"crash_in_static_init", "probe/PROBE_CRASH"}, Case{"wrong_abi_major", "fit/ABI"},
        Case{"entry_refuses_abi", "probe/ABI_MISMATCH"}, Case{"wrong_note", "trust/NOTE_MISMATCH"},
        Case{"throws_everywhere", "probe/PROBE_FAILED"}, Case{"bad_known_answer", "probe/KNOWN_ANSWER"},
        Case{"no_entry_symbol", "trust/BAD_ELF"}, Case{"executable_stack", "trust/BAD_ELF"},
        Case{"runpath", "trust/BAD_ELF"}, Case{"truncated", "trust/BAD_ELF"},
        Case{"storage_wrong_bytes", "probe/KNOWN_ANSWER"}, Case{"storage_missing", "probe/KNOWN_ANSWER"}}) {
    CAPTURE(c.name);
    CHECK(verdict_on(options(fs::path(BELAY_TEST_FAULTY_PLUGINS) / c.name)) == c.outcome);
  }
}

// Claims that are known-answer cases: the plugins must run every one of them.
TEST_CASE("the plugins of this build give every known answer") {
  const auto machine = hardware::probe(hardware::RealSource());
  const fs::path folder = fs::canonical(BELAY_TEST_CPU_PLUGINS);
  for (const char* id : {"cpu_scalar", "cpu_sse", "cpu_avx2", "cpu_openblas", "nvme_offload"}) {
    CAPTURE(id);
    const auto parsed = manifest::load_manifest(folder / format("{}.toml", id));
    REQUIRE(parsed.manifest.has_value());
    if (!manifest::unmet(*parsed.manifest, machine).empty()) continue;  // this machine cannot run it
    const auto file = LibraryFile::open(folder, parsed.manifest->library, trust_current_user());
    REQUIRE(file.ok());
    ProbeSettings how = settings();
    how.profile_toml = hardware::write_profile(machine);
    const Verdict verdict = probe({&*parsed.manifest, &*file}, how);
    if (outcome(verdict) == "probe/NO_DRIVER") {
      MESSAGE("skipped: " << id << ": " << verdict.objection->detail);
      continue;
    }
    CHECK_MESSAGE(outcome(verdict) == "usable", verdict.objection.value_or(Objection{}).detail);
    std::size_t claims = 0;
    for (const auto& claim : parsed.manifest->provides) claims += claim.dtypes.size();
    CHECK(verdict.known_answers == claims);
  }
}

TEST_CASE("several plugins are probed side by side, each with its own verdict") {
  const std::vector<const char*> ids = {"test_good",      "test_crash_in_run", "test_print",
                                        "test_no_driver", "test_exit",         "test_good"};
  std::vector<manifest::Manifest> manifests;
  std::vector<LibraryFile> files;
  for (const char* id : ids) {
    manifests.push_back(manifest_of(id));
    auto file = LibraryFile::open(fs::canonical(built(id)), manifests.back().library, trust_current_user());
    REQUIRE(file.ok());
    files.push_back(std::move(file).value());
  }
  std::vector<ProbeSubject> subjects;
  for (std::size_t i = 0; i < ids.size(); ++i) subjects.push_back({&manifests[i], &files[i]});
  std::vector<std::string> outcomes;
  for (const Verdict& verdict : probe_all(subjects, settings())) outcomes.push_back(outcome(verdict));
  CHECK(outcomes == std::vector<std::string>{"usable", "probe/PROBE_CRASH", "usable", "probe/NO_DRIVER",
                                             "probe/PROBE_FAILED", "usable"});
}

TEST_CASE("the child gets the environment that the manifest allows and no more") {
  ::setenv("BELAY_TEST_VARIABLE", "seen", 1);
  ::setenv("BELAY_TEST_SECRET", "hidden", 1);
  ProbeSettings how = settings();
  how.launcher.program = "/bin/sh";
  how.launcher.prefix = {"/usr/bin/env", "sh", "-c", "env >&2; exit 3", "--"};
  const Verdict allowed = probe_built("test_good", how);
  REQUIRE(outcome(allowed) == "probe/PROBE_FAILED");
  CHECK(allowed.objection->detail.find("BELAY_TEST_VARIABLE=seen") != std::string::npos);
  CHECK(allowed.objection->detail.find("SECRET") == std::string::npos);
  how.elevated = true;
  CHECK(probe_built("test_good", how).objection->detail.find("BELAY_TEST_VARIABLE") == std::string::npos);
}

TEST_CASE("a child that cannot start, or is not one of ours") {
  ProbeSettings how = settings();
  how.launcher.program = "/no/such/program";
  CHECK(outcome(probe_built("test_good", how)) == "probe/PROBE_FAILED");
  how.launcher.program = "/bin/true";
  CHECK(outcome(probe_built("test_good", how)) == "probe/PROBE_FAILED");
  how.launcher.program = "/bin/cat";
  CHECK(outcome(probe_built("test_good", how)) == "probe/PROBE_FAILED");
}

TEST_CASE("the protocol says a verdict and takes nothing else for one") {
  Verdict verdict;
  verdict.sha256 = std::string(64, 'a');
  verdict.device.name = "a device";
  verdict.device.memory_bytes = std::uint64_t{1} << 40U;
  verdict.known_answers = 12;
  const auto round = read_verdict(verdict_json(verdict));
  REQUIRE(round.has_value());
  CHECK(round->device.name == "a device");
  CHECK(round->device.memory_bytes == verdict.device.memory_bytes);
  CHECK(round->known_answers == 12);
  CHECK_FALSE(round->objection.has_value());

  verdict.objection = Objection{Stage::kProbe, "KNOWN_ANSWER", "add is wrong"};
  CHECK(code(*read_verdict(verdict_json(verdict))->objection) == "probe/KNOWN_ANSWER");
  verdict.objection->reason = "ALL_IS_WELL";
  CHECK_FALSE(read_verdict(verdict_json(verdict)).has_value());
  verdict.objection->reason = "KNOWN_ANSWER";
  verdict.objection->stage = Stage::kQuarantine;
  CHECK_FALSE(read_verdict(verdict_json(verdict)).has_value());

  CHECK_FALSE(read_verdict(Json()).has_value());
  CHECK_FALSE(read_verdict(Json::array({1, 2})).has_value());
  CHECK_FALSE(read_verdict(Json{{"usable", true}}).has_value());
  CHECK_FALSE(read_answer("garbage\n{\"a\":\n[[[[[[[[[]\n").verdict.has_value());
  CHECK(read_answer(step_line("load") + "noise\n" + step_line("open")).last_step == "open");
  CHECK_FALSE(read_request("{}").ok());
  ProbeRequest asked;
  asked.manifest = "/m.toml";
  asked.known_answer = false;
  const auto request = read_request(write_request(asked));
  REQUIRE(request.ok());
  CHECK(request->manifest == "/m.toml");
  CHECK_FALSE(request->known_answer);
}

}  // namespace
}  // namespace belay::registry::test
