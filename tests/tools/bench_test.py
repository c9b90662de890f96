#!/usr/bin/env python3
"""tools/bench --compare, --baseline and --offload on made-up measurements: from what the programs answer to table, verdict and changes."""
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
from bench_lib import compare, experiments, figures, goals, memory_group, offload, programs  # noqa: E402
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
        there = lambda path: not any(part in path for part in self.lacking)
        with mock.patch("os.path.exists", there), mock.patch("shutil.which", there), mock.patch.object(programs, "loads", there):
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
                                  (FakeSite(lacking=("dnnl",)), "others linear/f32/64x2048x6144", "apt-get install libdnnl2")):
            with self.subTest(key), mock.patch.object(programs, "output", side_effect=programs.Failure("it did not run")):
                self.assertIn(reason, found(site)[key].missing)


class Measuring(unittest.TestCase):
    def test_a_product_is_held_against_the_faster_of_the_others_in_each_round(self):
        others = {"blis": iter((50.0, 80.0, 10.0)), "onednn": iter((100.0, 40.0, 20.0))}
        with mock.patch.object(programs, "kernel", return_value={"gflops": 200.0}), \
             mock.patch.object(programs, "sgemm", lambda name, threads, case: next(others[name])):
            figure = experiments.over_others("linear/f32/1x2x3").measure(FakeSite(), 3)["others linear/f32/1x2x3"]
        self.assertEqual((figure.value, figure.low, figure.high), (2.5, 2.0, 10.0))

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


def ran(tokens=(1, 2), speed=2.0, peak=100 << 20, planned=98 << 20, streamed=500_000_000):
    """As much of what `belay run --json` says as is used."""
    tiers = [{"tier": "host", "bytes_planned": planned}] + ([{"tier": "disk", "bytes_per_pass": streamed}] if streamed else [])
    return {"tokens": list(tokens), "timings": {"decode_tok_per_s": speed}, "peak_rss_bytes": peak, "memory": {"tiers": tiers}}


class Offload(unittest.TestCase):
    TASK = offload.Task("/models/large.gguf", "100M")

    def found(self, site=None, streamed=ran(), resident=ran(speed=8.0, streamed=0), which=offload.decode):
        """One round, with a disk that reads a gigabyte a second; fio and the peer are there unless the site lacks them."""
        site = site or FakeSite(plugins=(offload.PLUGIN,))
        answer = lambda *words: streamed if "--memory-limit" in words else resident
        with (mock.patch.object(programs, "answer", answer), mock.patch.object(programs, "fio", lambda _: {"gb_per_s": 1.0, "cpu_s_per_gb": 0.05}),
              mock.patch.object(programs, "storage", lambda *_: {"gb_per_s": 0.9, "cpu_s_per_gb": 0.04})):
            return which(self.TASK).run(site, 1)

    def test_every_goal_has_one_experiment_and_every_figure_a_goal(self):
        measured = [key for experiment in offload.experiments(self.TASK) for key in experiment.keys]
        self.assertEqual(measured, [goal.key for goal in goals.offload_goals()])

    def test_reading_beside_fio(self):
        found = self.found(which=offload.reading)
        self.assertAlmostEqual(found["offload read"].value, 0.9)
        self.assertAlmostEqual(found["offload read cpu"].value, 0.8)

    def test_a_disk_that_is_slower_than_computing(self):
        found = self.found(streamed=ran(speed=1.5))  # the disk reads 2 tokens a second, 8 are computed
        self.assertAlmostEqual(found["offload decode"].value, 0.75)
        self.assertAlmostEqual(found["offload token"].value, 4 / 3)

    def test_a_disk_that_is_faster_than_computing(self):
        found = self.found(streamed=ran(speed=0.9), resident=ran(speed=1.0, streamed=0))
        self.assertAlmostEqual(found["offload decode"].value, 0.45)
        self.assertAlmostEqual(found["offload token"].value, 1 / 0.9)

    def test_memory_and_text(self):
        found = self.found()
        self.assertEqual((found["offload peak"].value, found["offload text"].value), (1.0, 100.0))
        self.assertAlmostEqual(found["offload planned"].value, 2.0)
        self.assertAlmostEqual(self.found(streamed=ran(planned=103 << 20))["offload planned"].value, 3.0)
        self.assertEqual(self.found(streamed=ran(tokens=(1, 3)))["offload text"].value, 0.0)

    def test_without_fio_the_rest_is_measured(self):
        site, reason = FakeSite(plugins=(offload.PLUGIN,), lacking=("fio",)), "no fio: apt-get install fio"
        found = self.found(site)
        self.assertEqual({key for key, figure in found.items() if figure.missing == reason}, {"offload decode", "offload token"})
        self.assertEqual(found["offload peak"].value, 1.0)
        self.assertEqual({figure.missing for figure in self.found(site, which=offload.reading).values()}, {reason})

    def test_a_model_that_fits_is_no_figure(self):
        found = self.found(streamed=ran(streamed=0))
        self.assertIn("nothing of /models/large.gguf is streamed with --memory-limit 100M", found["offload decode"].missing)

    def test_what_is_missing_is_said(self):
        lacks = lambda text: FakeSite(plugins=(offload.PLUGIN,), lacking=(text,))
        for which, site, reason in ((offload.decode, lacks("large"), "no /models/large.gguf, which make_model makes"),
                                    (offload.reading, FakeSite(), "no usable plugin nvme_offload"),
                                    (offload.over_peer, lacks("avx2"), "tools/peer/setup /peers avx2")):
            with self.subTest(reason):
                self.assertIn(reason, next(iter(self.found(site, which=which).values())).missing)
        with mock.patch.object(memory_group, "why_not", lambda: "no memory cgroup can be made here"):
            found = self.found(which=offload.over_peer)
        self.assertEqual(found, {"offload peer": not_measured("no memory cgroup can be made here")})

    def test_sizes(self):
        for text, size in (("700M", 700 << 20), ("2g", 2 << 30), ("64k", 64 << 10), ("123", 123)):
            self.assertEqual(offload.Task("", text).limit_bytes(), size)
        for text in ("", "M", "1T", "-1", "1.5G"):
            with self.subTest(text), self.assertRaises(programs.Failure):
                offload.Task("", text).limit_bytes()

    def test_recorded_outputs_are_read(self):
        line = b"1.526 GB/s, 1.200 s, CPU 0.090 s, sum 1af90fe2: io_uring, registered buffers, O_DIRECT\n"
        with mock.patch.object(programs, "output", lambda *_: line):
            self.assertEqual(programs.storage("nvme_offload", "any")["gb_per_s"], 1.526)
            self.assertAlmostEqual(programs.storage("nvme_offload", "any")["cpu_s_per_gb"], 0.09 / 1.8312)
        job = {"usr_cpu": 0.377433, "sys_cpu": 7.727453, "job_runtime": 5034, "read": {"io_bytes": 1830813696, "bw_bytes": 363617417}}
        with mock.patch.object(programs, "output", lambda *_: json.dumps({"fio version": "fio-3.33", "jobs": [job]}).encode()):
            self.assertEqual(programs.fio("any")["gb_per_s"], 0.363617417)
            self.assertAlmostEqual(programs.fio("any")["cpu_s_per_gb"], 0.40800 / 1.83081, places=4)


class MemoryGroup(unittest.TestCase):
    def test_places(self):
        for own, expected in (("9:name=systemd:/\n4:cpu,memory:/here/now\n0::/\n", ("/groups/memory/here/now", "memory.limit_in_bytes")),
                              ("0::/user.slice/session\n", ("/groups/user.slice", "memory.max")), ("0::/\n", ("/groups/", "memory.max"))):
            self.assertEqual(memory_group.place(own, "/groups"), expected)

    def test_where_memory_is_not_handed_down_none_is_made(self):
        with tempfile.TemporaryDirectory() as root:
            with self.assertRaisesRegex(programs.Failure, "no memory cgroup can be made here"), memory_group.limited(1, "0::/\n", root):
                pass
            self.assertEqual(os.listdir(root), [])
        with self.assertRaisesRegex(programs.Failure, "no memory cgroup can be made here"), memory_group.limited(1, "0::/\n", root):
            pass


if __name__ == "__main__":
    unittest.main(verbosity=0)
