"""What is run for which figures of the goals, what each run needs, and why it cannot be run without."""
import contextlib
import dataclasses
import os
import shutil
import tempfile
from typing import Callable

from bench_lib import goals, memory_group, programs
from bench_lib.figures import not_measured, of_rounds, ratio
from bench_lib.programs import interleaved


class Site:
    """What there is to measure, and how much of it."""

    def __init__(self, peers, models, prefill, decode):
        self.peers, self.models, self.prefill, self.decode = peers, models, prefill, decode
        self.cpus = programs.cpu()["usable_cpus"] or 1
        self.plugins = programs.usable_plugins()

    def model(self, name):
        return programs.smollm2() if name == goals.START_MODEL else os.path.join(self.models, f"{name}.gguf")

    def peer(self, level):
        return os.path.join(self.peers, level, "bin", "python") if self.peers else ""

    def why_not(self, kind, name):
        """The reason why something is not there; nothing when it is."""
        if kind == "cpus":
            return "" if self.cpus >= name else f"this machine has {self.cpus} CPU"
        if kind == "plugin":
            return "" if name in self.plugins else f"no usable plugin {name}"
        if kind == "model":
            made = "tools/peer/requantise.py" if name.startswith(goals.SMALL) else "make_model"
            return "" if os.path.exists(self.model(name)) else f"no {self.model(name)}, which {made} makes"
        if kind == "file":
            return "" if os.path.exists(name) else f"no {name}, which make_model makes"
        if kind == "program":
            return "" if shutil.which(name) else f"no {name}: apt-get install {name}"
        if kind == "sgemm":
            library, package = programs.SGEMMS[name]
            return "" if programs.loads(library) else f"no {library}: apt-get install {package}"
        if kind == "memory group":
            return memory_group.why_not()
        if kind == "peer" and not self.peers:
            return "no --peer FOLDER"
        if kind == "peer":
            return "" if os.path.exists(self.peer(name)) else f"no peer: tools/peer/setup {self.peers} {name}"
        raise ValueError(kind)


@dataclasses.dataclass(frozen=True)
class Experiment:
    keys: tuple  # of the figures that it gives
    needs: tuple  # (kind, name) that Site knows
    measure: Callable  # site, rounds -> {key: Figure}

    def run(self, site, rounds):
        reasons = [reason for need in self.needs if (reason := site.why_not(*need))]
        if reasons:
            return {key: not_measured(reasons[0]) for key in self.keys}
        try:
            return self.measure(site, rounds)
        except programs.Failure as failure:
            return {key: not_measured(str(failure)) for key in self.keys}


def column(answers, figure):
    return [given[figure] for given in answers]


def pair(of):
    large = of.model.startswith(goals.LARGE)

    def measure(site, rounds):
        model, size = site.model(of.model), {"prefill": site.prefill, "decode": site.decode}
        asked = {"ours": lambda: programs.belay_bench(model, of.plugin, 2, **size),
                 "peer": lambda: programs.peer_bench(site.peer(of.peer), model, 2, **size)}
        if large:
            asked["read"] = lambda: programs.core("read")
        given = interleaved(asked, rounds)
        found = {of.key(test): ratio(column(given["ours"], test), column(given["peer"], test), "tok/s") for test in ("prefill", "decode")}
        if large:
            gigabytes = os.path.getsize(model) / 1e9  # every weight is read for a token
            found[f"bandwidth {of.model}"] = bandwidth(gigabytes, column(given["ours"], "decode"), column(given["read"], "read_gb_per_s"))
        return found

    keys = tuple(of.key(test) for test in ("prefill", "decode")) + ((f"bandwidth {of.model}",) if large else ())
    return Experiment(keys, (("cpus", 2), ("plugin", of.plugin), ("model", of.model), ("peer", of.peer)), measure)


def bandwidth(gigabytes, speeds, limits):
    shares = [100 * gigabytes * speed / limit for speed, limit in zip(speeds, limits)]
    return of_rounds(shares, f"of {max(limits):.1f} GB/s")


def kernel(key, case, figure, unit):
    def measure(_, rounds):
        answers = [programs.kernel("cpu_avx2", 2, case) for _ in range(rounds)]
        best = f"{max(column(answers, 'gflops')):.0f} GFLOP/s" if unit == "%" else ""
        return {key: of_rounds(column(answers, figure), best)}

    return Experiment((key,), (("cpus", 2), ("plugin", "cpu_avx2")), measure)


def over_openblas(case):
    key = f"openblas {case}"

    def measure(_, rounds):
        given = interleaved({plugin: lambda plugin=plugin: programs.kernel(plugin, 2, case) for plugin in ("cpu_avx2", "cpu_openblas")}, rounds)
        return {key: ratio(column(given["cpu_avx2"], "gflops"), column(given["cpu_openblas"], "gflops"), "GFLOP/s")}

    return Experiment((key,), (("cpus", 2), ("plugin", "cpu_avx2"), ("plugin", "cpu_openblas")), measure)


def over_others(case):
    """Over the faster of the two in each round."""
    key = f"others {case}"

    def measure(_, rounds):
        asked = {name: lambda name=name: programs.sgemm(name, 2, case) for name in programs.SGEMMS}
        given = interleaved({"ours": lambda: programs.kernel("cpu_avx2", 2, case)["gflops"], **asked}, rounds)
        return {key: ratio(given["ours"], [max(others) for others in zip(*(given[name] for name in programs.SGEMMS))], "GFLOP/s")}

    return Experiment((key,), (("cpus", 2), ("plugin", "cpu_avx2"), *(("sgemm", name) for name in programs.SGEMMS)), measure)


def threads(model):
    def measure(site, rounds):
        given = interleaved({count: lambda count=count: programs.belay_bench(site.model(model), "cpu_avx2", count, site.prefill, site.decode)
                             for count in (2, 1)}, rounds)
        return {f"threads {test} {model}": ratio(column(given[2], test), column(given[1], test), "tok/s") for test in ("prefill", "decode")}

    keys = tuple(f"threads {test} {model}" for test in ("prefill", "decode"))
    return Experiment(keys, (("cpus", 2), ("plugin", "cpu_avx2"), ("model", model)), measure)


@contextlib.contextmanager
def without(optimization):
    """A configuration file that bans it."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(f'[policy]\nban = ["{optimization}"]\n')
        file.flush()
        yield file.name


def affinity():
    def measure(site, rounds):
        model = site.model(goals.STEP_MODEL)
        with without("core/thread_affinity") as config:
            given = interleaved({"on": lambda: programs.belay_bench(model, "cpu_avx2", 2, site.prefill, site.decode),
                                 "off": lambda: programs.belay_bench(model, "cpu_avx2", 2, site.prefill, site.decode, config=config)}, rounds)
        return {f"affinity {test}": ratio(column(given["on"], test), column(given["off"], test), "tok/s") for test in ("prefill", "decode")}

    return Experiment(("affinity prefill", "affinity decode"), (("cpus", 2), ("plugin", "cpu_avx2"), ("model", goals.STEP_MODEL)), measure)


def depth():
    def measure(site, rounds):
        model = site.model(goals.DEPTH_MODEL)
        given = interleaved({depth: lambda depth=depth: programs.belay_bench(model, "cpu_avx2", 2, 0, site.decode, depth) for depth in (4096, 1)},
                            rounds)
        return {"depth": ratio(column(given[4096], "decode"), column(given[1], "decode"), "tok/s")}

    return Experiment(("depth",), (("cpus", 2), ("plugin", "cpu_avx2"), ("model", goals.DEPTH_MODEL)), measure)


def handoff():
    def measure(site, rounds):
        model = site.model(goals.STEP_MODEL)
        operators = programs.operators_of_a_step(model)
        given = interleaved({"handoff": lambda: programs.core("handoff")["handoff_ns"],
                             "speed": lambda: programs.belay_bench(model, "cpu_avx2", 2, 0, site.decode)["decode"]}, rounds)
        shares = [100 * operators * ns * 1e-9 * speed for ns, speed in zip(given["handoff"], given["speed"])]
        return {"handoff": of_rounds([ns / 1e3 for ns in given["handoff"]]), "handoff share": of_rounds(shares, f"{operators} operators")}

    return Experiment(("handoff", "handoff share"), (("cpus", 2), ("plugin", "cpu_avx2"), ("model", goals.STEP_MODEL)), measure)


def dispatch():
    def measure(_, rounds):
        answers = [programs.core("dispatch") for _ in range(rounds)]
        return {"dispatch": of_rounds([answer["dispatch_ns"] - answer["direct_ns"] for answer in answers])}

    return Experiment(("dispatch",), (), measure)


def opening():
    def measure(_, rounds):
        given = interleaved({"open warm": lambda: programs.open_ms(cold=False), "open cold": lambda: programs.open_ms(cold=True)}, rounds)
        return {key: of_rounds(values) for key, values in given.items()}

    return Experiment(("open warm", "open cold"), (), measure)


def start():
    def measure(site, rounds):
        model, cpus = site.model(goals.START_MODEL), min(site.cpus, 2)
        one = programs.first_run(model, "--max-tokens", "1", "--threads", str(cpus))
        prompt = len(programs.answer(*one, "--json")["prompt_tokens"])
        given = interleaved({"ours": lambda: programs.wall_ms(*one),
                             "peer": lambda: programs.peer_first_token_ms(site.peer("avx2"), model, cpus, prompt)}, rounds)
        return {"start": ratio(given["ours"], given["peer"], "ms; the peer's from loading on")}

    return Experiment(("start",), (("model", goals.START_MODEL), ("peer", "avx2")), measure)


def experiments():
    yield from (dispatch(), opening(), handoff(), start())
    for case in (*goals.LINEAR_MANY, goals.LINEAR_FEW, *goals.ATTENTION_PREFILL):
        yield kernel(f"peak {case}", case, "peak_percent", "%")
    for case in goals.LINEAR_MANY:
        yield from (over_openblas(case), over_others(case))
    for case in goals.ATTENTION_DECODE:
        yield kernel(f"read {case}", case, "gb_per_s", "GB/s")
    yield affinity()
    yield from (threads(model) for model in reversed(goals.THREADS_MODELS))
    yield from (pair(of) for of in reversed(goals.PAIRS))
    yield depth()


def run(all_experiments, site, rounds, only, say):
    """The figures of all of them, or of those with `only` in a key. After Ctrl-C those that are there are kept."""
    figures, interrupted = {}, False
    for experiment in all_experiments:
        if not any(only in key for key in experiment.keys):
            continue
        figures.update({key: not_measured("interrupted") for key in experiment.keys})
        if interrupted:
            continue
        say(", ".join(experiment.keys))
        try:
            figures.update(experiment.run(site, rounds))
        except KeyboardInterrupt:
            interrupted = True
    return figures
