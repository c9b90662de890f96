#!/usr/bin/env python3
"""The static report of cuda_sm61's kernels notices what it should: everything that its docstring names, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(__file__).resolve().parents[4] / "tools/cuda/static_report.py"
GOOD = {"registers": 40, "shared": 1024, "stack": 0, "spills": 0}


def ptxas(name, registers, shared, stack, spills):
    smem = f", {shared} bytes smem" if shared else ""
    return (f"ptxas info    : Compiling entry function '{name}' for 'sm_61'\n"
            f"ptxas info    : Function properties for {name}\n"
            f"ptxas         .     {stack} bytes stack frame, {spills} bytes spill stores, {spills} bytes spill loads\n"
            f"ptxas info    : Used {registers} registers{smem}, 352 bytes cmem[0]\n")


class StaticReport(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        self.list_kernels("belay_a", "belay_b")
        self.compile(belay_a=GOOD, belay_b=GOOD)
        self.assertEqual(self.report("--update"), (0, ""))

    def list_kernels(self, *names):
        lines = [f"X({name}, Params, 256)" for name in names]
        (self.root / "list.h").write_text('#include "params.h"\n' + "\n".join(lines) + "\n#undef X\n")

    def compile(self, version="12.2", **kernels):
        text = f"NVRTC {version}\nptxas info    : 304 bytes gmem\n"
        (self.root / "family.txt").write_text(text + "".join(ptxas(name, **row) for name, row in kernels.items()))

    def report(self, *options):
        command = [sys.executable, REPORT, "--reports", self.root, "--list", self.root / "list.h", "--table", self.root / "table", *options]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.returncode, result.stderr

    def expect_fault(self, words):
        status, text = self.report()
        self.assertEqual(status, 1)
        self.assertIn(words, text)

    def test_the_same_passes(self):
        self.assertEqual(self.report(), (0, ""))

    def test_better_passes(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, registers=30, shared=512))
        self.assertEqual(self.report(), (0, ""))

    def test_spills(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, spills=8))
        self.expect_fault("belay_b spills")

    def test_local_memory(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, stack=16))
        self.expect_fault("belay_b spills")

    def test_spills_are_no_update(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, spills=8))
        self.assertEqual(self.report("--update")[0], 1)

    def test_more_registers(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, registers=41))
        self.expect_fault("belay_b: 41 registers, 40 in the table")

    def test_more_registers_of_another_compiler_pass(self):
        self.compile("12.9", belay_a=GOOD, belay_b=dict(GOOD, registers=41))
        self.assertEqual(self.report(), (0, ""))

    def test_more_shared_memory(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, shared=2048))
        self.expect_fault("belay_b: 2048 bytes of shared memory")

    def test_one_block_on_a_multiprocessor_by_registers(self):
        self.compile("12.9", belay_a=GOOD, belay_b=dict(GOOD, registers=255))
        self.expect_fault("belay_b: 1 block on a multiprocessor (registers)")

    def test_one_block_on_a_multiprocessor_by_shared_memory(self):
        self.compile(belay_a=GOOD, belay_b=dict(GOOD, shared=49153))
        self.expect_fault("belay_b: 1 block on a multiprocessor (shared)")

    def test_kernels_that_are_not_compiled(self):
        self.compile(belay_a=GOOD)
        self.expect_fault("belay_b is in the list of kernels and was not compiled")

    def test_kernels_that_are_not_listed(self):
        self.list_kernels("belay_a")
        self.expect_fault("belay_b was compiled and is not in the list")

    def test_kernels_that_the_table_does_not_know(self):
        self.list_kernels("belay_a", "belay_b", "belay_c")
        self.compile(belay_a=GOOD, belay_b=GOOD, belay_c=GOOD)
        self.expect_fault("belay_c is not in the table")

    def test_kernels_that_are_gone(self):
        self.list_kernels("belay_a")
        self.compile(belay_a=GOOD)
        self.expect_fault("belay_b is in the table and no kernel")


if __name__ == "__main__":
    unittest.main()
