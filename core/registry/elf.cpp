#include "core/registry/elf.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <belay/plugin.h>

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace belay::registry {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#endif

constexpr std::size_t kMaxSegments = 128;
constexpr std::size_t kMaxDynamicEntries = 4096;
constexpr std::size_t kMaxExports = 4096;

using Bytes = std::span<const std::byte>;

Objection bad(std::string detail) { return {Stage::kTrust, std::string(reason::kBadElf), std::move(detail)}; }

// Whether [offset, offset + size) lies in `bytes`.
bool inside(Bytes bytes, CheckedU64 offset, CheckedU64 size) { return (offset + size).fits(bytes.size()); }

// A copy of the T at `offset`; the file promises no alignment.
template <class T>
std::optional<T> load(Bytes bytes, CheckedU64 offset) {
  if (!inside(bytes, offset, sizeof(T))) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data() + *offset.value(), sizeof value);
  return value;
}

// The terminated string at `offset` of a string table.
std::optional<std::string> string_at(Bytes table, std::uint64_t offset) {
  if (offset >= table.size()) return std::nullopt;
  const Bytes rest = table.subspan(offset);
  const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
  if (end == rest.end()) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(rest.data()),
                     static_cast<std::size_t>(end - rest.begin()));
}

// The tables that the dynamic section points to, as addresses.
struct Dynamic {
  std::vector<std::uint64_t> needed;  // offsets in the string table
  std::optional<std::uint64_t> rpath, runpath, strings, string_bytes, symbols, hash, gnu_hash;
};

class Reader {
 public:
  explicit Reader(Bytes file) : file_(file) {}

  Checked<Elf> read() {
    for (const auto step :
         {&Reader::read_header, &Reader::read_segments, &Reader::check_sections, &Reader::read_dynamic,
          &Reader::read_names, &Reader::read_exports, &Reader::read_notes}) {
      if (auto objection = (this->*step)()) return *std::move(objection);
    }
    return std::move(elf_);
  }

 private:
  using Step = std::optional<Objection>;

  Step read_header() {
    if (file_.empty()) return bad("the file is empty");
    const auto header = load<Elf64_Ehdr>(file_, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
      return bad("not an ELF file, or cut off");
    header_ = *header;
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB) {
      return bad("not a 64-bit little-endian file");
    }
    if (header_.e_machine != kMachine) {
      return bad(format("built for another machine (ELF machine {}, this program is {})", header_.e_machine,
                        kMachine));
    }
    if (header_.e_type != ET_DYN || header_.e_version != EV_CURRENT) return bad("not a shared object");
    return std::nullopt;
  }

  Step read_segments() {
    if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum == 0 || header_.e_phnum > kMaxSegments) {
      return bad(
          format("{} program headers of {} bytes make no sense", header_.e_phnum, header_.e_phentsize));
    }
    elf_.executable_stack = true;  // what the loader assumes when nothing is said
    for (std::size_t i = 0; i < header_.e_phnum; ++i) {
      const auto segment = load<Elf64_Phdr>(file_, CheckedU64(header_.e_phoff) + i * sizeof(Elf64_Phdr));
      if (!segment) return bad("the program headers lie outside the file: it was cut short");
      if (auto objection = take_segment(*segment)) return objection;
    }
    return std::nullopt;
  }

  Step take_segment(const Elf64_Phdr& segment) {
    if (segment.p_type == PT_GNU_STACK) elf_.executable_stack = (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_INTERP) elf_.is_program = true;
    if (!inside(file_, segment.p_offset, segment.p_filesz)) {
      return bad(format("a segment of {} bytes at {} lies outside the file of {} bytes: it was cut short",
                        segment.p_filesz, segment.p_offset, file_.size()));
    }
    if (segment.p_type == PT_LOAD &&
        (segment.p_memsz < segment.p_filesz || !(CheckedU64(segment.p_vaddr) + segment.p_memsz).valid())) {
      return bad("a segment is larger in the file than in memory");
    }
    segments_.push_back(segment);
    return std::nullopt;
  }

  // The loader does not read sections; a file that lost its end shows here.
  Step check_sections() {
    if (header_.e_shnum == 0) return std::nullopt;
    if (header_.e_shentsize != sizeof(Elf64_Shdr)) return bad("section headers of an unknown size");
    for (std::size_t i = 0; i < header_.e_shnum; ++i) {
      const auto section = load<Elf64_Shdr>(file_, CheckedU64(header_.e_shoff) + i * sizeof(Elf64_Shdr));
      if (!section) return bad("the section headers lie outside the file: it was cut short");
      if (section->sh_type != SHT_NOBITS && !inside(file_, section->sh_offset, section->sh_size)) {
        return bad(format("section {} lies outside the file: it was cut short", i));
      }
    }
    return std::nullopt;
  }

  Step read_dynamic() {
    const auto found = std::find_if(segments_.begin(), segments_.end(),
                                    [](const Elf64_Phdr& segment) { return segment.p_type == PT_DYNAMIC; });
    if (found == segments_.end()) return bad("no dynamic section: not a shared object");
    const auto table = mapped(found->p_vaddr);  // where the loader looks, whatever p_offset says
    if (!table) return bad("the dynamic section lies outside the file");
    for (std::size_t i = 0; i < kMaxDynamicEntries; ++i) {
      const auto entry = load<Elf64_Dyn>(*table, i * sizeof(Elf64_Dyn));
      if (!entry) return bad("the dynamic section has no end");
      if (entry->d_tag == DT_NULL) return std::nullopt;
      take_dynamic(*entry);
    }
    return bad("the dynamic section is longer than any linker makes it");
  }

  void take_dynamic(const Elf64_Dyn& entry) {
    const std::uint64_t value = entry.d_un.d_val;
    switch (entry.d_tag) {
      case DT_NEEDED:
        dynamic_.needed.push_back(value);
        break;
      case DT_RPATH:
        dynamic_.rpath = value;
        break;
      case DT_RUNPATH:
        dynamic_.runpath = value;
        break;
      case DT_STRTAB:
        dynamic_.strings = value;
        break;
      case DT_STRSZ:
        dynamic_.string_bytes = value;
        break;
      case DT_SYMTAB:
        dynamic_.symbols = value;
        break;
      case DT_HASH:
        dynamic_.hash = value;
        break;
      case DT_GNU_HASH:
        dynamic_.gnu_hash = value;
        break;
      case DT_TEXTREL:
        elf_.text_relocations = true;
        break;
      case DT_FLAGS:
        elf_.text_relocations = elf_.text_relocations || (value & DF_TEXTREL) != 0;
        elf_.static_tls = elf_.static_tls || (value & DF_STATIC_TLS) != 0;
        break;
      default:
        break;
    }
  }

  // The bytes of the file from a virtual address to the end of the segment that holds it.
  [[nodiscard]] std::optional<Bytes> mapped(std::uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
      const std::uint64_t skip = address - segment.p_vaddr;
      if (skip < segment.p_filesz) return file_.subspan(segment.p_offset + skip, segment.p_filesz - skip);
    }
    return std::nullopt;
  }

  Step read_names() {
    if (!dynamic_.strings || !dynamic_.string_bytes) return bad("the dynamic section names no string table");
    const auto table = mapped(*dynamic_.strings);
    if (!table || *dynamic_.string_bytes > table->size())
      return bad("the string table lies outside the file");
    strings_ = table->first(*dynamic_.string_bytes);
    for (const std::uint64_t offset : dynamic_.needed) {
      auto name = string_at(strings_, offset);
      if (!name) return bad("the name of a needed library lies outside the string table");
      elf_.needed.push_back(*std::move(name));
    }
    if (dynamic_.rpath && !(elf_.rpath = string_at(strings_, *dynamic_.rpath))) return bad("RPATH is broken");
    if (dynamic_.runpath && !(elf_.runpath = string_at(strings_, *dynamic_.runpath)))
      return bad("RUNPATH is broken");
    return std::nullopt;
  }

  // By the table in which the loader looks names up: GNU_HASH when there is one, else HASH.
  Step read_exports() {
    const auto symbols = dynamic_.symbols ? mapped(*dynamic_.symbols) : std::nullopt;
    if (!symbols) return bad("no dynamic symbols");
    symbols_ = *symbols;
    if (dynamic_.gnu_hash) return read_gnu_hash();
    if (dynamic_.hash) return read_hash();
    return bad("no table in which its symbols can be looked up");
  }

  Step read_hash() {
    const auto table = mapped(*dynamic_.hash);
    const auto count = table ? load<std::uint32_t>(*table, 4) : std::nullopt;
    if (!count) return bad("the symbol hash table lies outside the file");
    for (std::uint32_t i = 0; i < *count; ++i) {
      if (auto objection = take_symbol(i)) return objection;
    }
    return std::nullopt;
  }

  // Header of four words, a Bloom filter of 64-bit words, one chain start a bucket, then the chains; bit 0
  // ends a chain.
  Step read_gnu_hash() {
    const auto table = mapped(*dynamic_.gnu_hash);
    const auto head = table ? load<std::array<std::uint32_t, 4>>(*table, 0) : std::nullopt;
    if (!head) return bad("the symbol hash table lies outside the file");
    const auto [bucket_count, first_symbol, bloom_words, shift] = *head;
    const CheckedU64 buckets = CheckedU64(16) + CheckedU64(bloom_words) * 8;
    const CheckedU64 chains = buckets + CheckedU64(bucket_count) * 4;
    if (!chains.fits(table->size())) return bad("the symbol hash table lies outside the file");
    std::uint64_t steps =
        0;  // chains of a linker never overlap: all together they are no longer than the table
    for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) {
      const auto start = load<std::uint32_t>(*table, buckets + CheckedU64(bucket) * 4);
      if (!start || (*start != 0 && *start < first_symbol)) return bad("the symbol hash table is broken");
      for (std::uint64_t symbol = *start; symbol != 0; ++symbol) {
        const auto hash = load<std::uint32_t>(*table, chains + CheckedU64(symbol - first_symbol) * 4);
        if (!hash || ++steps > table->size() / 4) return bad("a chain of the symbol hash table has no end");
        if (auto objection = take_symbol(symbol)) return objection;
        if ((*hash & 1U) != 0) break;
      }
    }
    return std::nullopt;
  }

  Step take_symbol(std::uint64_t index) {
    const auto symbol = load<Elf64_Sym>(symbols_, CheckedU64(index) * sizeof(Elf64_Sym));
    if (!symbol) return bad("a symbol lies outside the file");
    if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol->st_info) == STB_LOCAL) return std::nullopt;
    auto name = string_at(strings_, symbol->st_name);
    if (!name) return bad("the name of a symbol lies outside the string table");
    if (elf_.exports.size() == kMaxExports) return bad("it exports more symbols than a plugin ever needs");
    elf_.exports.push_back(*std::move(name));
    return std::nullopt;
  }

  Step read_notes() {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_NOTE) continue;
      const Bytes notes = file_.subspan(segment.p_offset, segment.p_filesz);
      if (auto objection = walk_notes(notes, segment.p_align == 8 ? 8 : 4)) return objection;
    }
    return std::nullopt;
  }

  Step walk_notes(Bytes notes, std::uint64_t alignment) {
    for (CheckedU64 at = 0; inside(notes, at, sizeof(Elf64_Nhdr));) {
      const auto header = *load<Elf64_Nhdr>(notes, at);
      const CheckedU64 name = at + sizeof(Elf64_Nhdr);
      const CheckedU64 content = (name + header.n_namesz).align_up(alignment);
      if (!inside(notes, content, header.n_descsz)) return bad("a note lies outside its segment");
      const Bytes owner = notes.subspan(*name.value(), header.n_namesz);
      constexpr std::string_view kOwner(BELAY_NOTE_NAME, sizeof BELAY_NOTE_NAME);  // with its 0
      if (header.n_type == BELAY_NOTE_TYPE && owner.size() == kOwner.size() &&
          std::memcmp(owner.data(), kOwner.data(), kOwner.size()) == 0) {
        if (auto objection = take_note(notes.subspan(*content.value(), header.n_descsz))) return objection;
      }
      at = (content + header.n_descsz).align_up(alignment);
    }
    return std::nullopt;
  }

  Step take_note(Bytes content) {
    constexpr std::size_t kHead = offsetof(belay_note_t, magic);
    if (content.size() < sizeof(belay_note_t) - kHead) return bad("Belay's note is too short");
    belay_note_t note{};
    std::memcpy(&note.magic, content.data(), sizeof note - kHead);
    const auto text = [](const char* chars, std::size_t size) {
      return std::string(chars, ::strnlen(chars, size));
    };
    elf_.notes.push_back({note.magic, note.abi_major, note.min_minor, note.built_minor, note.word_bits,
                          text(note.id, sizeof note.id), text(note.version, sizeof note.version)});
    return std::nullopt;
  }

  Bytes file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  Dynamic dynamic_;
  Bytes strings_;
  Bytes symbols_;
  Elf elf_;
};

}  // namespace

Checked<Elf> read_elf(std::span<const std::byte> file) { return Reader(file).read(); }

}  // namespace belay::registry
