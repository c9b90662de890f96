#!/usr/bin/env python3
"""The tests of the kernels notice every planted bug: each of planted_bugs.py is put into a copy of the kernel's text, which
is compiled as C++ and takes the right one's place in the test program. The right text, put there the same way, must pass.

    planted_bugs_test.py --compiler CXX --root SOURCES --program NAME=PATH ... [--only TEXT]"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile

from planted_bugs import BUGS, QUICK_TESTS

KERNELS = "plugins/cuda_sm61/kernels"
EMULATOR = "tests/plugins/cuda_sm61/emulator"
BAD_REPLACEMENT = 99  # emulator/kernels.hpp
FLAGS = ["-std=c++20", "-O0", "-fPIC", "-fvisibility=hidden", "-w"]


@dataclasses.dataclass(frozen=True)
class Setting:
    compiler: str
    root: pathlib.Path
    programs: dict
    entry: pathlib.Path  # replacements.cpp, compiled


def compile_entry(setting):
    command = [setting.compiler, *FLAGS, *includes(setting), "-c", setting.root / EMULATOR / "replacements.cpp", "-o", setting.entry]
    subprocess.run(command, check=True)


def includes(setting):
    return [f"-I{setting.root}", f"-I{setting.root / EMULATOR}"]


def plant(setting, bug, folder):
    """The library with the kernels of the bug's family, made from the changed text."""
    source = f"{bug.family}.cu"
    changed = bug.file or source
    text = (setting.root / KERNELS / changed).read_text()
    if bug.old:
        if text.count(bug.old) != 1:
            raise ValueError(f"{bug.name}: the text occurs {text.count(bug.old)} times in {changed}")
        text = text.replace(bug.old, bug.new)
    copy = folder / KERNELS / changed
    copy.parent.mkdir(parents=True)
    copy.write_text(text)
    kernels = copy if changed == source else setting.root / KERNELS / source
    library = folder / "kernels.so"
    command = [setting.compiler, *FLAGS, "-shared", f"-I{folder}", *includes(setting), setting.entry, "-x", "c++", kernels, "-o", library]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ValueError(f"{bug.name}: does not compile:\n{result.stderr}")
    return library


def run(setting, bug):
    """How the tests end with the bug in place."""
    with tempfile.TemporaryDirectory() as folder:
        library = plant(setting, bug, pathlib.Path(folder))
        command = [setting.programs[bug.program], f"--test-case={bug.tests}", "--abort-after=1"]
        environment = dict(os.environ, BELAY_EMULATOR_KERNELS=str(library))
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode == BAD_REPLACEMENT:
        raise ValueError(f"{bug.name}: {result.stderr}")
    if "test cases: 0" in result.stdout.replace("  ", " "):
        raise ValueError(f"{bug.name}: no test of that name")
    return result


def judge(setting, bug):
    """What is wrong, or nothing."""
    try:
        result = run(setting, bug)
    except ValueError as problem:
        return str(problem)
    if bug.old:
        return f"nobody noticed: {bug.name} ({bug.family})" if result.returncode == 0 else ""
    return "" if result.returncode == 0 else f"{bug.family} fails without a bug:\n{result.stdout}{result.stderr}"


def without_bugs(bugs):
    """For each family, its own text: that replacing works, and that it is the bug that is noticed."""
    found = {}
    for bug in bugs:
        tests = QUICK_TESTS.get(bug.family, bug.tests)
        found[bug.program, bug.family] = dataclasses.replace(bug, name=f"no bug in {bug.family}", tests=tests, old="", file="")
    return list(found.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--program", action="append", required=True)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    programs = dict(each.split("=", 1) for each in arguments.program)
    bugs = [bug for bug in BUGS if arguments.only in bug.name + bug.family and bug.program in programs]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        setting = Setting(arguments.compiler, arguments.root, programs, pathlib.Path(folder) / "replacements.o")
        compile_entry(setting)
        results = pool.map(lambda bug: judge(setting, bug), bugs + without_bugs(bugs))
        problems = [problem for problem in results if problem]
    for problem in problems:
        print(problem)
    print(f"{len(bugs)} bugs planted, {len(problems)} problems")
    return 1 if problems or not bugs else 0


if __name__ == "__main__":
    sys.exit(main())
