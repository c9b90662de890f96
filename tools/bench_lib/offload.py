"""What is run for the figures of streaming: a model that is larger than the memory that it may take, read from the disk while it computes."""
import dataclasses

from bench_lib import memory_group, programs
from bench_lib.experiments import Experiment, column
from bench_lib.figures import not_measured, of_rounds, ratio
from bench_lib.programs import interleaved

PLUGIN = "nvme_offload"
TOKENS = 16         # of an answer
PEER_TOKENS = 4     # the peer reads all weights for each of them, slowly
PEER_ROUNDS = 3     # at most: one takes minutes
UNITS = {"K": 10, "M": 20, "G": 30}


@dataclasses.dataclass(frozen=True)
class Task:
    """The model, and the memory that it may take, in the words of `belay run`."""
    model: str
    limit: str

    def limit_bytes(self):
        digits, unit = (self.limit[:-1], self.limit[-1].upper()) if self.limit[-1:].isalpha() else (self.limit, "")
        if not digits.isdecimal() or unit not in ("", *UNITS):
            raise programs.Failure(f"--memory-limit {self.limit}: a size is written as 700M or 2G")
        return int(digits) << UNITS.get(unit, 0)

    def run(self, *more):
        return programs.answer(*programs.first_run(self.model, "--max-tokens", str(TOKENS), "--json", *more))

    def streamed(self):
        return self.run("--memory-limit", self.limit)

    def bytes_per_token(self, answer):
        disk = tier(answer, "disk")
        if disk is None:
            raise programs.Failure(f"nothing of {self.model} is streamed with --memory-limit {self.limit}")
        return disk["bytes_per_pass"]


def tier(answer, name):
    return next((tier for tier in answer["memory"]["tiers"] if tier["tier"] == name), None)


def speed(answer):
    return answer["timings"]["decode_tok_per_s"]


def reading(task):
    def measure(_, rounds):
        given = interleaved({"ours": lambda: programs.storage(PLUGIN, task.model), "fio": lambda: programs.fio(task.model)}, rounds)
        both = lambda figure, unit: ratio(column(given["ours"], figure), column(given["fio"], figure), unit)
        return {"offload read": both("gb_per_s", "GB/s"), "offload read cpu": both("cpu_s_per_gb", "s/GB")}

    return Experiment(("offload read", "offload read cpu"), (("plugin", PLUGIN), ("program", "fio"), ("file", task.model)), measure)


def decode(task):
    def measure(site, rounds):
        no_fio = site.why_not("program", "fio")
        asked = {} if no_fio else {"fio": lambda: programs.fio(task.model)}
        given = interleaved({**asked, "streamed": task.streamed, "resident": task.run}, rounds)
        found = memory(given["streamed"], task.limit_bytes())
        found["offload text"] = same_answers(given["streamed"], given["resident"])
        if no_fio:
            return {**found, "offload decode": not_measured(no_fio), "offload token": not_measured(no_fio)}
        reads = [task.bytes_per_token(answer) / (1e9 * disk["gb_per_s"]) for answer, disk in zip(given["streamed"], given["fio"])]
        return {**found, **times(list(map(speed, given["streamed"])), list(map(speed, given["resident"])), reads)}

    keys = ("offload decode", "offload token", "offload text", "offload peak", "offload planned")
    return Experiment(keys, (("plugin", PLUGIN), ("file", task.model)), measure)


def times(streamed, resident, reads):
    """From tokens a second, and the seconds in which the disk reads what a token needs."""
    longer = [max(1 / fast, read) for fast, read in zip(resident, reads)]
    return {"offload decode": ratio(streamed, [1 / read for read in reads], "tok/s"),
            "offload token": ratio([1 / slow for slow in streamed], longer, "s")}


def memory(answers, limit):
    peaks = column(answers, "peak_rss_bytes")
    planned = [tier(answer, "host")["bytes_planned"] for answer in answers]
    return {"offload peak": ratio([peak / 2**20 for peak in peaks], [limit / 2**20] * len(peaks), "MiB"),
            "offload planned": of_rounds([100 * abs(plan - peak) / peak for plan, peak in zip(planned, peaks)],
                                         f"{max(planned) / 2**20:.4g} MiB planned")}


def same_answers(streamed, resident):
    return of_rounds([100.0 * (one["tokens"] == other["tokens"]) for one, other in zip(streamed, resident, strict=True)])


def over_peer(task):
    """The peer maps the file: what it holds and the part of the file that the system keeps for it are held to the limit together."""
    def measure(site, rounds):
        def peer():
            programs.forget_file(task.model)
            with memory_group.limited(task.limit_bytes()) as prefix:
                return programs.peer_bench(site.peer("avx2"), task.model, min(site.cpus, 2), prefill=0, decode=PEER_TOKENS, prefix=prefix)["decode"]

        given = interleaved({"ours": lambda: speed(task.streamed()), "peer": peer}, min(rounds, PEER_ROUNDS))
        return {"offload peer": ratio(given["ours"], given["peer"], "tok/s")}

    return Experiment(("offload peer",), (("plugin", PLUGIN), ("file", task.model), ("peer", "avx2"), ("memory group", "")), measure)


def experiments(task):
    return reading(task), decode(task), over_peer(task)
