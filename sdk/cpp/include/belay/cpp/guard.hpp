// What keeps a plugin's faults inside the plugin: filling a belay_error_t, and a noexcept wall that turns
// every exception into a status. Plain functions over plain data, usable from any thread.
#pragma once

#include <belay/status.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>

namespace belay::sdk {

// How far a failure with this code reaches, unless the plugin knows better.
[[nodiscard]] constexpr int32_t scope_of(belay_status_t code) noexcept {
  switch (code) {
    case BELAY_OOM_HOST:
    case BELAY_OOM_DEVICE:
      return BELAY_SCOPE_OUT_OF_MEMORY;
    case BELAY_DEVICE_LOST:
      return BELAY_SCOPE_DEVICE;
    case BELAY_ABI_MISMATCH:
      return BELAY_SCOPE_PLUGIN;
    case BELAY_CONTRACT:
      return BELAY_SCOPE_CONTRACT;
    default:
      return BELAY_SCOPE_OP;
  }
}

// Fills *error (when there is one, of at least the first version's size) and returns `code`. Allocates
// nothing; a message longer than the struct's 255 bytes is cut.
[[gnu::format(printf, 3, 0)]] inline belay_status_t vfail(belay_error_t* error, belay_status_t code,
                                                          const char* format, va_list arguments) noexcept {
  if (error == nullptr || error->struct_size < sizeof(belay_error_t)) return code;
  error->code = code;
  error->scope = scope_of(code);
  error->retryable = code == BELAY_DEVICE_BUSY || code == BELAY_TIMEOUT ? 1u : 0u;
  error->native_code = 0;
  std::vsnprintf(error->message, sizeof error->message, format, arguments);
  return code;
}

[[gnu::format(printf, 3, 4)]] inline belay_status_t fail(belay_error_t* error, belay_status_t code,
                                                         const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  vfail(error, code, format, arguments);
  va_end(arguments);
  return code;
}

// A failure on its way to the wall, for code that is not on the hot path: `throw
// sdk::Error(BELAY_UNSUPPORTED, "...")`.
class Error : public std::exception {
 public:
  [[gnu::format(printf, 3, 4)]] Error(belay_status_t code, const char* format, ...) noexcept : code_(code) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message_, sizeof message_, format, arguments);
    va_end(arguments);
  }
  // The device's or system's own number, for belay_error_t::native_code.
  Error& with_native(int64_t native_code) noexcept {
    native_code_ = native_code;
    return *this;
  }
  [[nodiscard]] belay_status_t code() const noexcept { return code_; }
  [[nodiscard]] int64_t native_code() const noexcept { return native_code_; }
  [[nodiscard]] const char* what() const noexcept override { return message_; }

 private:
  belay_status_t code_;
  int64_t native_code_ = 0;
  char message_[256];
};

// Runs body() → belay_status_t and lets nothing out: an Error keeps its code, no memory is BELAY_OOM_HOST,
// anything else BELAY_INTERNAL. Every function that the host can call goes through here, because an exception
// that reaches the host's frames from another copy of the C++ library ends the process without a word.
template <class Body>
belay_status_t guard(belay_error_t* error, Body&& body) noexcept {
  try {
    return body();
  } catch (const Error& e) {
    fail(error, e.code(), "%s", e.what());
    if (error != nullptr && error->struct_size >= sizeof(belay_error_t)) error->native_code = e.native_code();
    return e.code();
  } catch (const std::bad_alloc&) {
    return fail(error, BELAY_OOM_HOST, "out of host memory inside the plugin");
  } catch (const std::exception& e) {
    return fail(error, BELAY_INTERNAL, "exception inside the plugin: %s", e.what());
  } catch (...) {
    return fail(error, BELAY_INTERNAL, "unknown exception inside the plugin");
  }
}

}  // namespace belay::sdk
