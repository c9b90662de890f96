#include "tests/core/registry/elf_builder.hpp"

#include <cstdint>
#include <cstring>

namespace belay::registry::test {
namespace {

class Bytes {
 public:
  template <class T>
  std::size_t add(const T& value) {
    const std::size_t at = data_.size();
    data_.resize(at + sizeof value);
    std::memcpy(data_.data() + at, &value, sizeof value);
    return at;
  }
  std::size_t add_text(const std::string& text) {
    const std::size_t at = data_.size();
    for (const char letter : text) data_.push_back(static_cast<std::byte>(letter));
    data_.push_back(std::byte{0});
    return at;
  }
  template <class T>
  void put(std::size_t at, const T& value) {
    std::memcpy(data_.data() + at, &value, sizeof value);
  }
  void align(std::size_t to) { data_.resize((data_.size() + to - 1) / to * to); }
  [[nodiscard]] std::size_t size() const { return data_.size(); }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(data_); }

 private:
  std::vector<std::byte> data_;
};

std::uint32_t gnu_hash(const std::string& name) {
  std::uint32_t hash = 5381;
  for (const char letter : name) hash = hash * 33 + static_cast<unsigned char>(letter);
  return hash;
}

struct Section {
  std::size_t offset = 0;
  std::size_t size = 0;
};

// Builds in one pass; addresses are file offsets, all in one PT_LOAD.
class Builder {
 public:
  explicit Builder(const ElfSpec& spec) : spec_(spec) {}

  std::vector<std::byte> build() {
    constexpr std::size_t kSegments = 5;
    file_.add(Elf64_Ehdr{});
    for (std::size_t i = 0; i < kSegments; ++i) file_.add(Elf64_Phdr{});
    add_notes();
    add_symbols();
    add_strings();
    add_hash();
    add_dynamic();
    put_headers();
    return file_.take();
  }

 private:
  [[nodiscard]] Section close(std::size_t start) const { return {start, file_.size() - start}; }

  Elf64_Xword text(const std::string& value) {
    strings_ += value + '\0';
    return strings_.size() - value.size() - 1;
  }

  void add_notes() {
    const std::size_t start = file_.size();
    for (const belay_note_t& note : spec_.notes) file_.add(note);
    notes_ = close(start);
  }

  void add_symbols() {
    file_.align(8);
    const std::size_t start = file_.add(Elf64_Sym{});
    for (const std::string& name : spec_.imports) {
      Elf64_Sym symbol{};
      symbol.st_name = static_cast<Elf64_Word>(text(name));
      symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
      file_.add(symbol);
    }
    for (const std::string& name : spec_.exports) {
      Elf64_Sym symbol{};
      symbol.st_name = static_cast<Elf64_Word>(text(name));
      symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
      symbol.st_shndx = 1;
      file_.add(symbol);
    }
    symbols_ = close(start);
    for (const std::string& name : spec_.needed) dynamic_.push_back({DT_NEEDED, {text(name)}});
    if (spec_.rpath) dynamic_.push_back({DT_RPATH, {text(*spec_.rpath)}});
    if (spec_.runpath) dynamic_.push_back({DT_RUNPATH, {text(*spec_.runpath)}});
  }

  void add_strings() {
    const std::size_t start = file_.size();
    strings_.pop_back();
    file_.add_text(strings_);
    string_table_ = close(start);
  }

  void add_hash() {
    file_.align(8);
    const auto first = static_cast<std::uint32_t>(1 + spec_.imports.size());
    const auto exports = static_cast<std::uint32_t>(spec_.exports.size());
    const std::size_t start = file_.size();
    if (spec_.with_gnu_hash) {
      for (const std::uint32_t word : {1U, first, 1U, 6U})
        file_.add(word);  // buckets, first symbol, Bloom words, shift
      file_.add(~std::uint64_t{0});
      file_.add(exports == 0 ? 0U : first);
      for (std::uint32_t i = 0; i < exports; ++i) {
        file_.add((gnu_hash(spec_.exports[i]) & ~1U) | (i + 1 == exports ? 1U : 0U));
      }
    } else {
      for (const std::uint32_t word : {1U, first + exports, 0U}) file_.add(word);
      for (std::uint32_t i = 0; i < first + exports; ++i) file_.add(0U);
    }
    hash_ = close(start);
  }

  void add_dynamic() {
    file_.align(8);
    dynamic_.push_back({DT_STRTAB, {string_table_.offset}});
    dynamic_.push_back({DT_STRSZ, {string_table_.size}});
    dynamic_.push_back({DT_SYMTAB, {symbols_.offset}});
    dynamic_.push_back({spec_.with_gnu_hash ? DT_GNU_HASH : DT_HASH, {hash_.offset}});
    if (spec_.text_relocations) dynamic_.push_back({DT_TEXTREL, {0}});
    if (spec_.flags != 0) dynamic_.push_back({DT_FLAGS, {spec_.flags}});
    dynamic_.push_back({DT_NULL, {0}});
    const std::size_t start = file_.size();
    for (const Elf64_Dyn& entry : dynamic_) file_.add(entry);
    dynamic_table_ = close(start);
  }

  static Elf64_Phdr segment(Elf64_Word type, Elf64_Word flags, const Section& section) {
    Elf64_Phdr header{};
    header.p_type = type;
    header.p_flags = flags;
    header.p_offset = header.p_vaddr = header.p_paddr = section.offset;
    header.p_filesz = header.p_memsz = section.size;
    header.p_align = 4;
    return header;
  }

  void put_headers() {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = spec_.type;
    header.e_machine = spec_.machine;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 5;
    file_.put(0, header);
    std::size_t at = sizeof header;
    const auto put = [&](const Elf64_Phdr& program_header) {
      file_.put(at, program_header);
      at += sizeof program_header;
    };
    put(segment(PT_LOAD, PF_R, {0, file_.size()}));
    put(segment(PT_DYNAMIC, PF_R, dynamic_table_));
    put(segment(PT_NOTE, PF_R, notes_));
    put(segment(spec_.with_stack_header ? Elf64_Word{PT_GNU_STACK} : Elf64_Word{PT_NULL}, spec_.stack_flags,
                {}));
    put(segment(spec_.with_interpreter ? Elf64_Word{PT_INTERP} : Elf64_Word{PT_NULL}, PF_R, {}));
  }

  const ElfSpec& spec_;
  Bytes file_;
  std::string strings_ = std::string(1, '\0');
  std::vector<Elf64_Dyn> dynamic_;
  Section notes_, symbols_, string_table_, hash_, dynamic_table_;
};

}  // namespace

belay_note_t note_of(const std::string& id, const std::string& version) {
  belay_note_t note{};
  note.name_size = 6;
  note.desc_size = sizeof note - offsetof(belay_note_t, magic);
  note.type = BELAY_NOTE_TYPE;
  std::memcpy(note.name, BELAY_NOTE_NAME, sizeof BELAY_NOTE_NAME);
  note.magic = BELAY_NOTE_MAGIC;
  note.abi_major = BELAY_ABI_MAJOR;
  note.built_minor = BELAY_ABI_MINOR;
  note.word_bits = 64;
  id.copy(note.id, sizeof note.id - 1);
  version.copy(note.version, sizeof note.version - 1);
  return note;
}

std::vector<std::byte> build_elf(const ElfSpec& spec) { return Builder(spec).build(); }

}  // namespace belay::registry::test
