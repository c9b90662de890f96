// What a shared object says about itself, read from its bytes without loading it. Every offset, size and
// count in the file is hostile and checked before use. Pure; any thread.
#pragma once

#include "core/registry/objection.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::registry {

// belay_note_t without its padding.
struct ElfNote {
  std::uint32_t magic = 0;
  std::uint32_t abi_major = 0;
  std::uint32_t min_minor = 0;
  std::uint32_t built_minor = 0;
  std::uint32_t word_bits = 0;
  std::string id;
  std::string version;
};

struct Elf {
  std::vector<std::string> needed;   // libraries that the loader would load with it
  std::vector<std::string> exports;  // defined symbols that others can bind to
  std::optional<std::string> rpath;
  std::optional<std::string> runpath;
  std::vector<ElfNote> notes;     // Belay's own
  bool executable_stack = false;  // asked for, or not forbidden
  bool text_relocations = false;
  bool static_tls = false;
  bool is_program = false;  // has an interpreter
};

// Reads a whole file. Objection BAD_ELF: not a 64-bit little-endian shared object for this machine, a part
// that lies outside the file (it was cut short), or tables that contradict each other.
[[nodiscard]] Checked<Elf> read_elf(std::span<const std::byte> file);

}  // namespace belay::registry
