"""The programs that are measured: how each is asked, and what it answers."""
import ctypes
import json
import os
import re
import shlex
import subprocess
import time

TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(os.path.dirname(TOOLS), "build", "release")
PLUGINS = os.path.join(BUILD, "lib", "belay", "plugins")
IMAGE_SIZE = "1024x768"
PREFILL = 512  # tokens, beside an image
SGEMMS = {"blis": ("libblis.so.4", "libblis4-openmp"), "onednn": ("libdnnl.so.2", "libdnnl2")}  # of peer/sgemm.py: library and package


class Failure(Exception):
    """A program that did not do its work, with the end of its words."""


def program(name):
    return os.path.join(BUILD, "bin", name)


def output(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise Failure(f"{shlex.join(words)}: status {done.returncode}: {last}")
    return done.stdout


def answer(*words):
    said = output(*words)
    try:
        return json.loads(said)
    except ValueError:
        raise Failure(f"{shlex.join(words)}: no JSON but {said[:80]}") from None


def cpu():
    return answer(program("belay"), "probe", "--json")["hardware"]["cpu"]


def usable_plugins():
    return {plugin["id"] for plugin in answer(program("belay"), "probe", "--json")["plugins"] if plugin["verdict"] == "usable"}


def smollm2():
    return output(os.path.join(TOOLS, "fetch_model")).decode().strip()


def speeds(answered):
    return {test: answered[test]["tok_per_s"]["median"] for test in ("prefill", "decode") if answered[test]}


def belay_bench(model, plugin, threads, prefill=512, decode=128, depth=1, config=None):
    words = [program("belay"), "bench", "--model", model, "--plugins", plugin, "--threads", str(threads), "--prefill", str(prefill),
             "--decode", str(decode), "--depth", str(depth), "--repeat", "1", "--json"]
    return speeds(answer(*words, *(["--config", config] if config else [])))


def peer_words(python, model, threads, *more):
    return [python, os.path.join(TOOLS, "peer", "measure.py"), model, "--threads", str(threads), *more]


def peer_bench(python, model, threads, prefill=512, decode=128, prefix=()):
    return speeds(answer(*prefix, *peer_words(python, model, threads, "--prefill", str(prefill), "--decode", str(decode), "--repeat", "1")))


def peer_first_token_ms(python, model, threads, prompt_tokens):
    return 1e3 * answer(*peer_words(python, model, threads, "--first-token", str(prompt_tokens)))["first_token_s"]


def first_run(model, *more):
    return [program("belay"), "run", "--model", model, "--prompt", "Hello", "--ignore-eos", *more]


def wall_ms(*words):
    start = time.perf_counter()
    output(*words)
    return (time.perf_counter() - start) * 1e3


def operators_of_a_step(model):
    """Calls of kernels for one more token."""
    calls = lambda tokens: sum(answer(*first_run(model, "--max-tokens", str(tokens), "--json"))["ops"].values())
    return calls(2) - calls(1)


def core(what):
    return answer(program("belay_bench_core"), what)


def open_ms(cold):
    """From the plugin folder to the open plugin in a new process, with cached probes; cold: its files are read from the disk."""
    core("choice")  # caches the probes
    if cold:
        forget_files_of(PLUGINS)
    return core("choice")["choose_and_open_ms"]


def forget_files_of(folder):
    """The system's copies of a folder's files in memory, so that they are read from the disk again."""
    for entry in os.scandir(folder):
        if entry.is_file():
            forget_file(entry.path)


def forget_file(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def library(plugin):
    return os.path.join(PLUGINS, f"libbelay_{plugin}.so")


def kernel(plugin, threads, case):
    """The figures of one line of belay_bench_kernels, of a case that has GFLOP/s."""
    line = output(program("belay_bench_kernels"), library(plugin), str(threads), case).decode()
    found = re.search(r"([0-9.]+) GFLOP/s +([0-9.]+) % +([0-9.]+) GB/s", line)
    if not found:
        raise Failure(f"belay_bench_kernels measures no {case} of {plugin}: {line.strip()}")
    return dict(zip(("gflops", "peak_percent", "gb_per_s"), map(float, found.groups())))


def sgemm(name, threads, case):
    """GFLOP/s of another library's f32 product of a case such as linear/f32/64x2048x6144."""
    line = output(os.path.join(TOOLS, "peer", "sgemm.py"), name, case.rsplit("/", 1)[1], str(threads)).decode()
    return float(line.split()[0])


def loads(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def storage(plugin, file):
    """How fast a plugin reads a file, and what that takes of the CPU: two buffers of four blocks of 1 MiB are eight in flight at most."""
    line = output(program("belay_bench_storage"), library(plugin), file, "", "4").decode()
    found = re.search(r"([0-9.]+) GB/s, ([0-9.]+) s, CPU ([0-9.]+) s", line)
    if not found:
        raise Failure(f"belay_bench_storage measures nothing: {line.strip()}")
    gb_per_s, wall_s, cpu_s = map(float, found.groups())
    return {"gb_per_s": gb_per_s, "cpu_s_per_gb": cpu_s / (gb_per_s * wall_s)}


def fio(file):
    """The same of fio, the yardstick, with as many blocks in flight."""
    job = answer("fio", "--name=read", f"--filename={file}", "--readonly", "--rw=read", "--bs=1M", "--iodepth=8", "--ioengine=io_uring",
                 "--direct=1", "--output-format=json")["jobs"][0]
    cpu_s = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] / 1e3
    return {"gb_per_s": job["read"]["bw_bytes"] / 1e9, "cpu_s_per_gb": cpu_s / (job["read"]["io_bytes"] / 1e9)}


def belay_vision(level, threads, model, mmproj):
    words = [program("belay"), "bench", "--model", model, "--mmproj", mmproj, "--plugins", "cpu_avx2", "--level", level, "--threads", str(threads),
             "--image-size", IMAGE_SIZE, "--prefill", str(PREFILL), "--decode", "0", "--repeat", "1", "--json"]
    return vision_figures(answer(*words))


def torch_vision(python, threads):
    words = [python, os.path.join(TOOLS, "peer", "torch_qwen3vl.py"), "--image-size", IMAGE_SIZE, "--prefill", str(PREFILL), "--threads", str(threads),
             "--repeat", "1"]
    return vision_figures(answer(*words))


def vision_figures(answered):
    return {"seconds": answered["vision"]["seconds"]["median"], "prefill": answered["prefill"]["tok_per_s"]["median"]}


def interleaved(programs, rounds):
    """Every program once a round, so that a slow minute hits all of them: the answers of each."""
    answers = {name: [] for name in programs}
    for _ in range(rounds):
        for name, ask in programs.items():
            answers[name].append(ask())
    return answers
