#!/usr/bin/env python3
"""tools/bench --compare and --baseline on made-up measurements: from what the programs answer to table, verdict and changes."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
from bench_lib import compare, experiments, figures, goals, programs  # noqa: E402
from bench_lib.figures import Figure, not_measured, of_rounds, ratio  # noqa: E402
from bench_lib.goals import Goal, Pair  # noqa: E402

FAST = Goal("ours over theirs", "fast", 2.0)
SHORT = Goal("time", "short", 0.5, at_most=True)


class FakeSite(experiments.Site):
    """A machine that has everything but what it is told to lack."""

    def __init__(self, cpus=2, plugins=("cpu_avx2", "cpu_sse", "cpu_scalar"), peers="/peers", lacking=()):
        self.peers, self.models, self.prefill, self.decode, self.cpus = peers, "/models", 512, 64, cpus
        self.plugins, self.lacking = set(plugins), lacking

    def model(self, name):
        return f"/models/{name}.gguf"

    def why_not(self, kind, name):
        with mock.patch("os.path.exists", lambda path: not any(part in path for part in self.lacking)):
            return super().why_not(kind, name)


class Figures(unittest.TestCase):
    def test_a_slow_minute_hits_both_and_cancels(self):
        found = ratio([20.0, 10.0, 30.0], [10.0, 5.0, 10.0], "tok/s")
        self.assertEqual((found.value, found.low, found.high), (2.0, 2.0, 3.0))
        self.assertEqual(found.detail, "20 / 10 tok/s")

    def test_they_survive_a_file(self):
        kept = {"a": of_rounds([1.0, 3.0, 2.0], "of 7"), "b": not_measured("no peer")}
        self.assertEqual(figures.from_json(json.loads(json.dumps(figures.to_json(kept)))), kept)


class Table(unittest.TestCase):
    def test_verdicts(self):
        for goal, value, expected in ((FAST, 2.0, "reached"), (FAST, 1.9, "missed, at 95 % of it"), (SHORT, 0.5, "reached"),
                                      (SHORT, 0.6, "missed, at 120 % of it"), (Goal("gain", "gain"), 1.1, "")):
            with self.subTest(goal.what, value=value):
                self.assertEqual(compare.verdict(goal, of_rounds([value])), expected)
        self.assertEqual(compare.verdict(FAST, not_measured("no peer")), "not measured: no peer")

    def test_lines_hold_goal_figure_and_verdict(self):
        found = {"fast": of_rounds([1.5, 2.5, 2.25], "9 / 4 tok/s"), "short": not_measured("no CPU")}
        lines = compare.table([FAST, SHORT, Goal("elsewhere", "left out")], found)
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        self.assertEqual(cells[0], ["", "goal", "figure", "verdict"])
        self.assertEqual(cells[2], ["ours over theirs", ">= 2.00 x", "2.25 x (1.5 to 2.5) [9 / 4 tok/s]", "reached"])
        self.assertEqual(cells[3:], [["time", "<= 0.50 x", "", "not measured: no CPU"]])
        self.assertEqual(len({line.rindex("|", 0, line.rindex("|")) for line in (lines[0], lines[2], lines[3])}), 1)


class Baseline(unittest.TestCase):
    def changes(self, goal, now, kept):
        slower, faster, missing = compare.changes([goal], {goal.key: now}, {goal.key: kept} if kept else {})
        return [len(slower), len(faster), len(missing)]

    def test_slower_and_faster_are_beyond_the_rounds_of_both_runs(self):
        kept = of_rounds([1.9, 2.0, 2.1])
        self.assertEqual(self.changes(FAST, of_rounds([1.7, 1.8, 1.85]), kept), [1, 0, 0])
        self.assertEqual(self.changes(FAST, of_rounds([1.7, 1.8, 2.05]), kept), [0, 0, 0])  # one of its rounds was as fast as the kept median
        self.assertEqual(self.changes(FAST, of_rounds([1.92, 1.95, 1.96]), kept), [0, 0, 0])  # within the kept rounds
        self.assertEqual(self.changes(FAST, of_rounds([1.97]), of_rounds([2.0])), [0, 0, 0])  # next to nothing
        self.assertEqual(self.changes(FAST, of_rounds([2.2, 2.3, 2.4]), kept), [0, 1, 0])

    def test_where_less_is_better_more_is_slower(self):
        self.assertEqual(self.changes(SHORT, of_rounds([0.5, 0.6]), of_rounds([0.3, 0.4])), [1, 0, 0])
        self.assertEqual(self.changes(SHORT, of_rounds([0.3, 0.4]), of_rounds([0.5, 0.6])), [0, 1, 0])

    def test_only_ratios_are_compared(self):
        self.assertEqual(self.changes(Goal("a time", "ns", 10, "ns", at_most=True), of_rounds([9.0]), of_rounds([1.0])), [0, 0, 0])
        self.assertEqual(self.changes(Goal("a share", "peak", 80, "%"), of_rounds([60.0]), of_rounds([90.0])), [1, 0, 0])

    def test_what_only_one_run_has_is_named(self):
        self.assertEqual(self.changes(FAST, not_measured("no peer"), of_rounds([2.0])), [0, 0, 1])
        self.assertEqual(self.changes(FAST, of_rounds([2.0]), None), [0, 0, 1])
        self.assertEqual(self.changes(FAST, not_measured("no peer"), None), [0, 0, 0])

    def test_a_file_that_is_no_kept_run_is_refused(self):
        loader = importlib.machinery.SourceFileLoader("bench", str(TOOLS / "bench"))
        bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
        loader.exec_module(bench)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "kept.json")
            for text in (None, "{", "[1]", '{"schema":"belay.bench/1"}'):
                if text is not None:
                    pathlib.Path(path).write_text(text)
                with self.subTest(text), self.assertRaises(SystemExit) as refused:
                    bench.read_kept(path)
                self.assertIn(path, str(refused.exception))


class Goals(unittest.TestCase):
    def test_every_goal_has_one_experiment_and_every_figure_a_goal(self):
        measured = [key for experiment in experiments.experiments() for key in experiment.keys]
        wanted = [goal.key for goal in goals.goals()]
        self.assertEqual(sorted(measured), sorted(wanted))
        self.assertEqual(len(set(wanted)), len(wanted))

    def test_what_is_missing_is_said(self):
        needy = [experiment for experiment in experiments.experiments() if experiment.needs]
        found = lambda site: experiments.run(needy, site, 1, "", lambda _: None)
        for site, key, reason in ((FakeSite(cpus=1), "threads decode smollm2-Q4_0", "this machine has 1 CPU"),
                                  (FakeSite(peers=None), "start", "no --peer FOLDER"),
                                  (FakeSite(lacking=("sse42",)), "decode smollm2-Q8_0 cpu_sse/sse42", "tools/peer/setup /peers sse42"),
                                  (FakeSite(lacking=("smollm2-F16",)), "decode smollm2-F16 cpu_avx2/avx2", "no /models/smollm2-F16.gguf, which"),
                                  (FakeSite(lacking=("qwen3",)), "depth", "make_model"),
                                  (FakeSite(plugins=()), "handoff", "no usable plugin cpu_avx2"),
                                  (FakeSite(), "openblas linear/f32/64x2048x6144", "no usable plugin cpu_openblas"),
                                  (FakeSite(), "others linear/f32/64x2048x6144", "no program here runs BLIS")):
            with self.subTest(key), mock.patch.object(programs, "output", side_effect=programs.Failure("it did not run")):
                self.assertIn(reason, found(site)[key].missing)


class Measuring(unittest.TestCase):
    def test_a_pair_is_interleaved_and_compared_with_the_bandwidth(self):
        order = []

        def speeds(who, **tests):
            order.append(who)
            return tests

        of = Pair("qwen3-1.7b-Q4_0", prefill=2, decode=3)
        with (mock.patch.object(programs, "belay_bench", lambda *_, **size: speeds("ours", prefill=100.0, decode=size["decode"] / 4)),
              mock.patch.object(programs, "peer_bench", lambda *_, **__: speeds("peer", prefill=50.0, decode=4.0)),
              mock.patch.object(programs, "core", lambda what: speeds(what, read_gb_per_s=32.0)),
              mock.patch("os.path.getsize", lambda _: 1_000_000_000)):
            found = experiments.pair(of).run(FakeSite(), 2)
        self.assertEqual(order, ["ours", "peer", "read"] * 2)
        self.assertEqual(found[of.key("prefill")].value, 2.0)
        self.assertEqual(found[of.key("decode")].value, 4.0)
        self.assertEqual(found["bandwidth qwen3-1.7b-Q4_0"].value, 50.0)  # 16 tokens of a gigabyte a second, of 32

    def test_a_program_that_fails_costs_its_own_rows(self):
        with mock.patch.object(programs, "answer", side_effect=programs.Failure("status 1: out of memory")):
            found = experiments.run([experiments.dispatch(), experiments.threads("smollm2-Q4_0")], FakeSite(), 1, "", lambda _: None)
        self.assertEqual({figure.missing for figure in found.values()}, {"status 1: out of memory"})

    def test_only_leaves_the_others_out(self):
        with mock.patch.object(programs, "core", lambda _: {"dispatch_ns": 3.0, "direct_ns": 1.0}):
            found = experiments.run(experiments.experiments(), FakeSite(), 1, "dispatch", lambda _: None)
        self.assertEqual(found, {"dispatch": Figure(2.0, 2.0, 2.0)})

    def test_an_interruption_keeps_what_is_there(self):
        with (mock.patch.object(programs, "core", lambda _: {"dispatch_ns": 3.0, "direct_ns": 1.0}),
              mock.patch.object(programs, "open_ms", side_effect=KeyboardInterrupt)):
            found = experiments.run([experiments.dispatch(), experiments.opening()], FakeSite(), 1, "", lambda _: None)
        self.assertEqual(found["dispatch"].value, 2.0)
        self.assertEqual({found["open warm"].missing, found["open cold"].missing}, {"interrupted"})

    def test_a_line_of_the_kernels_is_read(self):
        line = b"attention_causal/f16/1x16x8x128       2      0.362 ms     92.7 GFLOP/s  39.3 %    46.4 GB/s   (FMA peak 236)\n"
        with mock.patch.object(programs, "output", lambda *_: line):
            self.assertEqual(programs.kernel("cpu_avx2", 2, "any"), {"gflops": 92.7, "peak_percent": 39.3, "gb_per_s": 46.4})

    def test_a_kernel_that_is_refused_is_no_figure(self):
        with mock.patch.object(programs, "output", lambda *_: b"linear/f32/8x8x8   refused: too few tokens\n"):
            found = experiments.kernel("peak linear/f32/8x8x8", "linear/f32/8x8x8", "peak_percent", "%").run(FakeSite(), 1)
        self.assertIn("refused: too few tokens", found["peak linear/f32/8x8x8"].missing)

    def test_an_answer_that_is_no_json_is_a_failure(self):
        with mock.patch.object(programs, "output", lambda *_: b"<html>"), self.assertRaisesRegex(programs.Failure, "<html>"):
            programs.answer("any")

    def test_the_end_of_a_programs_words_is_its_excuse(self):
        with self.assertRaisesRegex(programs.Failure, "status 3: no such model$"):
            programs.output("sh", "-c", "echo loading >&2; echo no such model >&2; exit 3")


if __name__ == "__main__":
    unittest.main(verbosity=0)
