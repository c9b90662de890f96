// Whether a library is what its manifest says and is linked as a plugin must be (reference: plugin_abi.md B
// 1-6, 29). Pure; any thread.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/registry/elf.hpp"

#include <optional>

namespace belay::registry {

// Objections: BAD_ELF (executable stack, text relocations, static TLS, not exactly the one export, an RPATH
// or RUNPATH other than $ORIGIN, a needed library that the manifest does not name), NOTE_MISMATCH (note
// absent or another than the manifest), OPENMP at stage fit (an OpenMP runtime other than the declared one).
[[nodiscard]] std::optional<Objection> check_elf(const Elf& elf, const manifest::Manifest& manifest);

}  // namespace belay::registry
