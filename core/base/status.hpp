// How a function of Belay says that something outside the program went wrong: Status and Result<T>.
// Plain values, any thread. Exceptions do not leave the wrapper of the library that throws them.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace belay {

// What kind of trouble it is. The host turns each into one exit code (host/exit_code.hpp).
enum class ErrorCode {
  kGeneral,            // anything without a class of its own
  kUsage,              // command line, configuration or hardware file
  kBadInput,           // model, prompt, token ids or image: broken, unsupported or too long
  kNoPlugin,           // an operator has no usable plugin left
  kFallbackForbidden,  // --strict: a fallback would have been needed
  kOutOfMemory,        // memory or disk, after every fallback
  kDeadline,           // the time that the user allowed is over
  kInterrupted,        // the user asked to stop
  kStateLost,          // a device went, and with it what was computed there: a session computes it again
};

// The name under which JSON and messages show a code, for example "BAD_INPUT".
[[nodiscard]] const char* to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kGeneral;
  std::string message;  // what happened, with which thing, and what to do next
};

// A value, or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  // NOLINTBEGIN(google-explicit-constructor): `return value;` and `return error;` are what it is for
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  [[nodiscard]] T& value() & { return assert(ok()), std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return assert(ok()), std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return assert(ok()), std::move(std::get<0>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Only when not ok().
  [[nodiscard]] const Error& error() const& { return assert(!ok()), std::get<1>(state_); }
  [[nodiscard]] Error&& error() && { return assert(!ok()), std::move(std::get<1>(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success, or the reason why not.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const& { return assert(!ok()), *error_; }
  [[nodiscard]] Error&& error() && { return assert(!ok()), std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace belay

// Leave the function with the error of `expression` (a Status or Result), if it has one.
#define BELAY_TRY(expression)                                   \
  do {                                                          \
    if (auto belay_status = (expression); !belay_status.ok()) { \
      return std::move(belay_status).error();                   \
    }                                                           \
  } while (false)

#define BELAY_CONCAT_INNER(a, b) a##b
#define BELAY_CONCAT(a, b) BELAY_CONCAT_INNER(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration in parentheses is no declaration
// `declaration = value of expression (a Result)`, or leave the function with its error.
#define BELAY_TRY_ASSIGN(declaration, expression) \
  BELAY_TRY_ASSIGN_INNER(BELAY_CONCAT(belay_result_, __LINE__), declaration, expression)
#define BELAY_TRY_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).error();           \
  declaration = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
