#!/usr/bin/env python3
"""Who may include whom, and where a third-party package may be included. Prints every include that breaks a rule as
file:line: reason, and exits 1 when there is one.

    tools/check_layers.py [--root FOLDER]
"""
import argparse
import pathlib
import re
import sys

# Rooms of core. A room includes only rooms on lines above its own.
CORE_LEVELS = [
    ["base"],
    ["hardware", "threading", "monitoring", "formats"],
    ["manifest", "memory", "tokenizer", "graph", "images"],
    ["registry", "models"],
    ["resolver"],
    ["dispatch"],
    ["runtime"],
]
LEVEL_OF = {room: level for level, rooms in enumerate(CORE_LEVELS) for room in rooms}

# A package, how its includes begin, and the files (regular expression) of which one may include it.
PACKAGES = [
    ("Boost.DLL", r"boost/dll", r"core/registry/\w+\.(hpp|cpp)"),
    ("Boost.Program_options", r"boost/program_options", r"host/options\.(hpp|cpp)"),
    ("toml++", r"toml\+\+|toml\.hpp", r"core/base/toml\.cpp"),
    ("TBB", r"tbb/|oneapi/tbb", r"core/threading/\w+\.(hpp|cpp)"),
    ("hwloc", r"hwloc", r"core/hardware/\w+\.(hpp|cpp)"),
    ("PCRE2", r"pcre2", r"core/tokenizer/\w+\.(hpp|cpp)"),
    ("utf8proc", r"utf8proc", r"core/tokenizer/\w+\.(hpp|cpp)"),
    ("libjpeg-turbo", r"jpeglib\.h|jerror\.h", r"core/images/jpeg\.cpp"),
    ("libspng", r"spng\.h", r"core/images/png\.cpp"),
    ("xxHash", r"xxhash\.h", r"core/base/xxh3\.cpp"),
    ("zstd", r"zstd\.h", r"core/base/zstd\.cpp"),
    ("nettle", r"nettle/", r"core/base/sha256\.cpp"),
    ("fmt", r"fmt/", r"core/base/format\.hpp"),
    ("nlohmann-json", r"nlohmann/", r"core/base/json\.hpp"),
    ("doctest", r"doctest/|doctest\.h", r"tests/support/doctest\.hpp"),
    ("rapidcheck", r"rapidcheck", r"tests/support/\w+\.hpp"),
    ("OpenBLAS", r"cblas|openblas", r"plugins/cpu_openblas/\w+\.cpp"),
    ("liburing", r"liburing", r"plugins/nvme_offload/ring_uring\.cpp"),
]
C_HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "stdalign.h", "limits.h", "string.h", "float.h", "assert.h"}
ROOTS = ("core", "sdk", "plugins", "host", "tests", "tools")
SOURCES = {".h", ".hpp", ".c", ".cpp", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def top(path):
    return path.split("/", 1)[0]


def room(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def check_core(file, target):
    if top(target) in ("plugins", "host", "tests", "tools"):
        return f"core must not include {top(target)}"
    if target.startswith("belay/cpp/"):
        return "core uses the C headers of the SDK, not its C++ layer for plugins"
    if top(target) != "core" or room(target) == room(file):
        return None
    for name in (room(file), room(target)):
        if name not in LEVEL_OF:
            return f'"{name}" is no room of core: add it to CORE_LEVELS in tools/check_layers.py'
    if LEVEL_OF[room(target)] >= LEVEL_OF[room(file)]:
        return f"room {room(file)} must not include room {room(target)}, which is not on a line above it"
    return None


def check_plugin(file, target):
    if top(target) in ("core", "host", "tests", "tools"):
        return f"a plugin must not include {top(target)}"
    if top(target) == "plugins" and room(target) not in (room(file), "cpu_kernels"):
        return f"a plugin must not include another plugin ({room(target)})"
    return None


def check_sdk(file, target, angled):
    if top(target) in ("core", "host", "plugins", "tests", "tools"):
        return f"the SDK must not include {top(target)}"
    if file.startswith("sdk/include/"):
        own = target.startswith("belay/") and not target.startswith("belay/cpp/")
        if not own and not (angled and target in C_HEADERS):
            return "the C headers of the SDK include only C standard headers and each other"
    elif not target.startswith("belay/") and ("/" in target or "." in target) and target not in C_HEADERS:
        return "the C++ layer of the SDK includes only the standard library and belay headers"
    return None


def check_host(file, target):
    return f"host must not include {top(target)}" if top(target) in ("plugins", "tests", "tools") else None


def check_arrow(file, target, angled):
    if top(file) == "core":
        return check_core(file, target)
    if top(file) == "plugins":
        return check_plugin(file, target)
    if top(file) == "sdk":
        return check_sdk(file, target, angled)
    if top(file) == "host":
        return check_host(file, target)
    return None


def resolve(root, file, target, angled):
    """A quoted include that is relative to its file, as a path from the root."""
    if angled or top(target) in ROOTS or target.startswith("belay/"):
        return target
    path = (root / file).parent.joinpath(target).resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) and path.exists() else target


def includes_of(root, file):
    text = (root / file).read_text(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            angled = match.group(1) == "<"
            yield number, resolve(root, file, match.group(2), angled), angled


def check_packages(used):
    """used: {package: {file: line}}. Each package in one file of its place; a .hpp and its .cpp count as one. Tests may look
    behind a wrapper, but their own packages have wrappers too."""
    findings = []
    for name, _, place in PACKAGES:
        files = used.get(name, {})
        if not place.startswith("tests/"):
            files = {file: line for file, line in files.items() if top(file) != "tests"}
        for file, line in sorted(files.items()):
            if not re.fullmatch(place, file):
                findings.append(f"{file}:{line}: {name} is included only by its wrapper ({place})")
        wrappers = {re.sub(r"\.\w+$", "", file) for file in files if re.fullmatch(place, file)}
        if len(wrappers) > 1:
            findings.append(f"{sorted(files)[0]}:1: {name} has {len(wrappers)} wrappers: {', '.join(sorted(wrappers))}")
    return findings


def check(root):
    findings = []
    used = {}
    for folder in ROOTS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or not path.is_file():
                continue
            file = str(path.relative_to(root))
            for line, target, angled in includes_of(root, file):
                reason = check_arrow(file, target, angled)
                if reason:
                    findings.append(f"{file}:{line}: {reason} ({target})")
                for name, pattern, _ in PACKAGES:
                    if re.match(pattern, target):
                        used.setdefault(name, {}).setdefault(file, line)
    return findings + check_packages(used)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    findings = check(parser.parse_args().root.resolve())
    for finding in findings:
        print(finding)
    if findings:
        print(f"{len(findings)} includes break a rule (tools/check_layers.py says which arrows there are)")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
