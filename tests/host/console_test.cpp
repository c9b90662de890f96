// Reading a line beside a Ctrl-C that comes at any time.
#include "host/console.hpp"

#include "host/signals.hpp"
#include "tests/support/doctest.hpp"

#include <unistd.h>

#include <string_view>

namespace belay::host {
namespace {

// Standard input is a pipe that the test writes to, for its lifetime.
class TypedInput {
 public:
  TypedInput() : before_(::dup(STDIN_FILENO)) {
    int ends[2] = {};
    REQUIRE(::pipe(ends) == 0);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    write_ = ends[1];
  }
  TypedInput(const TypedInput&) = delete;
  TypedInput& operator=(const TypedInput&) = delete;
  ~TypedInput() {
    close();
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }
  void type(std::string_view text) const {
    REQUIRE(::write(write_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (write_ >= 0) ::close(write_);
    write_ = -1;
  }

 private:
  int before_;
  int write_ = -1;
};

TEST_CASE("lines come one by one, the last one without its end, then nothing") {
  TypedInput input;
  input.type("one\n\ntwo");
  input.close();
  CHECK(read_line("") == "one");
  CHECK(read_line("") == "");
  CHECK(read_line("") == "two");
  CHECK_FALSE(read_line("").has_value());
}

TEST_CASE("a Ctrl-C from just before the wait ends it, and is forgotten when it was answered") {
  install_signals();
  const TypedInput input;
  request_stop();
  request_stop();
  CHECK_FALSE(read_line("").has_value());  // hangs when the stop is missed: nothing is typed
  CHECK(interrupted().load());
  clear_stop();
  CHECK_FALSE(interrupted().load());
  input.type("again\n");
  CHECK(read_line("") == "again");
}

}  // namespace
}  // namespace belay::host
