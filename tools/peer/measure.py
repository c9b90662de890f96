#!/usr/bin/env python3
"""Prefill and decode speed of llama.cpp on a GGUF file, in the JSON of `belay bench`.

Prefill: random tokens in batches of 512. Decode: one token at a time behind `depth` tokens. The first round warms up.
Run it with the Python that tools/peer/setup prints.
"""
import argparse
import ctypes
import json
import random
import statistics
import time

import llama_cpp

BATCH = 512


class Peer:
    def __init__(self, path, context, threads):
        self._quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)  # kept: C holds a pointer to it
        llama_cpp.llama_log_set(self._quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        start = time.perf_counter()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"the peer cannot load {path}")
        self.load_s = time.perf_counter() - start
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def feed(self, tokens):
        for at in range(0, len(tokens), BATCH):
            part = tokens[at:at + BATCH]
            array = (llama_cpp.llama_token * len(part))(*part)
            if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(part))) != 0:
                raise SystemExit("the peer failed to decode")
            llama_cpp.llama_synchronize(self.context)


def speed(count, work):
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def first_token(args):
    """Seconds from loading the model to the logits behind a prompt; loading the interpreter is not the peer's fault."""
    start = time.perf_counter()
    peer = Peer(args.model, args.first_token + 8, args.threads)
    peer.feed([1] * args.first_token)
    return {"peer": "llama.cpp", "package": llama_cpp.__version__, "threads": args.threads, "first_token_s": time.perf_counter() - start}


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--first-token", type=int, metavar="N", help="only the seconds to the first token behind a prompt of N")
    args = parser.parse_args()
    if args.first_token:
        print(json.dumps(first_token(args)))
        return

    depth = max(args.depth, 1)
    peer = Peer(args.model, max(args.prefill, depth + args.decode) + 8, args.threads)
    rng = random.Random(1)
    draw = lambda count: [rng.randrange(peer.vocab) for _ in range(count)]
    prefill, decode = [], []
    for _ in range(args.repeat + 1):
        if args.prefill:
            peer.clear()
            tokens = draw(args.prefill)
            prefill.append(speed(args.prefill, lambda: peer.feed(tokens)))
        if args.decode:
            peer.clear()
            peer.feed(draw(depth))
            tokens = draw(args.decode)
            decode.append(speed(args.decode, lambda: [peer.feed([token]) for token in tokens]))
    print(json.dumps({
        "peer": "llama.cpp", "package": llama_cpp.__version__, "threads": args.threads, "load_s": peer.load_s,
        "prefill": {"tokens": args.prefill, "tok_per_s": spread(prefill[1:])} if prefill else None,
        "decode": {"tokens": args.decode, "depth": depth, "tok_per_s": spread(decode[1:])} if decode else None,
    }))


if __name__ == "__main__":
    main()
