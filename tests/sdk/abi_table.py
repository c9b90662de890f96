#!/usr/bin/env python3
"""Compares the layout of the SDK's headers with a golden table: every struct's size, every field's offset and size, every
constant. What the table holds must not change; a field may be appended to a struct that begins with struct_size, a reserved
one may be given a name, and constants may be added. --update writes the new lines into the table, and refuses when an old one changed."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def read_headers(include):
    text = "\n".join(path.read_text() for path in sorted(pathlib.Path(include).rglob("*.h")))
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def structs_of(text):
    """[(C type, [field])] in the order of the headers."""
    found = []
    for typedef, tag, body, name in re.findall(r"(typedef )?struct (\w+) \{(.*?)\n\}\s*(\w*);", text, flags=re.S):
        fields = []
        for declaration in body.split(";"):
            pointer = re.search(r"\(\*(\w+)\)\s*\(", declaration)
            plain = re.search(r"(\w+)(?:\[\w+\])*\s*$", declaration.strip())
            if pointer:
                fields.append(pointer.group(1))
            elif plain:
                fields.append(plain.group(1))
        found.append((name if typedef else f"struct {tag}", fields))
    return found


def constants_of(text):
    enums = re.findall(r"enum (?:\w+ )?\{(.*?)\}", text, flags=re.S)
    numbers = [name for body in enums for name in re.findall(r"\b(BELAY_\w+)\s*=", body)]
    defines = re.findall(r"^#define (BELAY_\w+)[ \t]+(\S.*)$", text, flags=re.M)
    strings = [name for name, value in defines if value.startswith('"')]
    numbers += [name for name, value in defines if re.match(r"[0-9]", value)]
    return numbers, strings


def program_of(text):
    lines = ["#include <belay/belay.h>", "#include <stdio.h>", "int main(void) {"]
    for struct, fields in structs_of(text):
        name = struct.replace("struct ", "")
        lines.append(f'printf("struct {name} size %zu\\n", sizeof({struct}));')
        for field in fields:
            lines.append(f'printf("field {name}.{field} offset %zu size %zu\\n", offsetof({struct}, {field}), '
                         f"sizeof((({struct}*)0)->{field}));")
    numbers, strings = constants_of(text)
    lines += [f'printf("constant {name} %lld\\n", (long long){name});' for name in numbers]
    lines += [f'printf("constant {name} \\"%s\\"\\n", {name});' for name in strings]
    return "\n".join(lines + ["return 0;", "}", ""])


def table_of(include, compiler):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "table.c"
        source.write_text(program_of(read_headers(include)))
        binary = source.with_suffix("")
        subprocess.run([compiler, "-std=c11", f"-I{include}", str(source), "-o", str(binary)], check=True)
        return subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout.splitlines()


def parse(lines):
    """{key: value}; the key is all but what may be compared."""
    table = {}
    for line in lines:
        kind, name, value = line.split(" ", 2)
        table[(kind, name)] = value
    return table


# Structs which lie in arrays or files, or have no struct_size: they never grow.
FROZEN = {"belay_str_t", "belay_tensor_t", "belay_note_t", "belay_extent_t"}


def names_of_reserved(old, new):
    """{a reserved field that is gone: the new one that lies in its place}"""
    added = {(name.split(".")[0], value): (kind, name) for (kind, name), value in new.items() if (kind, name) not in old}
    places = {key: (key[1].split(".")[0], value) for key, value in old.items()
              if key not in new and key[1].split(".")[-1].startswith("reserved")}
    return {key: added[place] for key, place in places.items() if place in added}


def findings_of(old_lines, new_lines):
    old, new = parse(old_lines), parse(new_lines)
    findings = []
    grown = set()
    named = names_of_reserved(old, new)
    for key, value in old.items():
        kind, name = key
        if key in named:
            continue
        if key not in new:
            findings.append(f"{kind} {name}: gone (was {value})")
        elif new[key] != value:
            grows = kind == "struct" and int(new[key].split()[1]) > int(value.split()[1]) and name not in FROZEN
            grown.add(name) if grows else findings.append(f"{kind} {name}: was {value}, is {new[key]}")
    for (kind, name), value in new.items():
        struct = name.split(".")[0]
        if kind != "field" or (kind, name) in old or ("struct", struct) not in old or (kind, name) in named.values():
            continue
        if struct not in grown or int(value.split()[1]) < int(old[("struct", struct)].split()[1]):
            findings.append(f"field {name}: new, but not behind the struct's old end")
    return findings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    golden = pathlib.Path(options.golden)
    old = golden.read_text().splitlines() if golden.exists() else []
    new = table_of(options.include, options.compiler)
    findings = findings_of(old, new)
    if findings:
        print("The ABI changed, which breaks plugins that are already built:", *findings, sep="\n  ")
        return 1
    if options.update:
        golden.write_text("\n".join(new) + "\n")
    elif old != new:
        print("The ABI grew; record it: tests/sdk/abi_table.py --update. New lines:",
              *[line for line in new if line not in old], sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
