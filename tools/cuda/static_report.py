#!/usr/bin/env python3
"""What is known of cuda_sm61's kernels without a GPU: registers, spills, shared memory and how many blocks fit on a
multiprocessor of compute capability 6.1, from what ptxas said when the kernels were compiled. A static report: it says
nothing of speed.

    tools/cuda/static_report.py [--update] [--reports FOLDER] [--list LIST.h] [--table TABLE]

Prints the report. Status 1, with a line for each reason, when a kernel spills, when fewer than 2 of its blocks fit on a
multiprocessor, when kernel list and compiled kernels differ, or when one is worse than the committed table: more
registers, more shared memory, fewer blocks. Registers depend on the compiler, so they are compared only where
the table was made by the same NVRTC. --update writes the table instead."""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A multiprocessor of compute capability 6.1.
REGISTERS, SHARED_BYTES, WARPS, BLOCKS = 65536, 98304, 64, 32
REGISTER_UNIT, SHARED_UNIT = 256, 256  # how both are given out, registers to a warp
FEWEST_BLOCKS = 2
HEADER = "# kernel threads registers shared_bytes blocks_per_multiprocessor occupancy_percent; NVRTC "


def round_up(value, unit):
    return -(-value // unit) * unit


def blocks_that_fit(threads, registers, shared):
    """How many blocks a multiprocessor holds at once, and what keeps it from more."""
    warps = round_up(threads, 32) // 32
    limits = {
        "registers": REGISTERS // round_up(max(registers, 1) * 32, REGISTER_UNIT) // warps,
        "warps": WARPS // warps,
        "blocks": BLOCKS,
    }
    if shared:
        limits["shared"] = SHARED_BYTES // round_up(shared, SHARED_UNIT)
    fewest = min(limits.values())
    return fewest, "+".join(name for name, count in limits.items() if count == fewest)


def read_list(path):
    """name -> threads a block, from the X(name, Params, threads) lines."""
    lines = re.findall(r"^X\((\w+),\s*\w+,\s*(\d+)\)", path.read_text(), re.M)
    return {name: int(threads) for name, threads in lines}


def read_reports(folder):
    """name -> registers, shared bytes, spill bytes, local memory (stack) bytes; and which NVRTC it was."""
    kernels = {}
    version = ""
    for path in sorted(folder.glob("*.txt")):
        name = None
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("NVRTC "):
                version = line.removeprefix("NVRTC ")
            if found := re.search(r"Compiling entry function '(\w+)'", line):
                name = found.group(1)
                kernels[name] = {"registers": 0, "shared": 0, "spills": 0, "stack": 0}
            if found := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
                if name:
                    kernels[name]["stack"] = int(found.group(1))
                    kernels[name]["spills"] = int(found.group(2)) + int(found.group(3))
            if (found := re.search(r"Used (\d+) registers", line)) and name:
                kernels[name]["registers"] = int(found.group(1))
                shared = re.search(r"(\d+) bytes smem", line)
                kernels[name]["shared"] = int(shared.group(1)) if shared else 0
    return kernels, version


def measure(listed, compiled):
    rows = {}
    for name, threads in listed.items():
        if name not in compiled:
            continue
        row = dict(compiled[name], threads=threads)
        row["blocks"], row["limit"] = blocks_that_fit(threads, row["registers"], row["shared"])
        row["occupancy"] = 100 * row["blocks"] * round_up(threads, 32) // 32 // WARPS
        rows[name] = row
    return rows


def absolute_faults(listed, compiled, rows):
    for name in listed:
        if name not in compiled:
            yield f"{name} is in the list of kernels and was not compiled"
    for name in compiled:
        if name not in listed:
            yield f"{name} was compiled and is not in the list of kernels"
    for name, row in rows.items():
        if row["spills"] or row["stack"]:
            yield f"{name} spills: {row['spills']} bytes, stack {row['stack']}"
        if row["blocks"] < FEWEST_BLOCKS:
            yield f"{name}: {row['blocks']} block on a multiprocessor ({row['limit']}), {FEWEST_BLOCKS} are wanted"


def read_table(path):
    if not path.exists():
        return {}, ""
    first, *lines = path.read_text().splitlines()
    rows = {}
    for line in lines:
        name, threads, registers, shared, blocks, _ = line.split()
        rows[name] = {"threads": int(threads), "registers": int(registers), "shared": int(shared), "blocks": int(blocks)}
    return rows, first.removeprefix(HEADER)


def faults_beside(table, rows, same_compiler):
    for name, row in rows.items():
        if name not in table:
            yield f"{name} is not in the table: run with --update"
            continue
        before = table[name]
        if same_compiler and row["registers"] > before["registers"]:
            yield f"{name}: {row['registers']} registers, {before['registers']} in the table"
        if row["shared"] > before["shared"]:
            yield f"{name}: {row['shared']} bytes of shared memory, {before['shared']} in the table"
        if same_compiler and row["blocks"] < before["blocks"]:
            yield f"{name}: {row['blocks']} blocks on a multiprocessor, {before['blocks']} in the table"
    for name in table:
        if name not in rows:
            yield f"{name} is in the table and no kernel: run with --update"


def write_table(path, rows, version):
    lines = [HEADER + version]
    for name, row in rows.items():
        lines.append(f"{name} {row['threads']} {row['registers']} {row['shared']} {row['blocks']} {row['occupancy']}")
    path.write_text("\n".join(lines) + "\n")


def print_report(rows):
    print(f"{'kernel':36} threads registers shared spills blocks/SM occupancy limited by")
    for name, row in rows.items():
        print(f"{name:36} {row['threads']:7} {row['registers']:9} {row['shared']:6} {row['spills']:6} "
              f"{row['blocks']:9} {row['occupancy']:8}% {row['limit']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kernels = ROOT / "plugins/cuda_sm61/kernels"
    parser.add_argument("--reports", type=pathlib.Path, default=ROOT / "build/release/plugins/cuda_sm61/kernels")
    parser.add_argument("--list", type=pathlib.Path, default=kernels / "list.h")
    parser.add_argument("--table", type=pathlib.Path, default=kernels / "static_report.txt")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    listed = read_list(arguments.list)
    compiled, compiler = read_reports(arguments.reports)
    rows = measure(listed, compiled)
    print_report(rows)
    faults = list(absolute_faults(listed, compiled, rows))
    if arguments.update:
        write_table(arguments.table, rows, compiler)
    else:
        table, version = read_table(arguments.table)
        faults += faults_beside(table, rows, version == compiler)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
