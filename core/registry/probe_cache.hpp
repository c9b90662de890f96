// What probes found out, kept in a small file of the user, so that a warm start needs no child process and
// hashes only the libraries that it opens. A missing, damaged or foreign file is as good as none. One thread.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"
#include "core/registry/probe.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry {

// All that a verdict depends on beside the library and its manifest: this program's build, the CPU's
// features, the kernel and the drivers. One text for all plugins.
[[nodiscard]] std::string machine_signature(const hardware::Profile& profile, const SelfLauncher& launcher);

// Appends one fact to the text of a key; no two lists of facts give the same text.
void add_to_key(std::string& key, std::string_view name, std::string_view value);

// Writes a file of the user's whole: readers see the old or the new one, nobody else can read it. Makes its
// folder.
[[nodiscard]] Status replace_file(const std::filesystem::path& file, std::string_view text);

// The key under which the verdict on a library is kept: any change of the file, of what its manifest says
// about it, or of the machine gives another one.
[[nodiscard]] std::string probe_key(const LibraryFile& library, const manifest::Manifest& manifest,
                                    const std::string& machine);

class ProbeCache {
 public:
  // Reads the file; an empty path keeps nothing. `now_s` is the wall clock in seconds (refusals are forgotten
  // with time).
  ProbeCache(std::filesystem::path file, const TrustPolicy& policy, std::int64_t now_s);

  [[nodiscard]] const Verdict* find(const std::string& key) const;

  // Keeps a verdict in place of the library's former one. A refusal that may not last (no driver, a device
  // that is busy, a process that did not start) is not kept, any other for an hour.
  void put(const std::filesystem::path& library, std::string key, const Verdict& verdict);

  // Writes the file whole if anything changed; readers see the old or the new one.
  [[nodiscard]] Status save();

 private:
  struct Entry {
    std::string library;
    std::string key;
    std::int64_t until_s = 0;  // 0: as long as the key fits
    Verdict verdict;
  };

  void load(const TrustPolicy& policy);

  std::filesystem::path file_;
  std::int64_t now_s_;
  std::vector<Entry> entries_;
  bool changed_ = false;
};

}  // namespace belay::registry
