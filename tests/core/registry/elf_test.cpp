// Reading ELF files: what is found in a sound one, and that no file, however broken, does more than be
// refused.
#include "core/registry/elf.hpp"

#include "core/registry/elf_check.hpp"
#include "tests/core/registry/elf_builder.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>

namespace belay::registry::test {
namespace {

manifest::Manifest plain_manifest() {
  manifest::Manifest manifest;
  manifest.id = "acme.plain";
  manifest.version = *manifest::parse_semver("1.2.3");
  manifest.abi_major = BELAY_ABI_MAJOR;
  manifest.abi_built_minor = BELAY_ABI_MINOR;
  return manifest;
}

ElfSpec sound() {
  ElfSpec spec;
  spec.notes = {note_of("acme.plain", "1.2.3")};
  return spec;
}

// "sound", or the code of the objection to a file and its manifest.
std::string judged(const std::vector<std::byte>& file,
                   const manifest::Manifest& manifest = plain_manifest()) {
  const auto elf = read_elf(file);
  if (!elf) return code(elf.objection());
  const auto objection = check_elf(*elf, manifest);
  return objection ? code(*objection) : "sound";
}

using Change = std::function<void(ElfSpec&)>;
std::string judged_with(const Change& change) {
  ElfSpec spec = sound();
  change(spec);
  return judged(build_elf(spec));
}

TEST_CASE("a sound library is read in full") {
  ElfSpec spec = sound();
  spec.needed = {"libc.so.6", "libm.so.6"};
  spec.runpath = "$ORIGIN";
  for (const bool gnu : {true, false}) {
    spec.with_gnu_hash = gnu;
    const auto elf = read_elf(build_elf(spec));
    REQUIRE(elf.ok());
    CHECK(elf->needed == spec.needed);
    CHECK(elf->exports == std::vector<std::string>{BELAY_ENTRY_SYMBOL});
    CHECK(elf->runpath == "$ORIGIN");
    CHECK_FALSE(elf->rpath.has_value());
    CHECK_FALSE(elf->executable_stack);
    REQUIRE(elf->notes.size() == 1);
    CHECK(elf->notes[0].id == "acme.plain");
    CHECK(elf->notes[0].version == "1.2.3");
    CHECK(judged(build_elf(spec)) == "sound");
  }
}

TEST_CASE("what the linker made is read as readelf shows it") {
  const auto file = bytes_of(library_of(built("test_good"), "test_good"));
  const auto elf = read_elf(file);
  REQUIRE(elf.ok());
  CHECK(elf->exports == std::vector<std::string>{BELAY_ENTRY_SYMBOL});
  REQUIRE(elf->notes.size() == 1);
  CHECK(elf->notes[0].id == "test_good");
  CHECK(judged(file, manifest_of("test_good")) == "sound");
}

TEST_CASE("a library that is linked in a way a plugin must not be is BAD_ELF") {
  CHECK(judged_with([](ElfSpec& spec) { spec.stack_flags |= PF_X; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.with_stack_header = false; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.text_relocations = true; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.flags = DF_TEXTREL; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.flags = DF_STATIC_TLS; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.flags = DF_BIND_NOW; }) == "sound");
  CHECK(judged_with([](ElfSpec& spec) { spec.with_interpreter = true; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.rpath = "$ORIGIN"; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.runpath = "/tmp"; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.runpath = "$ORIGIN/../lib"; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.runpath = "$ORIGIN:/tmp"; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.runpath = ""; }) == "sound");
}

TEST_CASE("exactly the entry is exported") {
  CHECK(judged_with([](ElfSpec& spec) { spec.exports = {}; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.exports = {"belay_plugin_entry_v2"}; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.exports.push_back("helper"); }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) {
          spec.exports.push_back("helper");
          spec.with_gnu_hash = false;
        }) == "trust/BAD_ELF");
}

TEST_CASE("only libraries that every plugin may load, or that the manifest names, are needed") {
  CHECK(judged_with([](ElfSpec& spec) { spec.needed.emplace_back("libstdc++.so.6"); }) == "sound");
  CHECK(judged_with([](ElfSpec& spec) { spec.needed.emplace_back("libopenblas.so.0"); }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.needed.emplace_back("/tmp/libc.so.6"); }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.needed.emplace_back(""); }) == "trust/BAD_ELF");
  ElfSpec spec = sound();
  spec.needed.emplace_back("libopenblas.so.0");
  manifest::Manifest manifest = plain_manifest();
  manifest.runtime.needs = {"libopenblas.so.0"};
  CHECK(judged(build_elf(spec), manifest) == "sound");
}

TEST_CASE("the OpenMP runtime is the declared one") {
  ElfSpec spec = sound();
  manifest::Manifest manifest = plain_manifest();
  manifest.runtime.openmp = "gomp";
  CHECK(judged(build_elf(spec), manifest) == "fit/OPENMP");
  spec.needed.emplace_back("libgomp.so.1");
  CHECK(judged(build_elf(spec), manifest) == "sound");
  CHECK(judged(build_elf(spec)) == "fit/OPENMP");
}

TEST_CASE("the note says what the manifest says") {
  const auto with_note = [](const std::function<void(belay_note_t&)>& change) {
    return judged_with([&](ElfSpec& spec) { change(spec.notes[0]); });
  };
  CHECK(judged_with([](ElfSpec& spec) { spec.notes.clear(); }) == "trust/NOTE_MISMATCH");
  CHECK(judged_with([](ElfSpec& spec) { spec.notes.push_back(spec.notes[0]); }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.id[0] = 'b'; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.version[0] = '2'; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.abi_major = 2; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.built_minor = 5; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.word_bits = 32; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.magic ^= 1U; }) == "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.type = 7; }) ==
        "trust/NOTE_MISMATCH");  // somebody else's note
  CHECK(with_note([](belay_note_t& note) { std::memset(note.id, 'x', sizeof note.id); }) ==
        "trust/NOTE_MISMATCH");
  CHECK(with_note([](belay_note_t& note) { note.desc_size = 8; }) == "trust/BAD_ELF");
  CHECK(with_note([](belay_note_t& note) { note.desc_size = ~0U; }) == "trust/BAD_ELF");
}

TEST_CASE("a file for something else is BAD_ELF") {
  CHECK(judged({}) == "trust/BAD_ELF");
  CHECK(judged(std::vector<std::byte>(4096)) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.machine = EM_AARCH64; }) == "trust/BAD_ELF");
  CHECK(judged_with([](ElfSpec& spec) { spec.type = ET_EXEC; }) == "trust/BAD_ELF");
  auto file = build_elf(sound());
  file[EI_CLASS] = std::byte{ELFCLASS32};
  CHECK(judged(file) == "trust/BAD_ELF");
  file[EI_CLASS] = std::byte{ELFCLASS64};
  file[EI_DATA] = std::byte{ELFDATA2MSB};
  CHECK(judged(file) == "trust/BAD_ELF");
}

TEST_CASE("a built library cut short anywhere is BAD_ELF") {
  const auto file = bytes_of(library_of(built("test_good"), "test_good"));
  const manifest::Manifest manifest = manifest_of("test_good");
  std::size_t cuts = 0;
  for (std::size_t size = 0; size < file.size(); size += 256, ++cuts) {
    // An allocation of exactly this size, so that a sanitizer sees a read behind it.
    const std::vector<std::byte> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_MESSAGE(judged(cut, manifest) == "trust/BAD_ELF", size);
  }
  for (std::size_t less = 1; less < 64; ++less) {
    const std::vector<std::byte> cut(file.begin(), file.end() - static_cast<std::ptrdiff_t>(less));
    CHECK_MESSAGE(judged(cut, manifest) == "trust/BAD_ELF", less);
  }
  CHECK(cuts > 40);
}

TEST_CASE("a small library cut short at every byte is never accepted") {
  const auto file = build_elf(sound());
  for (std::size_t size = 0; size < file.size(); ++size) {
    const std::vector<std::byte> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_MESSAGE(judged(cut) == "trust/BAD_ELF", size);
  }
}

// Every 4- and 8-byte field of the headers and tables, with the numbers that break arithmetic.
TEST_CASE("extreme numbers in any word are refused or harmless") {
  const auto file = build_elf(sound());
  for (std::size_t at = 0; at + 8 <= file.size(); at += 4) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x7fffffff}, std::uint64_t{0xffffffff},
          std::uint64_t{1} << 63U, ~std::uint64_t{0}, ~std::uint64_t{0} - 7, file.size() - 1}) {
      auto broken = file;
      std::memcpy(broken.data() + at, &value, sizeof value);
      const std::string verdict = judged(broken);
      CHECK_FALSE(verdict.empty());
    }
  }
}

// One second by default; BELAY_TEST_FUZZ_SECONDS asks for more. The seed is shown when something fails.
TEST_CASE("random mutations of a built library are refused or harmless") {
  const char* wanted = std::getenv("BELAY_TEST_FUZZ_SECONDS");
  const std::chrono::seconds duration(wanted != nullptr ? std::atoi(wanted) : 1);
  const auto seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  const std::vector<std::vector<std::byte>> seeds = {build_elf(sound()),
                                                     bytes_of(library_of(built("test_good"), "test_good"))};
  const auto end = std::chrono::steady_clock::now() + duration;
  std::size_t runs = 0;
  std::size_t refused = 0;
  while (std::chrono::steady_clock::now() < end) {
    auto file = seeds[random() % seeds.size()];
    for (unsigned changes = 1 + random() % 8; changes > 0; --changes) {
      // Half of the changes go to the headers, where they matter.
      const std::size_t range = random() % 2 == 0 ? file.size() : std::min<std::size_t>(file.size(), 1024);
      file[random() % range] = static_cast<std::byte>(random() % 4 == 0 ? 0xFF : random());
    }
    if (random() % 8 == 0) file.resize(random() % file.size());
    file.shrink_to_fit();
    ++runs;
    if (!read_elf(file)) ++refused;
  }
  MESSAGE(runs, " mutated files, ", refused, " refused");
  CHECK(refused > 0);
  CHECK(refused < runs);
}

}  // namespace
}  // namespace belay::registry::test
