#include "core/monitoring/pressure.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace belay::monitoring {
namespace {

// These files say 0 bytes before they are read.
std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The number behind `name`, which stands at the start of the text or behind a space or a line end.
template <class Number>
std::optional<Number> number_behind(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at > 0 && text[at - 1] != '\n' && text[at - 1] != ' ') continue;
    std::string_view rest = text.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    Number number{};
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error == std::errc()) return number;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> kib_behind(std::string_view text, std::string_view name) {
  const auto kib = number_behind<std::uint64_t>(text, name);
  if (!kib || *kib > ~std::uint64_t{0} / 1024) return std::nullopt;
  return *kib * 1024;
}

// Field 12 of /proc/self/stat. The second is the program's name in brackets, in which anything may stand.
std::optional<std::uint64_t> major_faults(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  std::istringstream fields{std::string(stat.substr(name_end + 1))};
  std::string skipped;
  for (int field = 3; field < 12; ++field) fields >> skipped;
  std::uint64_t faults = 0;
  return fields >> faults ? std::optional(faults) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> available_bytes() {
  std::array<char, 1024> start{};  // it is in the third line
  const int file = ::open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const ssize_t got = ::read(file, start.data(), start.size());
  ::close(file);
  if (got <= 0) return std::nullopt;
  return kib_behind({start.data(), static_cast<std::size_t>(got)}, "MemAvailable:");
}

Pressure read_pressure(const std::filesystem::path& proc) {
  Pressure pressure;
  pressure.available_bytes = kib_behind(text_of(proc / "meminfo"), "MemAvailable:");
  pressure.swap_bytes = kib_behind(text_of(proc / "self/status"), "VmSwap:");
  pressure.major_faults = major_faults(text_of(proc / "self/stat"));
  pressure.disk_read_bytes = number_behind<std::uint64_t>(text_of(proc / "self/io"), "read_bytes:");
  pressure.stall_percent = number_behind<double>(text_of(proc / "pressure/memory"), "avg10=");
  return pressure;
}

}  // namespace belay::monitoring
