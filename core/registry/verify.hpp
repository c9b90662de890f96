// The checks of an open library's bytes against its manifest: ELF, note, hash. One read for all of them. Any
// thread.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/registry/elf.hpp"
#include "core/registry/library_file.hpp"

#include <string>

namespace belay::registry {

struct VerifiedLibrary {
  Elf elf;
  std::string sha256;
};

// Objections: those of read_elf and check_elf, and HASH when the manifest pins another content.
[[nodiscard]] Checked<VerifiedLibrary> verify(const LibraryFile& library, const manifest::Manifest& manifest);

}  // namespace belay::registry
