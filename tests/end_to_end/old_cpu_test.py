"""Old CPUs, emulated: the whole of `belay run`, child processes included, chooses what the CPU can do."""
import shutil
import unittest

from program import MODEL, ProgramTest

# CPU model of qemu -> the plugin that it gets, and a feature whose lack a refusal must name
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
                refused = [entry for entry in plugins if entry["verdict"] == "refused"]
                self.assertTrue(refused)
                self.assertEqual({entry["reason"] for entry in refused}, {"CPU_FEATURE"})
                self.assertTrue(any(missing in entry["detail"] for entry in refused), refused)

    def test_masked_features_count_as_missing(self):
        answer = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--max-tokens", "2", "--cpu-features", "-avx2", "--json").json()
        self.assertNotIn("cpu_avx2", answer["ops"])


if __name__ == "__main__":
    unittest.main()
