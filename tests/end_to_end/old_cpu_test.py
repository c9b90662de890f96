"""Old CPUs, emulated: the whole of `belay run`, child processes included, chooses what the CPU can do."""
import os
import shutil
import unittest

from program import GOLDENS, MODEL, ProgramTest

# CPU model of qemu -> the plugin that it gets, and a feature whose lack a refusal must name
# (cpu_openblas asks no feature: it is tried, see below)
CPUS = {"qemu64": ("cpu_scalar", "sse4.1"), "Nehalem": ("cpu_sse", "avx2"), "Haswell": ("cpu_avx2", None)}


@unittest.skipIf(shutil.which("qemu-x86_64") is None, "qemu-user is not installed")
class OldCpus(ProgramTest):
    def test_each_cpu_gets_its_plugin(self):
        for cpu, (plugin, missing) in CPUS.items():
            with self.subTest(cpu):
                launcher = f"qemu-x86_64 -cpu {cpu}"
                answer = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--max-tokens", "3", "--json", launcher=launcher, timeout=280).json()
                self.assertEqual(list(answer["ops"]), [plugin])
                self.assertEqual(answer["fallbacks"], [])
                if missing is None:
                    continue
                plugins = self.belay("probe", "--json", launcher=launcher, timeout=280).json()["plugins"]
                refused = [entry for entry in plugins if entry["verdict"] == "refused" and entry["id"] not in ("cpu_openblas", "cuda_sm61")]
                self.assertTrue(refused)
                self.assertEqual({entry["reason"] for entry in refused}, {"CPU_FEATURE"})
                self.assertTrue(any(missing in entry["detail"] for entry in refused), refused)

    def test_openblas_runs_only_kernels_that_the_cpu_has(self):
        """It chooses by itself: for qemu64 kernels with 3DNow!, and for any CPU what OPENBLAS_CORETYPE says."""
        model, image = os.path.join(GOLDENS, "vl_b"), os.path.join(GOLDENS, "images", "tiny.png")
        haswell = {"OPENBLAS_CORETYPE": "Haswell"}
        for cpu, extra, refusal in (("qemu64", {}, "for Opteron"), ("Nehalem", {}, None), ("Nehalem", haswell, "need avx2")):
            with self.subTest(cpu, **extra):
                extra = {"launcher": f"qemu-x86_64 -cpu {cpu}", "timeout": 280, **extra}
                probed = self.belay("probe", "--json", **extra).json()["plugins"]
                openblas = next(entry for entry in probed if entry["id"] == "cpu_openblas")
                if openblas.get("reason") == "NO_DRIVER":
                    self.skipTest(openblas["detail"])
                if refusal is not None:
                    self.assertEqual(openblas["reason"], "PROBE_FAILED")
                    self.assertIn(refusal, openblas["detail"])
                answer = self.belay("run", "--model", model, "--prompt", "Hi", "--image", image, "--level", "minimal",
                                    "--plugins", "cpu_openblas,cpu_scalar", "--max-tokens", "2", "--json", **extra).json()
                self.assertEqual("cpu_openblas" in answer["ops"], refusal is None)
                self.assertEqual(answer["fallbacks"], [])

    def test_masked_features_count_as_missing(self):
        answer = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--max-tokens", "2", "--cpu-features", "-avx2", "--json").json()
        self.assertNotIn("cpu_avx2", answer["ops"])


if __name__ == "__main__":
    unittest.main()
