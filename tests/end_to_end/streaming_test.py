"""Models that are larger than the memory that they may take: the same tokens, whatever is streamed and whoever reads it."""
import json
import os
import pty
import re
import shutil
import subprocess
import unittest

from program import BELAY, ProgramTest

MAKE_MODEL = os.environ["BELAY_TEST_MAKE_MODEL"]
# Parts of the weights that have no room. Of the four layers one or none stays beside a ring of two others; then the ring is of two matrices.
# Each lies as far as can be from where the plan changes: what the program itself holds varies by a MiB.
SHORTAGES = (0.17, 0.37, 0.7)
ALL_STREAMED = SHORTAGES[-1]


def tier(answer, name):
    return next((tier for tier in answer["memory"]["tiers"] if tier["tier"] == name), None)


class Streaming(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls().probe()
        cls.residents = {}
        cls.model = os.path.join(cls.home, "model.gguf")
        subprocess.run([MAKE_MODEL, "--shape", "small", "--type", "f16", "--out", cls.model], check=True, capture_output=True)
        with open(cls.model, "ab") as file:
            file.write(bytes(4096))  # so that no weight lies in the last block

    def words(self, *more, model=None, prompt=("--prompt", "Once upon a time")):
        return ["run", "--model", model or self.model, *prompt, "--context", "96", "--max-tokens", "5", "--ignore-eos", "--json", *more]

    def run_model(self, *more, **which):
        result = self.belay(*self.words(*more, **which))
        self.assertEqual(result.code, 0, result.err)
        return result.json()

    def resident(self, *more):
        """The run that has room for everything, once for all tests."""
        if more not in self.residents:
            self.residents[more] = self.run_model(*more)
        return self.residents[more]

    def limit(self, resident, shortage):
        """What leaves no room for a part of the weights of a run that had room for all of them."""
        host = tier(resident, "host")
        return ["--memory-limit", str(int(host["bytes_planned"] - shortage * host["weights_bytes"]))]

    def assert_streamed(self, answer, resident):
        self.assertEqual(answer["tokens"], resident["tokens"])
        self.assertEqual(answer["fallbacks"], [])
        self.assertIsNone(tier(resident, "disk"))
        self.assertGreater(tier(answer, "disk")["bytes_read"], 0)

    def copy(self, name):
        path = os.path.join(self.home, name)
        shutil.copyfile(self.model, path)
        return path

    def test_the_tokens_are_those_of_the_resident_run(self):
        for level in ("minimal", "moderate"):
            resident = self.resident("--level", level)
            streamed = []
            for shortage in SHORTAGES:
                with self.subTest(level, shortage=shortage):
                    answer = self.run_model("--level", level, *self.limit(resident, shortage))
                    self.assert_streamed(answer, resident)
                    streamed.append(tier(answer, "disk")["bytes_planned"])
            self.assertEqual(streamed, sorted(streamed))
            self.assertGreater(streamed[-1], streamed[0])

    def test_a_cache_of_8_bits(self):
        """Of 34 bytes for each 32 elements instead of 64, where memory is to be saved."""
        usual = self.resident()
        resident = self.resident("--balance", "memory")
        self.assertEqual(tier(resident, "host")["kv_bytes"], tier(usual, "host")["kv_bytes"] * 34 // 64)
        self.assert_streamed(self.run_model("--balance", "memory", *self.limit(resident, ALL_STREAMED)), resident)
        answer = self.belay("plan", "--model", self.model, "--balance", "memory", "--json").json()
        self.assertIn("core/kv_q8", answer["optimizations"])
        self.assertIn({"id": "core/kv_f16", "stage": "resolve", "reason": "CONFLICT"},
                      [{name: entry[name] for name in ("id", "stage", "reason")} for entry in answer["refused"]])

    def test_whoever_reads(self):
        for words, method in ((["--plugins", "cpu_scalar"], None),
                              (["--plugin-option", "nvme_offload.method=pread"], "pread on 8 threads"),
                              (["--plugin-option", "nvme_offload.method=buffered"], "page cache dropped behind")):
            with self.subTest(words):
                resident = self.run_model(*words)
                answer = self.run_model(*words, *self.limit(resident, ALL_STREAMED))
                self.assert_streamed(answer, resident)
                used = tier(answer, "disk")["method"]
                self.assertIn(method, used) if method else self.assertIsNone(used)

    def test_a_conversation(self):
        messages = self.write("messages.json", json.dumps([{"role": "user", "content": "Who are you?"},
                                                           {"role": "assistant", "content": "A climber."},
                                                           {"role": "user", "content": "What do you climb?"}]))
        prompt = {"prompt": ("--messages", messages)}
        resident = self.run_model(**prompt)
        self.assert_streamed(self.run_model(*self.limit(resident, ALL_STREAMED), **prompt), resident)

    def test_a_chat(self):
        """Each message goes on where the last one ended, in the same session."""
        def chat(*more):
            terminal, stdin = pty.openpty()
            words = [BELAY, "run", "--model", self.model, "--context", "96", "--max-tokens", "5", *more]
            with subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment()) as process:
                os.close(stdin)
                os.write(terminal, b"Hello\nAnd then?\nWhy?\n/exit\n")
                out, said = process.communicate(timeout=120)
            os.close(terminal)
            self.assertEqual(process.returncode, 0, said)
            return out

        resident = chat()
        self.assertEqual(len(resident.splitlines()), 3)
        self.assertEqual(chat(*self.limit(self.resident(), ALL_STREAMED)), resident)

    def test_the_plan_is_what_runs(self):
        """But for the program, which holds more when it runs, and what plugins pack."""
        places = {"disk": ("bytes_planned", "first_layer"), "host": ("weights_bytes", "ring_bytes", "kv_bytes", "scratch_bytes")}
        shown = lambda answer: {name: [tier(answer, name)[field] for field in fields] for name, fields in places.items()}
        for shortage in SHORTAGES:
            limit = self.limit(self.resident(), shortage)
            plan = self.belay("plan", "--model", self.model, "--context", "96", "--json", *limit).json()
            with self.subTest(shortage=shortage):
                self.assertEqual(shown(plan), shown(self.run_model(*limit)))

    def test_a_limit_that_nothing_helps_with(self):
        for limit in ("100K", str(tier(self.resident(), "host")["program_bytes"])):
            self.assert_error(self.belay(*self.words("--memory-limit", limit)), 6, "the plan needs", "more than the limit of", "weights",
                              "+ KV cache", "+ scratch", "+ program", "raise --memory-limit")

    def test_a_bit_that_flips_is_found(self):
        model = self.copy("flipped.gguf")
        limit = self.limit(self.resident(), ALL_STREAMED)
        self.run_model(*limit, model=model)
        place = os.path.getsize(model) // 2
        with open(model, "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 4]))
        result = self.belay(*self.words(*limit, model=model))
        self.assert_error(result, 3, model, "fetch it again", f"delete {model}.belay-tiles")
        size, offset = map(int, re.search(r"belay: .*the (\d+) bytes at (\d+) are not what they were", result.err).groups())
        self.assertTrue(offset <= place < offset + size)
        os.remove(model + ".belay-tiles")  # as the message says
        self.run_model(*limit, model=model)

    def test_hashes_that_cannot_be_kept_are_done_without(self):
        model = self.copy("read_only.gguf")
        os.makedirs(os.path.join(model + ".belay-tiles", "full"))  # in the place of the file
        resident = self.resident()
        for _ in range(2):
            self.assert_streamed(self.run_model(*self.limit(resident, ALL_STREAMED), model=model), resident)


if __name__ == "__main__":
    unittest.main()
