#include "core/base/child_process.hpp"

#include "tests/support/doctest.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>

using belay::ChildRequest;
using belay::ChildResult;
using belay::run_child;
using End = belay::ChildResult::End;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

namespace {

ChildRequest shell(std::string script) {
  ChildRequest request;
  request.argv = {"/bin/sh", "-c", std::move(script)};
  return request;
}

}  // namespace

TEST_CASE("input comes back through cat, however large") {
  ChildRequest request;
  request.argv = {"/bin/cat"};
  request.input = std::string(3'000'000, 'x') + "end\n";
  request.max_output = 10'000'000;
  request.timeout = 60s;
  const ChildResult result = run_child(request);
  CHECK(result.end == End::kExited);
  CHECK(result.code == 0);
  CHECK(result.output == request.input);
  CHECK(result.errors.empty());
}

TEST_CASE("exit status, both outputs and nothing but the given environment") {
  ChildRequest request = shell("echo \"out $NAME$HOME\"; echo err >&2; exit 7");
  request.environment = {"NAME=value"};
  const ChildResult result = run_child(request);
  CHECK(result.end == End::kExited);
  CHECK(result.code == 7);
  CHECK(result.output == "out value\n");
  CHECK(result.errors == "err\n");
}

TEST_CASE("a child that does not end is killed with all that it started") {
  ChildRequest request = shell("sleep 60 & sleep 60");  // the first one holds the pipes open as well
  request.timeout = 300ms;
  const auto begin = std::chrono::steady_clock::now();
  const ChildResult result = run_child(request);
  CHECK(result.end == End::kTimedOut);
  CHECK(std::chrono::steady_clock::now() - begin < 20s);
}

TEST_CASE("a child that closes its outputs and stays is killed as well") {
  ChildRequest request = shell("exec >&- 2>&-; exec sleep 60");
  request.timeout = 300ms;
  CHECK(run_child(request).end == End::kTimedOut);
}

TEST_CASE("death by a signal is reported with its number") {
  const ChildResult result = run_child(shell("echo before; kill -SEGV $$"));
  CHECK(result.end == End::kSignalled);
  CHECK(result.code == SIGSEGV);
  CHECK(result.output == "before\n");
}

TEST_CASE("a program that is not there") {
  ChildRequest request;
  request.argv = {"/nonexistent/program"};
  const ChildResult result = run_child(request);
  CHECK(result.end == End::kNotStarted);
  CHECK(result.code == ENOENT);
  CHECK(run_child(ChildRequest{}).end == End::kNotStarted);
}

TEST_CASE("output beyond the limit is cut, the child goes on") {
  ChildRequest request = shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; exit 3");
  request.max_output = 1000;
  request.timeout = 60s;
  const ChildResult result = run_child(request);
  CHECK(result.end == End::kExited);
  CHECK(result.code == 3);
  CHECK(result.output.size() == 1000);
}

TEST_CASE("a child that does not read its input harms nobody") {
  ChildRequest request = shell("exit 0");
  request.input = std::string(3'000'000, 'x');
  request.timeout = 60s;
  CHECK(run_child(request).end == End::kExited);
}

TEST_CASE("no file of this process is open in the child") {
  const ChildResult result = run_child(shell("ls /proc/self/fd"));
  CHECK(result.output == "0\n1\n2\n3\n");  // 3 is the folder that ls reads
}
