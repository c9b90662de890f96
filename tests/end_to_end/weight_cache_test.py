"""Weights that --quantize makes and that have no place in memory: the logits are those of the run with room for all of them, whatever
happens while the file of the cache folder is made."""
import os
import random
import shutil
import subprocess
import time
import unittest

from program import BELAY, SANITIZED, ProgramTest
from random_folder import write_folder

KILLS = 50 if "BELAY_TEST_LONG" in os.environ else 4


def tier(answer, name):
    return next((tier for tier in answer["memory"]["tiers"] if tier["tier"] == name), None)


class WeightCache(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls().probe()
        cls.model = os.path.join(cls.home, "model")
        write_folder(cls.model, 10, 512, 1024)
        cls.dump = os.path.join(cls.home, "dump")
        resident = cls.run_model(cls())
        host = tier(resident, "host")
        cls.expected = cls.logits()
        # Room for half of the weights, which are there once: what is packed of the file takes the place of its pages.
        cls.limit = str(host["bytes_planned"] - host["packed_bytes"] - host["weights_bytes"] // 2)

    def setUp(self):
        shutil.rmtree(self.folder(), ignore_errors=True)

    @classmethod
    def folder(cls):
        return os.path.join(cls.home, "cache", "belay", "weights")

    @classmethod
    def logits(cls):
        with open(cls.dump, "rb") as file:
            return file.read()

    def words(self, *more):
        return ["run", "--model", self.model, "--quantize", "q4_0", "--prompt", "Once upon a time", "--context", "64", "--max-tokens", "4",
                "--ignore-eos", "--json", "--dump", self.dump, *more]

    def run_model(self, *more):
        result = self.belay(*self.words(*more))
        self.assertEqual(result.code, 0, result.err)
        return result.json()

    def start(self):
        return subprocess.Popen([BELAY, *self.words("--memory-limit", self.limit)], env=self.environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def run_streamed(self):
        answer = self.run_model("--memory-limit", self.limit)
        self.assertEqual(self.logits(), self.expected)
        if not SANITIZED:
            self.assertLessEqual(answer["peak_rss_bytes"], int(self.limit))
        return answer

    def assert_kept(self, answer):
        self.assertEqual(answer["fallbacks"], [])
        self.assertGreater(tier(answer, "disk")["bytes_read"], 0)
        self.assertEqual(tier(answer, "disk")["bytes_made"], 0)

    def test_they_are_streamed_from_the_cache_folder(self):
        self.assert_kept(self.run_streamed())
        kept = {name: os.stat(os.path.join(self.folder(), name)).st_mtime_ns for name in os.listdir(self.folder())}
        self.assertEqual(len(kept), 2)
        self.assert_kept(self.run_streamed())
        self.assertEqual(kept, {name: os.stat(os.path.join(self.folder(), name)).st_mtime_ns for name in os.listdir(self.folder())})

    def test_killed_while_it_is_made(self):
        start = time.monotonic()
        self.run_streamed()
        whole = time.monotonic() - start
        self.setUp()
        for _ in range(KILLS):
            with self.start() as process:
                time.sleep(random.random() * whole)
                process.kill()
            if random.random() < 0.5:
                self.assert_kept(self.run_streamed())
                self.setUp()
        self.assert_kept(self.run_streamed())

    def test_two_at_once(self):
        with self.start() as first, self.start() as second:
            for process in (first, second):
                said = process.communicate(timeout=120)[1]
                self.assertEqual(process.returncode, 0, said)
        self.assertEqual(self.logits(), self.expected)
        self.assert_kept(self.run_streamed())

    def test_a_folder_that_cannot_be_made(self):
        os.makedirs(os.path.dirname(self.folder()), exist_ok=True)
        with open(self.folder(), "w", encoding="utf-8"):
            pass  # a file in its place
        try:
            answer = self.run_streamed()
            self.assertEqual([(f["op"], f["from"], f["to"]) for f in answer["fallbacks"]], [("weights", "cache", "source")])
            self.assertEqual(tier(answer, "disk")["bytes_read"], 0)
            self.assertGreater(tier(answer, "disk")["bytes_made"], 0)
            self.assert_error(self.belay(*self.words("--memory-limit", self.limit, "--strict")), 5, "--strict", self.folder())
        finally:
            os.remove(self.folder())

    def test_the_plan_makes_nothing(self):
        plan = self.belay("plan", "--model", self.model, "--quantize", "q4_0", "--context", "64", "--json", "--memory-limit", self.limit).json()
        self.assertFalse(os.path.exists(self.folder()))
        streamed = self.run_streamed()
        # The program holds a MiB more or less, which may be a layer; with a sanitizer some MiB.
        self.assertAlmostEqual(tier(plan, "disk")["first_layer"], tier(streamed, "disk")["first_layer"], delta=4 if SANITIZED else 1)
        self.assertEqual(tier(plan, "host")["ring_bytes"], tier(streamed, "host")["ring_bytes"])
        self.assertIsNotNone(plan["predicted"]["decode_tok_per_s"])


if __name__ == "__main__":
    unittest.main()
