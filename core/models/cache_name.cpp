#include "core/models/cache_name.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/base/xxh3.hpp"

#include <cctype>
#include <chrono>
#include <system_error>

namespace belay::models {

std::string describe_file(const std::filesystem::path& path) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  const auto written = std::chrono::file_clock::to_sys(std::filesystem::last_write_time(path, failed));
  return format("{}, {} bytes, written at {}\n", printable(path.filename().string()), bytes,
                written.time_since_epoch().count());
}

std::string cache_file_name(std::string_view model, std::string_view form, std::string_view description) {
  std::string name(model.substr(0, 100));
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '_';
  }
  const Xxh3 key = xxh3(std::as_bytes(std::span(description)));
  return format("{}-{}-{:016x}.weights", name, form, key[0]);
}

}  // namespace belay::models
