// Failures of the system, told with its own number.
#pragma once

#include <belay/cpp/guard.hpp>

#include <cstdarg>
#include <string>
#include <string_view>
#include <system_error>

namespace belay::nvme {

// "Input/output error"
[[nodiscard]] inline std::string words_of(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

// A path as messages show it: they have 255 bytes in all, and its end says more than its beginning.
[[nodiscard]] inline std::string shown(std::string_view path) {
  constexpr std::size_t kMost = 120;
  if (path.size() <= kMost) return std::string(path);
  return "..." + std::string(path.substr(path.size() - kMost));
}

// BELAY_IO with the system's number, 0 when it gave none.
[[gnu::format(printf, 3, 4)]] inline belay_status_t io_failure(belay_error_t* error, int error_number,
                                                               const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  sdk::vfail(error, BELAY_IO, format, arguments);
  va_end(arguments);
  if (error != nullptr && error->struct_size >= sizeof(belay_error_t)) error->native_code = error_number;
  return BELAY_IO;
}

}  // namespace belay::nvme
