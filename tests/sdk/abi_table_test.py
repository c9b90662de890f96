#!/usr/bin/env python3
"""The check of the ABI table finds what it must find, and allows what it must allow."""
import sys
import unittest

from abi_table import constants_of, findings_of, structs_of

OLD = ["struct belay_open_t size 16", "field belay_open_t.struct_size offset 0 size 4", "field belay_open_t.b offset 8 size 8",
       "constant BELAY_OK 0", "struct belay_str_t size 16"]


class AbiTable(unittest.TestCase):
    def findings(self, *changes):
        lines = list(OLD)
        for before, after in changes:
            lines = [line.replace(before, after) for line in lines] if before else lines + [after]
        return findings_of(OLD, [line for line in lines if line])

    def test_the_same_is_fine(self):
        self.assertEqual(self.findings(), [])

    def test_a_changed_constant_is_found(self):
        self.assertEqual(len(self.findings(("BELAY_OK 0", "BELAY_OK 1"))), 1)

    def test_a_moved_field_is_found(self):
        self.assertEqual(len(self.findings(("offset 8", "offset 12"))), 1)

    def test_a_removed_field_is_found(self):
        self.assertEqual(len(self.findings(("field belay_open_t.b offset 8 size 8", ""))), 1)

    def test_appending_is_allowed(self):
        grown = ("belay_open_t size 16", "belay_open_t size 24")
        self.assertEqual(self.findings(grown, (None, "field belay_open_t.c offset 16 size 8")), [])
        self.assertEqual(self.findings((None, "constant BELAY_NEW 7")), [])

    def test_a_reserved_field_may_get_a_name(self):
        old = OLD + ["struct belay_x_t size 8", "field belay_x_t.reserved offset 4 size 4"]
        named = [line.replace(".reserved", ".used") for line in old]
        moved = [line.replace("offset 4", "offset 6") for line in named]
        self.assertEqual(findings_of(old, named), [])
        self.assertEqual(len(findings_of(old, moved)), 2)
        self.assertEqual(len(findings_of(OLD, [line.replace("_t.b ", "_t.d ") for line in OLD])), 2)

    def test_a_field_in_old_padding_is_found(self):
        self.assertEqual(len(self.findings((None, "field belay_open_t.c offset 4 size 4"))), 1)

    def test_a_frozen_struct_must_not_grow(self):
        self.assertEqual(len(self.findings(("belay_str_t size 16", "belay_str_t size 24"))), 1)

    def test_headers_are_understood(self):
        text = """typedef struct a_t {\n  uint32_t x;\n  int64_t shape[BELAY_N];\n  void* (*f)(void* c, int d);\n} a_t;
struct b_t {\n  int y;\n};\nenum { BELAY_A = 1, BELAY_B = -1 };\n#define BELAY_S "s"\n#define BELAY_U 1u\n"""
        self.assertEqual(structs_of(text), [("a_t", ["x", "shape", "f"]), ("struct b_t", ["y"])])
        self.assertEqual(constants_of(text), (["BELAY_A", "BELAY_B", "BELAY_U"], ["BELAY_S"]))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=0))
