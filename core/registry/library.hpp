// A plugin's library inside this process. The only wrapper of Boost.DLL. Once loaded it stays mapped until
// the process ends: unloading code that other code may still point to is not safe (plugin_abi.md E3).
#pragma once

#include "core/registry/elf.hpp"
#include "core/registry/library_file.hpp"

#include <belay/plugin.h>

namespace belay::registry {

class Library {
 public:
  // Loads a checked file with all its symbols bound at once and none of them shared. The file becomes
  // resident. Objections: HASH when the file changed since it was opened, OPEN_FAILED with the loader's own
  // words. Any thread.
  [[nodiscard]] static Checked<Library> load(LibraryFile file, const Elf& elf);

  explicit Library(belay_entry_fn found) : entry_(found) {}

  [[nodiscard]] belay_entry_fn entry() const { return entry_; }

 private:
  belay_entry_fn entry_;
};

}  // namespace belay::registry
