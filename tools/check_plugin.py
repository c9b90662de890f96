#!/usr/bin/env python3
"""Checks a built plugin against the linking rules of the ABI, without loading it: exactly one dynamic export, no unique
symbols, no static initialisers, no instructions above what its manifest asks of the CPU, no text relocations, executable
stack, lazy binding, RPATH or static TLS, only allowed libraries, and a note that equals the manifest. Prints every finding
and exits 1 when there is one.

    tools/check_plugin.py LIBRARY.so [--manifest FILE.toml] [--objdump PROGRAM]

Without --manifest it is the .toml beside the library, named by the library's id.
"""
import argparse
import pathlib
import re
import struct
import subprocess
import sys
import tomllib

ENTRY = "belay_plugin_entry_v1"
LIBRARIES = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}
FORBIDDEN_IMPORTS = {"abort", "exit", "_exit", "_Exit", "quick_exit", "signal", "sigaction", "setenv", "putenv", "longjmp", "fork",
                     "pthread_create", "setlocale", "chdir"}
# frame_dummy of the C runtime alone.
INIT_ARRAY_BYTES = 8
AVX = {"avx", "avx2", "fma", "f16c", "bmi", "bmi2"}

DT_NEEDED, DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 1, 15, 22, 24, 29, 30, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW, DF_STATIC_TLS, DF_1_NOW = 4, 8, 16, 1
PT_GNU_STACK, PF_X = 0x6474E551, 1
STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE, SHN_UNDEF = 1, 2, 10, 0


class Elf:
    """What is needed of a 64-bit little-endian ELF file. Raises ValueError or struct.error for anything else."""

    def __init__(self, path):
        self.bytes = pathlib.Path(path).read_bytes()
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        header = struct.unpack_from("<HHIQQQIHHHHHH", self.bytes, 16)
        program_at, section_at = header[4], header[5]
        program_size, program_count, section_size, section_count, names = header[8:13]
        if section_at + section_size * section_count > len(self.bytes):
            raise ValueError("the section table lies behind the end of the file: it is cut short")
        self.segments = [struct.unpack_from("<IIQQQQQQ", self.bytes, program_at + i * program_size) for i in range(program_count)]
        rows = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, section_at + i * section_size) for i in range(section_count)]
        table = self.bytes[rows[names][4]:rows[names][4] + rows[names][5]]
        self.sections = {self.text(table, row[0]): row for row in rows}

    @staticmethod
    def text(table, at):
        return table[at:table.index(b"\0", at)].decode()

    def section(self, name):
        row = self.sections.get(name)
        return self.bytes[row[4]:row[4] + row[5]] if row else b""

    def section_bytes(self, name):
        row = self.sections.get(name)
        return row[5] if row else 0

    def dynamic(self):
        return [pair for pair in struct.iter_unpack("<qQ", self.section(".dynamic"))]

    def symbols(self):
        """(name, binding, defined) of the dynamic symbols."""
        strings = self.section(".dynstr")
        for name, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", self.section(".dynsym")):
            yield self.text(strings, name), info >> 4, section != SHN_UNDEF


def check_symbols(elf):
    findings = []
    exports = sorted(name for name, binding, defined in elf.symbols() if defined and binding in (STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE))
    if exports != [ENTRY]:
        findings.append(f"exports: {', '.join(exports) or 'nothing'}; must be exactly {ENTRY}")
    findings += [f"unique symbol: {name}" for name, binding, _ in elf.symbols() if binding == STB_GNU_UNIQUE]
    findings += [f"forbidden import: {name}" for name, _, defined in elf.symbols() if not defined and name in FORBIDDEN_IMPORTS]
    return findings


def check_dynamic(elf, manifest):
    findings = []
    strings = elf.section(".dynstr")
    entries = elf.dynamic()
    flags = sum(value for tag, value in entries if tag == DT_FLAGS)
    flags_1 = sum(value for tag, value in entries if tag == DT_FLAGS_1)
    tags = {tag for tag, _ in entries}
    allowed = LIBRARIES | set(manifest.get("runtime", {}).get("needs", []))
    for tag, value in entries:
        if tag == DT_NEEDED and Elf.text(strings, value) not in allowed:
            findings.append(f"needs {Elf.text(strings, value)}, which is neither on the allow-list nor in runtime.needs")
        if tag in (DT_RPATH, DT_RUNPATH):
            findings.append(f"{'RPATH' if tag == DT_RPATH else 'RUNPATH'} {Elf.text(strings, value)}")
    if DT_TEXTREL in tags or flags & DF_TEXTREL:
        findings.append("text relocations")
    if not (DT_BIND_NOW in tags or flags & DF_BIND_NOW or flags_1 & DF_1_NOW):
        findings.append("lazy binding: link with -z now")
    if flags & DF_STATIC_TLS:
        findings.append("static TLS")
    return findings


def check_segments(elf):
    stacks = [segment for segment in elf.segments if segment[0] == PT_GNU_STACK]
    findings = [] if stacks and not stacks[0][1] & PF_X else ["executable stack"]
    size = elf.section_bytes(".init_array") + elf.section_bytes(".ctors") + elf.section_bytes(".preinit_array")
    if size > INIT_ARRAY_BYTES:
        findings.append(f"static initialisers: .init_array has {size} bytes, {INIT_ARRAY_BYTES} are the C runtime's own")
    return findings


def read_note(elf):
    """The fields of .note.belay as a dictionary; raises ValueError."""
    note = elf.section(".note.belay")
    if len(note) != 232:
        raise ValueError(f"note: .note.belay has {len(note)} bytes, must be 232")
    fields = struct.unpack("<III8sIIIII128s64s", note)
    if fields[3] != b"Belay\0\0\0" or fields[0] != 6 or fields[2] != 1 or fields[4] != 0x594C4542:
        raise ValueError("note: not Belay's")
    text = [field.split(b"\0", 1)[0].decode() for field in fields[9:]]
    return {"abi_major": fields[5], "min_minor": fields[6], "built_minor": fields[7], "word_bits": fields[8], "id": text[0], "version": text[1]}


def check_note(elf, manifest):
    try:
        note = read_note(elf)
    except ValueError as error:
        return [str(error)]
    plugin, abi = manifest.get("plugin", {}), manifest.get("abi", {})
    expected = {"id": plugin.get("id"), "version": plugin.get("version"), "abi_major": abi.get("major"),
                "min_minor": abi.get("min_minor"), "built_minor": abi.get("built_minor"), "word_bits": 64}
    return [f"note: {key} is {note[key]!r}, the manifest says {value!r}" for key, value in expected.items() if note[key] != value]


def encoding_of(hex_bytes):
    """VEX, EVEX or None for one instruction's bytes. In 64-bit mode C4, C5 and 62 mean nothing else."""
    prefixes = {"26", "2e", "36", "3e", "64", "65", "67"}
    opcode = next((byte for byte in hex_bytes if byte not in prefixes), "")
    return {"c4": "VEX", "c5": "VEX", "62": "EVEX"}.get(opcode)


def check_instructions(library, manifest, objdump):
    features = set(manifest.get("requires", {}).get("cpu", {}).get("features", []))
    forbidden = set() if features & AVX else {"VEX"}
    if not any(feature.startswith("avx512") for feature in features):
        forbidden.add("EVEX")
    listing = subprocess.run([objdump, "-d", "--insn-width=16", library], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in listing.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)", line)
        encoding = encoding_of(match.group(2).split()) if match else None
        if encoding in forbidden:
            found.setdefault(encoding, []).append(f"{match.group(1)}: {match.group(3).strip()}")
    return [f"{len(lines)} {encoding} instructions that the manifest's cpu features do not cover, first {lines[0]}"
            for encoding, lines in found.items()]


def check(library, manifest_path, objdump="objdump"):
    """All findings. The library is never loaded."""
    try:
        elf = Elf(library)
        manifest = tomllib.loads(pathlib.Path(manifest_path).read_text())
        findings = check_symbols(elf) + check_dynamic(elf, manifest) + check_segments(elf) + check_note(elf, manifest)
    except (OSError, ValueError, struct.error, IndexError) as error:
        return [f"cannot be read: {error}"]
    return findings + check_instructions(library, manifest, objdump)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--manifest")
    parser.add_argument("--objdump", default="objdump")
    options = parser.parse_args()
    library = pathlib.Path(options.library)
    plugin_id = library.name.removeprefix("libbelay_").removesuffix(".so")
    manifest = options.manifest or library.with_name(f"{plugin_id}.toml")
    findings = check(str(library), manifest, options.objdump)
    for finding in findings:
        print(f"{library.name}: {finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
