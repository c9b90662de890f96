"""The belay program as a user starts it: what the tests of this folder share."""
import json
import os
import re
import subprocess
import tempfile
import unittest

BELAY = os.environ["BELAY_TEST_PROGRAM"]
GOLDENS = os.environ["BELAY_TEST_GOLDENS"]
MACHINES = os.environ["BELAY_TEST_MACHINES"]
FAULTY = os.environ["BELAY_TEST_FAULTY"]
MODEL = os.path.join(GOLDENS, "llama_a", "model-mixed.gguf")
with open(BELAY, "rb") as program:
    SANITIZED = re.search(rb"__[at]san_init", program.read()) is not None  # has a shadow memory beside its own


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr.decode("utf-8", "replace")

    def json(self):
        """The one object on stdout, which is one line."""
        lines = self.out.decode("utf-8").splitlines()
        assert len(lines) == 1, f"stdout is {self.out!r}, stderr {self.err!r}"
        return json.loads(lines[0])


class ProgramTest(unittest.TestCase):
    """Each test has a home of its own, so that nothing of the user's is read or written."""

    @classmethod
    def setUpClass(cls):
        cls._home = tempfile.TemporaryDirectory()
        cls.home = cls._home.name

    @classmethod
    def tearDownClass(cls):
        cls._home.cleanup()

    def environment(self, **extra):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("BELAY_", "OPENBLAS_"))}
        env.update(HOME=self.home, XDG_CACHE_HOME=os.path.join(self.home, "cache"), XDG_CONFIG_HOME=os.path.join(self.home, "config"))
        env.update(extra)
        return env

    def belay(self, *words, timeout=120, launcher=None, **extra):
        prefix = launcher.split() if launcher else []
        if launcher:
            extra["BELAY_LAUNCHER"] = launcher
        process = subprocess.run([*prefix, BELAY, *words], env=self.environment(**extra), capture_output=True, timeout=timeout,
                                 stdin=subprocess.DEVNULL)
        return Result(process)

    def probe(self):
        """What a run that probes the plugins holds in memory for it is not in the runs behind this."""
        self.assertEqual(self.belay("probe").code, 0)

    def write(self, name, data):
        path = os.path.join(self.home, name)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def assert_error(self, result, code, *parts):
        """An error with that exit status whose message has all the parts; nobody crashed."""
        self.assertEqual(result.code, code, result.err)
        for part in parts:
            self.assertIn(part, result.err)
