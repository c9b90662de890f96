#!/usr/bin/env python3
"""tools/check_layers.py finds each kind of wrong include, in a small tree made for it, and accepts the right ones."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from check_layers import check  # noqa: E402


class Layers(unittest.TestCase):
    def findings(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            for name, includes in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(f"#include {include}\n" for include in includes))
            return check(root)

    def assert_found(self, file, include, reason):
        found = self.findings({file: ["<stdint.h>", include]})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{file}:2: "), found)
        self.assertIn(reason, found[0])

    def test_right_includes_pass(self):
        self.assertEqual(self.findings({
            "core/dispatch/a.cpp": ['"core/dispatch/a.hpp"', '"core/base/status.hpp"', '"core/resolver/r.hpp"', "<belay/op.h>", "<vector>"],
            "core/base/toml.cpp": ["<toml++/toml.h>"],
            "core/threading/pool.cpp": ["<tbb/task_arena.h>", "<oneapi/tbb/info.h>"],
            "plugins/cpu_avx2/x.cpp": ['"plugins/cpu_kernels/ops/ops.hpp"', "<belay/cpp/plugin.hpp>", "<immintrin.h>"],
            "plugins/cpu_kernels/ops/ops.hpp": ["<belay/cpp/compute.hpp>"],
            "host/main.cpp": ['"core/runtime/engine.hpp"'],
            "sdk/include/belay/a.h": ["<stdint.h>", "<belay/abi.h>"],
            "sdk/cpp/include/belay/cpp/g.hpp": ["<cstdint>", "<belay/abi.h>"],
            "tests/core/threading/t_test.cpp": ["<tbb/task_arena.h>", '"core/threading/pool.hpp"'],
        }), [])

    def test_a_room_includes_only_rooms_above(self):
        self.assert_found("core/base/a.cpp", '"core/graph/g.hpp"', "not on a line above")
        self.assert_found("core/formats/a.cpp", '"core/hardware/h.hpp"', "not on a line above")
        self.assert_found("core/models/a.cpp", '"core/dispatch/d.hpp"', "not on a line above")

    def test_a_new_room_must_be_named(self):
        self.assert_found("core/attic/a.cpp", '"core/base/status.hpp"', "no room of core")

    def test_core_plugins_host_and_sdk_stay_apart(self):
        self.assert_found("core/registry/a.cpp", '"plugins/cpu_kernels/x.hpp"', "core must not include plugins")
        self.assert_found("core/registry/a.cpp", '"host/options.hpp"', "core must not include host")
        self.assert_found("core/registry/a.cpp", '"tests/support/x.hpp"', "core must not include tests")
        self.assert_found("core/registry/a.cpp", "<belay/cpp/plugin.hpp>", "C++ layer")
        self.assert_found("plugins/cpu_sse/a.cpp", '"core/base/status.hpp"', "plugin must not include core")
        self.assert_found("plugins/cpu_sse/a.cpp", '"plugins/cpu_avx2/x.hpp"', "another plugin")
        self.assert_found("host/a.cpp", '"plugins/cpu_kernels/x.hpp"', "host must not include plugins")
        self.assert_found("sdk/cpp/include/belay/cpp/a.hpp", '"core/base/status.hpp"', "SDK must not include core")

    def test_a_way_around_by_a_relative_path_is_found(self):
        found = self.findings({"core/base/a.cpp": ['"../graph/g.hpp"'], "core/graph/g.hpp": []})
        self.assertEqual(len(found), 1, found)

    def test_the_sdks_c_headers_include_only_c(self):
        self.assert_found("sdk/include/belay/a.h", "<cstdint>", "only C standard headers")
        self.assert_found("sdk/include/belay/a.h", "<sys/types.h>", "only C standard headers")
        self.assert_found("sdk/include/belay/a.h", "<belay/cpp/guard.hpp>", "only C standard headers")
        self.assert_found("sdk/cpp/include/belay/cpp/a.hpp", "<zlib.h>", "standard library")

    def test_a_package_has_one_wrapper(self):
        for include in ("<fmt/format.h>", "<nlohmann/json.hpp>", "<toml++/toml.h>", "<tbb/arena.h>", "<boost/dll.hpp>", "<nettle/sha2.h>",
                        "<boost/program_options.hpp>", "<hwloc.h>", "<pcre2.h>", "<utf8proc.h>"):
            self.assert_found("core/graph/a.cpp", include, "only by its wrapper")
        self.assert_found("tests/core/graph/a_test.cpp", "<doctest/doctest.h>", "only by its wrapper")
        found = self.findings({"core/hardware/a.cpp": ["<hwloc.h>"], "core/hardware/b.cpp": ["<hwloc.h>"]})
        self.assertEqual(len(found), 1, found)
        self.assertIn("2 wrappers", found[0])


if __name__ == "__main__":
    unittest.main(verbosity=0)
