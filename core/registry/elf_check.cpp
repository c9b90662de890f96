#include "core/registry/elf_check.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <belay/plugin.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace belay::registry {
namespace {

using Step = std::optional<Objection>;

Objection trust(std::string_view reason, std::string detail) {
  return {Stage::kTrust, std::string(reason), std::move(detail)};
}

// What every plugin may link; all of it is in the process already.
constexpr std::array<std::string_view, 9> kAllowed = {
    "libc.so.6",  "libm.so.6",    "libstdc++.so.6",       "libgcc_s.so.1",        "libpthread.so.0",
    "libdl.so.2", "libmvec.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

// A program built with a sanitizer takes plugins built with it.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::array<std::string_view, 2> kSanitizers = {"libasan.so.8", "libubsan.so.1"};
#elif defined(__SANITIZE_THREAD__)
constexpr std::array<std::string_view, 2> kSanitizers = {"libtsan.so.2", "libubsan.so.1"};
#else
constexpr std::array<std::string_view, 0> kSanitizers = {};
#endif

struct OpenMp {
  std::string_view library;
  std::string_view name;  // as the manifest calls it
};
constexpr std::array<OpenMp, 4> kOpenMp = {
    {{"libgomp.so.1", "gomp"}, {"libiomp5.so", "iomp5"}, {"libomp.so.5", "libomp"}, {"libomp.so", "libomp"}}};

template <class Range>
bool contains(const Range& range, std::string_view value) {
  return std::find(range.begin(), range.end(), value) != range.end();
}

std::string shown(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return printable(text, 300);
}

Step check_linking(const Elf& elf) {
  if (elf.is_program) return trust(reason::kBadElf, "it is a program, not a plugin");
  if (elf.executable_stack)
    return trust(reason::kBadElf, "it asks for an executable stack; link with -z noexecstack");
  if (elf.text_relocations) return trust(reason::kBadElf, "it has text relocations; compile with -fPIC");
  if (elf.static_tls)
    return trust(reason::kBadElf, "it needs static TLS; compile with -ftls-model=global-dynamic");
  return std::nullopt;
}

Step check_exports(const Elf& elf) {
  if (elf.exports.size() == 1 && elf.exports.front() == BELAY_ENTRY_SYMBOL) return std::nullopt;
  if (!contains(elf.exports, BELAY_ENTRY_SYMBOL)) {
    return trust(reason::kBadElf,
                 "it does not export " BELAY_ENTRY_SYMBOL ": it is not a plugin for this ABI");
  }
  return trust(reason::kBadElf, format("it exports {} symbols ({}), only " BELAY_ENTRY_SYMBOL
                                       " is allowed; build it with belay_add_plugin",
                                       elf.exports.size(), shown(elf.exports)));
}

Step mismatch(std::string_view what, std::string_view note, std::string_view manifest) {
  return trust(reason::kNoteMismatch, format("the library's note says {} {}, the manifest says {}", what,
                                             printable(note), printable(manifest)));
}

Step check_note(const Elf& elf, const manifest::Manifest& manifest) {
  if (elf.notes.size() != 1) {
    return trust(reason::kNoteMismatch,
                 format("it has {} Belay notes instead of one (BELAY_PLUGIN_NOTE)", elf.notes.size()));
  }
  const ElfNote& note = elf.notes.front();
  if (note.magic != BELAY_NOTE_MAGIC || note.word_bits != 64) {
    return trust(reason::kNoteMismatch, "its Belay note has a wrong magic number or word size");
  }
  if (note.id != manifest.id) return mismatch("id", note.id, manifest.id);
  const auto version = manifest::parse_semver(note.version);
  if (!version || !(*version == manifest.version))
    return mismatch("version", note.version, manifest.version.text());
  const auto abi = [](std::uint32_t major, std::uint32_t min, std::uint32_t built) {
    return format("{}.{} to {}.{}", major, min, major, built);
  };
  const std::string in_note = abi(note.abi_major, note.min_minor, note.built_minor);
  const std::string in_manifest = abi(manifest.abi_major, manifest.abi_min_minor, manifest.abi_built_minor);
  if (in_note != in_manifest) return mismatch("ABI", in_note, in_manifest);
  return std::nullopt;
}

const OpenMp* openmp_of(std::string_view library) {
  const auto found =
      std::find_if(kOpenMp.begin(), kOpenMp.end(), [&](const OpenMp& row) { return row.library == library; });
  return found == kOpenMp.end() ? nullptr : &*found;
}

Step check_openmp(const Elf& elf, const manifest::Manifest& manifest) {
  std::string_view linked = "none";
  for (const std::string& library : elf.needed) {
    if (const OpenMp* row = openmp_of(library)) linked = row->name;
  }
  if (linked == manifest.runtime.openmp) return std::nullopt;
  return Objection{Stage::kFit, std::string(reason::kOpenmp),
                   format("the manifest says runtime.openmp = \"{}\", the library links \"{}\"",
                          manifest.runtime.openmp, linked)};
}

Step check_needed(const Elf& elf, const manifest::Manifest& manifest) {
  for (const std::string& library : elf.needed) {
    const bool plain = !library.empty() && library.find('/') == std::string::npos;
    if (plain && (contains(kAllowed, library) || contains(kSanitizers, library) ||
                  openmp_of(library) != nullptr || contains(manifest.runtime.needs, library))) {
      continue;
    }
    return trust(reason::kBadElf, format("it loads {}, which runtime.needs of the manifest does not name",
                                         printable(library)));
  }
  return std::nullopt;
}

Step check_paths(const Elf& elf) {
  if (elf.rpath)
    return trust(reason::kBadElf, format("it has an RPATH ({}); link with no RPATH", printable(*elf.rpath)));
  if (elf.runpath && !elf.runpath->empty() && *elf.runpath != "$ORIGIN") {
    return trust(reason::kBadElf,
                 format("its RUNPATH is {}; only $ORIGIN is allowed", printable(*elf.runpath)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Objection> check_elf(const Elf& elf, const manifest::Manifest& manifest) {
  if (auto objection = check_linking(elf)) return objection;
  if (auto objection = check_exports(elf)) return objection;
  if (auto objection = check_note(elf, manifest)) return objection;
  if (auto objection = check_paths(elf)) return objection;
  if (auto objection = check_openmp(elf, manifest)) return objection;
  return check_needed(elf, manifest);
}

}  // namespace belay::registry
