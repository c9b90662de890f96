#!/usr/bin/env python3
"""tools/check_plugin.py finds each broken rule: on the faulty plugins of the build, and on libraries compiled here."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from check_plugin import check, encoding_of  # noqa: E402

OPTIONS = None
SOUND = 'extern "C" int belay_plugin_entry_v1() { return 0; }\n'


class Plugin(unittest.TestCase):
    def faulty(self, name):
        folder = pathlib.Path(OPTIONS.faulty) / name
        return check(str(folder / f"libbelay_test.{name}.so"), folder / f"test.{name}.toml")

    def compiled(self, source, *flags):
        """Findings on a library made from `source`; it never has a note."""
        with tempfile.TemporaryDirectory() as folder:
            base = pathlib.Path(folder)
            (base / "p.cpp").write_text(source)
            (base / "p.toml").write_text("[plugin]\n")
            subprocess.run([OPTIONS.compiler, "-shared", "-fPIC", "-O1", str(base / "p.cpp"), "-o", str(base / "p.so"), *flags], check=True)
            return check(str(base / "p.so"), base / "p.toml")

    def assert_only(self, findings, text):
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(text, findings[0])

    def assert_has(self, findings, text):
        self.assertTrue(any(text in finding for finding in findings), findings)

    def assert_has_not(self, findings, text):
        self.assertFalse(any(text in finding for finding in findings), findings)

    def test_a_sound_plugin_passes(self):
        self.assertEqual(self.faulty("bad_known_answer"), [])

    def test_faulty_plugins(self):
        self.assert_only(self.faulty("crash_in_static_init"), "static initialisers")
        self.assert_only(self.faulty("executable_stack"), "executable stack")
        self.assert_only(self.faulty("runpath"), "RUNPATH /tmp")
        self.assert_only(self.faulty("no_entry_symbol"), "exports: nothing")
        self.assert_only(self.faulty("exits_in_probe"), "forbidden import: _Exit")
        self.assert_only(self.faulty("wrong_note"), "note: id is 'test.somebody_else'")
        self.assert_only(self.faulty("truncated"), "cut short")

    def test_instructions_above_the_manifest(self):
        folder = pathlib.Path(OPTIONS.plugins)
        findings = check(str(folder / "libbelay_cpu_avx2.so"), folder / "cpu_sse.toml")
        self.assert_has(findings, "VEX instructions")
        self.assert_has_not(check(str(folder / "libbelay_cpu_avx2.so"), folder / "cpu_avx2.toml"), "VEX")
        evex = self.compiled(SOUND + 'void f() { asm volatile("vpxord %zmm0, %zmm0, %zmm0"); }')
        self.assert_has(evex, "EVEX instructions")

    def test_vex_is_read_from_the_bytes(self):
        self.assertEqual(encoding_of(["c5", "fc", "77"]), "VEX")
        self.assertEqual(encoding_of(["64", "c4", "e2"]), "VEX")
        self.assertEqual(encoding_of(["62", "f1"]), "EVEX")
        self.assertIsNone(encoding_of(["66", "0f", "ef", "c5"]))
        self.assertIsNone(encoding_of(["f3", "0f", "c5"]))

    def test_exports_and_unique_symbols(self):
        self.assert_has(self.compiled(SOUND + "int another() { return 1; }"), "exports: ")
        unique = self.compiled(SOUND + "template <class T> struct S { static int x; };\ntemplate <class T> int S<T>::x = 1;\n"
                               "int* f() { return &S<int>::x; }", "-fgnu-unique")
        self.assert_has(unique, "unique symbol")

    def test_linking(self):
        self.assert_has(self.compiled(SOUND, "-Wl,-z,lazy"), "lazy binding")
        self.assert_has_not(self.compiled(SOUND, "-Wl,-z,now"), "lazy binding")
        self.assert_has(self.compiled(SOUND, "-Wl,--no-as-needed", "-lrt", "-lresolv"), "needs libresolv.so.2")
        self.assert_has(self.compiled(SOUND, "-Wl,--disable-new-dtags", "-Wl,-rpath,/opt"), "RPATH /opt")
        self.assert_has(self.compiled(SOUND + "int x; asm(\".text\\n.quad x\");", "-Wl,-z,notext"), "text relocations")
        self.assert_has(self.compiled(SOUND + "thread_local int t; int f() { return t; }", "-ftls-model=initial-exec"), "static TLS")

    def test_a_missing_note_and_a_file_that_is_no_library(self):
        self.assert_has(self.compiled(SOUND), "note: .note.belay has 0 bytes")
        self.assert_only(check(__file__, __file__), "not a 64-bit little-endian ELF file")
        self.assert_only(check("/no/such/file", __file__), "cannot be read")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugins", required=True)
    parser.add_argument("--faulty", required=True)
    parser.add_argument("--compiler", default="c++")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest, verbosity=0)
