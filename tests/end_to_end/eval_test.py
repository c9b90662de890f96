"""belay eval: its figures against the same computed here from dumped logits, and what it refuses."""
import json
import math
import os
import struct
import unittest

from program import FAULTY, MODEL, ProgramTest

TEXT = "Belay runs transformer models on modest mixed hardware, and keeps generating when a plugin fails. " * 8
WINDOW, UNSCORED = 48, 20
NEVER = ("--repeat", "0")  # no speed tests


def log_softmax(row):
    most = max(row)
    total = math.log(math.fsum(math.exp(value - most) for value in row))
    return [value - most - total for value in row]


class Expected:
    """The measures, each written down as its definition says."""

    def __init__(self, windows, reference, tested, unscored):
        pairs = [(row, other, window[place + 1])
                 for window, rows, others in zip(windows, reference, tested)
                 for place, (row, other) in enumerate(zip(rows, others)) if unscored <= place + 1 < len(window)]
        self.tokens = len(pairs)
        mean = lambda values: math.fsum(values) / self.tokens
        self.reference_perplexity = math.exp(-mean([row[token] for row, _, token in pairs]))
        self.perplexity = math.exp(-mean([other[token] for _, other, token in pairs]))
        divergences = sorted(math.fsum(math.exp(p) * (p - q) for p, q in zip(row, other)) for row, other, _ in pairs)
        self.kl = mean(divergences)
        self.kl_p99 = divergences[math.ceil(0.99 * self.tokens) - 1]
        self.kl_max = divergences[-1]
        self.same_top = mean([row.index(max(row)) == other.index(max(other)) for row, other, _ in pairs])
        self.rms_dp = math.sqrt(mean([(math.exp(other[token]) - math.exp(row[token]))**2 for row, other, token in pairs]))
        ratios = [row[token] - other[token] for row, other, token in pairs]
        self.ln_ratio = mean(ratios)
        block = max(1, min(256, self.tokens // 8))
        means = [math.fsum(ratios[at:at + block]) / block for at in range(self.tokens - block + 1)]
        self.ln_ratio_error = math.sqrt(block * math.fsum((ratio - self.ln_ratio)**2 for ratio in means) / len(means) / (len(means) - 1))


class Eval(ProgramTest):
    def setUp(self):
        self.text = self.write("text.txt", TEXT)

    def eval(self, *words, **more):
        return self.belay("eval", "--model", MODEL, "--threads", "1", *words, **more)

    def ids(self):
        return self.belay("run", "--model", MODEL, "--prompt", TEXT, "--raw", "--max-tokens", "1", "--json").json()["prompt_tokens"]

    def rows(self, ids, level):
        """Log probabilities behind every token of a window."""
        dump = os.path.join(self.home, "rows.safetensors")
        prompt = self.write("window.json", json.dumps(ids))
        self.belay("run", "--model", MODEL, "--prompt-ids", prompt, "--max-tokens", "1", "--ignore-eos", "--level", level, "--threads", "1",
                   "--dump", dump)
        with open(dump, "rb") as file:
            data = file.read()
        start = 8 + int.from_bytes(data[:8], "little")
        logits = json.loads(data[8:start])["logits"]
        positions, vocab = logits["shape"]
        values = struct.unpack(f"<{positions * vocab}f", data[start + logits["data_offsets"][0]:start + logits["data_offsets"][1]])
        return [log_softmax(values[at * vocab:(at + 1) * vocab]) for at in range(positions)]

    def check(self, answer, expected):
        self.assertEqual(answer["text"]["scored"], expected.tokens)
        self.assertAlmostEqual(answer["reference"]["perplexity"] / expected.reference_perplexity, 1, places=5)
        self.assertAlmostEqual(answer["tested"]["perplexity"] / expected.perplexity, 1, places=5)
        self.assertAlmostEqual(answer["ln_perplexity_ratio"]["mean"], expected.ln_ratio, places=6)
        self.assertAlmostEqual(answer["ln_perplexity_ratio"]["standard_error"], expected.ln_ratio_error, places=6)
        self.assertAlmostEqual(answer["kl"]["mean"], expected.kl, places=7)
        self.assertAlmostEqual(answer["kl"]["p99"], expected.kl_p99, places=6)
        self.assertAlmostEqual(answer["kl"]["max"], expected.kl_max, places=6)
        self.assertAlmostEqual(answer["same_top_1"]["mean"], expected.same_top, places=9)
        self.assertAlmostEqual(answer["rms_dp"], expected.rms_dp, places=6)

    def test_the_figures_are_what_their_definitions_say(self):
        ids = self.ids()
        windows = [ids[at:at + WINDOW] for at in range(0, len(ids), WINDOW)]
        self.assertGreater(len(windows), 2)
        reference = [self.rows(window, "minimal") for window in windows]
        tested = [self.rows(window, "moderate") for window in windows]
        answer = self.eval("--text", self.text, "--context", str(WINDOW), "--unscored", str(UNSCORED), "--json", *NEVER).json()
        self.assertEqual(answer["schema"], "belay.eval/1")
        self.assertEqual(answer["text"]["tokens"], len(ids))
        expected = Expected(windows, reference, tested, UNSCORED)
        self.assertGreater(expected.kl, 0)
        self.check(answer, expected)
        self.assertIn("cpu_scalar/act_q8", answer["tested"]["optimizations"])
        self.assertNotIn("cpu_scalar/act_q8", answer["reference"]["optimizations"])
        self.assertIsNone(answer["tested"]["prefill"])

    def test_ids_and_text_give_the_same_figures_and_tokens_shortens_them(self):
        ids = self.write("ids.json", json.dumps(self.ids()))
        words = ("--tokens", "90", "--json", *NEVER)
        by_ids = self.eval("--ids", ids, *words).json()
        by_text = self.eval("--text", self.text, *words).json()
        del by_ids["peak_rss_bytes"], by_text["peak_rss_bytes"]
        self.assertEqual(by_ids, by_text)
        self.assertEqual(by_ids["text"], {"tokens": 90, "scored": 45, "left_out": 0, "windows": 1, "window_tokens": 90, "window_unscored": 45})

    def test_a_level_beside_itself_differs_by_nothing(self):
        answer = self.eval("--text", self.text, "--level", "minimal", "--json", "--repeat", "1").json()
        self.assertEqual(answer["kl"]["max"], 0)
        self.assertEqual(answer["same_top_1"]["mean"], 1)
        self.assertEqual(answer["rms_dp"], 0)
        self.assertEqual(answer["ln_perplexity_ratio"], {"mean": 0, "standard_error": 0})
        self.assertEqual(answer["tested"]["perplexity"], answer["reference"]["perplexity"])
        self.assertEqual(answer["tested"]["planned_bytes"], answer["reference"]["planned_bytes"])
        for side in ("reference", "tested"):
            self.assertGreater(answer[side]["prefill"]["tok_per_s"]["min"], 0)
            self.assertGreater(answer[side]["decode"]["tok_per_s"]["min"], 0)

    def test_one_optimization_on_and_off(self):
        answer = self.eval("--text", self.text, "--off", "core/kv_f16", "--json", *NEVER).json()
        self.assertEqual(answer["reference"]["level"], "moderate")
        self.assertEqual(set(answer["tested"]["optimizations"]) - set(answer["reference"]["optimizations"]), {"core/kv_f16"})
        self.assertGreater(answer["kl"]["mean"], 0)
        self.assertLess(answer["tested"]["planned_bytes"], answer["reference"]["planned_bytes"])
        self.assert_error(self.eval("--text", self.text, "--off", "core/kv_f16", "--reference-level", "minimal"), 2, "core/kv_f16",
                          "level minimal does not use it")

    def test_what_is_left_out_at_the_end_is_said(self):
        answer = self.eval("--text", self.text, "--tokens", "100", "--context", "40", "--json", *NEVER).json()
        self.assertEqual(answer["text"], {"tokens": 100, "scored": 40, "left_out": 20, "windows": 2, "window_tokens": 40, "window_unscored": 20})
        self.assertIn("20 at the end left out", self.eval("--text", self.text, "--tokens", "100", "--context", "40").out.decode())

    def test_the_table_names_what_it_shows(self):
        shown = self.eval("--text", self.text).out.decode()
        for part in ("perplexity", "prefill 512", "decode 128", "KL divergence", "same top token", "planned memory", "core/kv_f16"):
            self.assertIn(part, shown)

    def test_a_fallback_in_either_run_is_shown(self):
        answer = self.eval("--text", self.text, "--plugin-dir", FAULTY, "--plugin-option", "test.faulty.fail_at=30", "--json", *NEVER).json()
        for side in ("reference", "tested"):
            self.assertEqual([entry["from"] for entry in answer[side]["fallbacks"]], ["test.faulty"])

    def test_a_memory_limit_is_for_both_runs_together(self):
        planned = self.eval("--text", self.text, "--json", *NEVER).json()
        both = planned["reference"]["planned_bytes"] + planned["tested"]["planned_bytes"]
        answer = self.eval("--text", self.text, "--memory-limit", str(both * 3 // 4), "--json", *NEVER).json()
        self.assertEqual(answer["text"], planned["text"])
        self.assertLess(answer["reference"]["planned_bytes"] + answer["tested"]["planned_bytes"], both)
        self.assert_error(self.eval("--text", self.text, "--memory-limit", "100K"), 6, "half of what the weights leave")

    def test_bad_input(self):
        latin = self.write("latin.txt", b"caf\xe9")
        self.assert_error(self.eval(), 2, "--text", "--ids")
        self.assert_error(self.eval("--text", self.text, "--ids", self.text), 2, "either")
        self.assert_error(self.eval("--text", "/no/such/file"), 2, "/no/such/file")
        self.assert_error(self.eval("--text", latin), 3, "latin.txt", "byte 4", "0xe9")
        self.assert_error(self.eval("--text", self.write("empty.txt", "")), 3, "empty.txt", "0 tokens")
        self.assert_error(self.eval("--ids", self.write("one.json", "[5]")), 3, "one.json", "1 tokens")
        self.assert_error(self.eval("--ids", self.write("big.json", "[5, 6, 2147483647]")), 3, "element 2", "2147483647", "vocabulary")
        self.assert_error(self.eval("--ids", self.write("negative.json", "[5, -1]")), 3, "element 1")
        self.assert_error(self.eval("--ids", latin), 3, "latin.txt")
        self.assert_error(self.eval("--text", self.text, "--context", "1"), 2, "--context")
        self.assert_error(self.eval("--text", self.text, "--context", "100000", "--unscored", "9"), 3, "100000 positions", "--context")
        self.assert_error(self.eval("--text", self.text, "--context", "20", "--unscored", "20"), 2, "--unscored 20", "window of 20")
        self.assert_error(self.eval("--text", self.text, "--tokens", "9", "--context", "20"), 3, "9 tokens", "first 10")
        self.assert_error(self.eval("--text", self.text, "--reference-level", "best"), 2, "--reference-level", "best")
        self.assert_error(self.eval("--text", self.text, "--deadline", "0.000001"), 124, "--deadline")
        error = self.eval("--text", latin, "--json")
        self.assertEqual((error.code, error.json()["code"]), (3, "BAD_INPUT"))


if __name__ == "__main__":
    unittest.main(verbosity=0)
