#include "core/hardware/mounts.hpp"

#include "core/hardware/words.hpp"

#include <algorithm>

namespace belay::hardware {
namespace {

// The kernel writes blanks and backslashes as three octal digits.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::vector<Mount> read_mounts(const Source& source) {
  std::vector<Mount> mounts;
  const std::string text = source.read_file("/proc/self/mountinfo").value_or("");
  for (const std::string_view line : lines(text)) {
    // 36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda1 rw        (proc(5); any number of fields
    // before "-")
    const auto all = words(line);
    const auto dash = std::find(all.begin(), all.end(), "-");
    if (dash - all.begin() < 6 || all.end() - dash < 4) continue;
    mounts.push_back({std::string(all[2]), unescape(all[3]), unescape(all[4]), std::string(dash[1]),
                      unescape(dash[2]), std::string(dash[3])});
  }
  return mounts;
}

}  // namespace belay::hardware
