"""What cpu_avx2 and its relatives are to reach, as data. Ratios are at level moderate, on the same weights and threads."""
import dataclasses

PEER = "llama.cpp"


@dataclasses.dataclass(frozen=True)
class Goal:
    what: str                   # the line of the table
    key: str                    # of the figure
    bound: float | None = None  # none: shown without a verdict
    unit: str = "x"             # x and % are ratios, which a kept run is compared by
    at_most: bool = False
    stretch: bool = False       # hoped for, not promised


@dataclasses.dataclass(frozen=True)
class Pair:
    """A plugin beside the peer's build of one level, 2 threads, and how many times as fast it should be."""
    model: str
    prefill: float
    decode: float
    plugin: str = "cpu_avx2"
    peer: str = "avx2"

    def key(self, test):
        return f"{test} {self.model} {self.plugin}/{self.peer}"


LARGE = "qwen3-1.7b"
SMALL = "smollm2"
PAIRS = (
    Pair(f"{LARGE}-Q4_0", prefill=2.3, decode=3.6),
    Pair(f"{LARGE}-Q8_0", prefill=2.0, decode=1.9),
    Pair(f"{LARGE}-Q4_K_M", prefill=1.8, decode=2.05),
    Pair(f"{SMALL}-Q4_0", prefill=2.1, decode=2.1),
    Pair(f"{SMALL}-Q4_1", prefill=3.7, decode=2.0),
    Pair(f"{SMALL}-Q8_0", prefill=2.0, decode=2.0),
    Pair(f"{SMALL}-Q4_K_M", prefill=2.4, decode=2.0),
    Pair(f"{SMALL}-F16", prefill=2.2, decode=1.6),
    Pair(f"{SMALL}-Q8_0", prefill=2.3, decode=3.0, plugin="cpu_sse", peer="sse42"),
    Pair(f"{SMALL}-Q4_0", prefill=1.5, decode=1.5, plugin="cpu_sse", peer="sse42"),
    Pair(f"{SMALL}-Q8_0", prefill=1.2, decode=1.2, plugin="cpu_scalar", peer="x86-64"),
)

# Models whose weights are read from memory in every step, and that whose weights fit caches.
THREADS_MODELS = (f"{LARGE}-Q4_0", f"{SMALL}-Q4_0")
DEPTH_MODEL = f"{LARGE}-Q4_0"
OFFLOAD_MODEL = f"{LARGE}-Q8_0"
START_MODEL = f"{SMALL}-Q4_1"
STEP_MODEL = f"{SMALL}-Q4_0"

# Cases of belay_bench_kernels.
LINEAR_MANY = ("linear/f32/64x2048x6144", "linear/f32/512x2048x6144")
LINEAR_FEW = "linear/f32/8x2048x6144"
ATTENTION_PREFILL = tuple(f"attention_causal/f16/{tokens}x{heads}" for tokens in (2048, 8192) for heads in ("9x3x64", "16x8x128"))
ATTENTION_DECODE = ("attention_causal/f16/1x9x3x64", "attention_causal/f16/1x16x8x128")


def pair_goals():
    for test in ("decode", "prefill"):
        for pair in PAIRS:
            yield Goal(f"{test}, {pair.model}: {pair.plugin} over {PEER} ({pair.peer})", pair.key(test), getattr(pair, test))
            if test == "decode" and pair.model.startswith(LARGE):
                yield Goal(f"  of the read bandwidth, {pair.model}", f"bandwidth {pair.model}", 80, "%", stretch=True)


def kernel_goals():
    for case in LINEAR_MANY:
        yield Goal(f"{case}: of the FMA peak", f"peak {case}", 85, "%")
        yield Goal(f"{case}: over OpenBLAS", f"openblas {case}", 1.0)
        yield Goal(f"{case}: over BLIS and oneDNN", f"others {case}", 1.0)
    yield Goal(f"{LINEAR_FEW}: of the FMA peak", f"peak {LINEAR_FEW}", 60, "%")
    for case in ATTENTION_PREFILL:
        yield Goal(f"{case}: of the FMA peak", f"peak {case}", 70, "%")
    for case in ATTENTION_DECODE:
        yield Goal(f"{case}: reads", f"read {case}", 30, "GB/s")


def offload_goals():
    yield Goal("sequential reading over fio", "offload read", 0.95)
    yield Goal("  its CPU time for a GB over fio's", "offload read cpu", 1.2, at_most=True)
    yield Goal("decode, streamed, over what the disk allows", "offload decode", 0.9)
    yield Goal("  time of a token over the longer of computing and reading", "offload token", 1.1, at_most=True)
    yield Goal("  answers that are the resident run's", "offload text", 100, "%")
    yield Goal("  most memory over the limit", "offload peak", 1.0, at_most=True)
    yield Goal("  planned memory off the most measured", "offload planned", 5, "%", at_most=True)
    yield Goal(f"decode, streamed, over {PEER} in as much memory", "offload peer", 3.0)


def goals():
    yield from pair_goals()
    yield from kernel_goals()
    yield Goal(f"decode at depth 4096 over depth 1, {DEPTH_MODEL}", "depth", 0.85)
    for model in THREADS_MODELS:
        yield Goal(f"prefill, 2 threads over 1, {model}", f"threads prefill {model}", 1.85)
        yield Goal(f"decode, 2 threads over 1, {model}", f"threads decode {model}", 1.8)
    for test in ("prefill", "decode"):
        yield Goal(f"{test}, thread affinity on over off, {STEP_MODEL}", f"affinity {test}")
    yield Goal("hand-off of one parallel region", "handoff", 0.6, "us", at_most=True)
    yield Goal(f"hand-offs of a decode step, one an operator, {STEP_MODEL}", "handoff share", 3, "%", at_most=True)
    yield Goal("one dispatch over a direct call", "dispatch", 10, "ns", at_most=True)
    yield Goal("manifests, choice, plugin open, probes cached", "open warm", 2.5, "ms", at_most=True)
    yield Goal("  the same with the plugins' files not in memory", "open cold", 5, "ms", at_most=True)
    yield Goal(f"process start to first token over {PEER}, {START_MODEL}", "start", 0.5, at_most=True)
