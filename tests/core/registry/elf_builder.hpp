// A shared object made byte by byte, right or wrong in whatever a test asks for. The loader would accept its
// form; it holds no code.
#pragma once

#include <belay/plugin.h>

#include <elf.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace belay::registry::test {

struct ElfSpec {
  std::vector<std::string> needed = {"libc.so.6"};
  std::optional<std::string> rpath;
  std::optional<std::string> runpath;
  std::vector<std::string> exports = {BELAY_ENTRY_SYMBOL};
  std::vector<std::string> imports = {"malloc"};
  std::vector<belay_note_t> notes;
  Elf64_Word stack_flags = PF_R | PF_W;
  bool with_stack_header = true;
  bool with_interpreter = false;
  bool with_gnu_hash = true;  // false: the older HASH table
  bool text_relocations = false;
  Elf64_Xword flags = 0;  // DF_*
  Elf64_Half machine = EM_X86_64;
  Elf64_Half type = ET_DYN;
};

// The note of a plugin with this id and version.
[[nodiscard]] belay_note_t note_of(const std::string& id, const std::string& version);

[[nodiscard]] std::vector<std::byte> build_elf(const ElfSpec& spec);

}  // namespace belay::registry::test
