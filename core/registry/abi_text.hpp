// Text and errors that come through the ABI, made safe to show: a plugin's lengths and bytes are not
// believed.
#pragma once

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <belay/status.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace belay::registry {

[[nodiscard]] inline std::string shown(belay_str_t text) {
  constexpr std::uint64_t kMaxText = 1024;
  return text.data == nullptr ? std::string() : printable({text.data, std::min(text.size, kMaxText)}, 200);
}

[[nodiscard]] inline belay_str_t abi_string(std::string_view text) { return {text.data(), text.size()}; }

[[nodiscard]] inline belay_error_t empty_error() {
  belay_error_t error{};
  error.struct_size = sizeof error;
  return error;
}

// "open returned status 3: out of memory"
[[nodiscard]] inline std::string failed_call(std::string_view call, belay_status_t status,
                                             const belay_error_t& error) {
  const std::string words = printable({error.message, ::strnlen(error.message, sizeof error.message)}, 300);
  return format("{} returned status {}{}{}", call, status, words.empty() ? "" : ": ", words);
}

}  // namespace belay::registry
