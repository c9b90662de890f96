"""The usual run of tools/bench: each CPU plugin on SmolLM2, dispatch and start-up; with --vision what an image and a prefill of that model take."""
import os
import statistics
import sys

from bench_lib import programs
from bench_lib.programs import interleaved


def medians(answers):
    return {name: {figure: statistics.median(answer[figure] for answer in given) for figure in given[0]} for name, given in answers.items()}


def throughput(model, rounds, peer, all_threads):
    table = {}
    for threads in all_threads:
        asked = {plugin: (lambda p=plugin, t=threads: programs.belay_bench(model, p, t)) for plugin in ("cpu_avx2", "cpu_sse")}
        # The scalar plugin is slow: fewer tokens say as much.
        asked["cpu_scalar"] = lambda t=threads: programs.belay_bench(model, "cpu_scalar", t, prefill=64, decode=16)
        if peer:
            asked["llama.cpp avx2"] = lambda t=threads: programs.peer_bench(peer, model, t)
        table[threads] = medians(interleaved(asked, rounds))
    return table


def vision(files, rounds, torch, all_threads):
    table = {}
    for threads in all_threads:
        asked = {level: (lambda l=level, t=threads: programs.belay_vision(l, t, *files)) for level in ("minimal", "moderate")}
        if torch:
            asked["torch avx2"] = lambda t=threads: programs.torch_vision(torch, t)
        table[threads] = medians(interleaved(asked, rounds))
    return table


def text_report(args):
    model = programs.smollm2()
    peer = os.path.join(args.peer, "avx2", "bin", "python") if args.peer else None
    if peer and not os.path.exists(peer):
        sys.exit(f"tools/bench: no peer in {args.peer}; build it with tools/peer/setup {args.peer} avx2")
    report = {"throughput": throughput(model, args.rounds, peer, args.threads), "latency": {}}
    dispatch = programs.core("dispatch")
    opened = [programs.open_ms(cold=False) for _ in range(15)]
    first = [programs.wall_ms(*programs.first_run(model, "--max-tokens", "1")) for _ in range(15)]
    report["latency"]["one dispatch over a direct call, ns (goal 10)"] = round(dispatch["dispatch_ns"] - dispatch["direct_ns"], 1)
    report["latency"]["manifests, choice, plugin open, probes cached, ms (goal 2.5)"] = round(statistics.median(opened), 2)
    report["latency"]["process start to first token, ms"] = round(statistics.median(first), 1)
    return report


def vision_report(args):
    return {"vision": vision(args.vision, args.rounds, args.torch, args.threads)}


def show_vision(report):
    print(f"{programs.IMAGE_SIZE:16} {'threads':>7} {'seconds':>14} {'times torch':>13} {'prefill tok/s':>14} {'times torch':>13}")
    for threads, table in report["vision"].items():
        peer = table.get("torch avx2")
        for name, took in table.items():
            encodes = f"{peer['seconds'] / took['seconds']:.2f}" if peer else ""
            reads = f"{took['prefill'] / peer['prefill']:.2f}" if peer else ""
            print(f"{name:16} {threads:>7} {took['seconds']:>14.2f} {encodes:>13} {took['prefill']:>14.1f} {reads:>13}")


def show_text(report):
    print(f"{'':16} {'threads':>7} {'prefill tok/s':>14} {'decode tok/s':>13}")
    for threads, table in report["throughput"].items():
        for name, speed in table.items():
            print(f"{name:16} {threads:>7} {speed['prefill']:>14.1f} {speed['decode']:>13.1f}")
        peer = table.get("llama.cpp avx2")
        if peer:
            ours = table["cpu_avx2"]
            print(f"{'ratio to peer':16} {threads:>7} {ours['prefill'] / peer['prefill']:>14.2f} {ours['decode'] / peer['decode']:>13.2f}")
    for name, figure in report["latency"].items():
        print(f"{name}: {figure}")
