#!/usr/bin/env python3
"""Qwen3-VL in transformers on the CPU, in the JSON of `belay bench`: seconds to encode an image, tokens a second of a prefill.

The shape is that of the 2B model, the weights are random, all in float32 with torch's fused attention; the decoder takes 7 GB. The first
round warms up.
It runs with a Python that has torch and transformers (made with torch 2.15, transformers 5.23).
"""
import argparse
import json
import os
import statistics
import time

PATCH, MERGE = 16, 2
ISA = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "native": {},
}


def size(text):
    width, height = (int(side) for side in text.split("x"))
    side = PATCH * MERGE
    if min(width, height) < side or width % side or height % side:
        raise argparse.ArgumentTypeError(f"both sides must be multiples of {side}, as no resize happens here")
    return width, height


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=size, default="1024x768", metavar="WIDTHxHEIGHT")
    parser.add_argument("--prefill", type=int, default=0, metavar="TOKENS", help="of a prompt without an image; 0: none")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--isa", choices=sorted(ISA), default="avx2", help="the instructions that torch and its libraries may use")
    return parser.parse_args()


def encoder(torch):
    from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLVisionConfig
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionModel

    config = Qwen3VLVisionConfig(
        depth=24, hidden_size=1024, num_heads=16, intermediate_size=4096, out_hidden_size=2048, patch_size=PATCH,
        spatial_merge_size=MERGE, temporal_patch_size=2, num_position_embeddings=2304, deepstack_visual_indexes=[5, 11, 17])
    torch.manual_seed(1)
    return Qwen3VLVisionModel._from_config(config, attn_implementation="sdpa", dtype=torch.float32).eval()


def decoder(torch):
    from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextModel

    config = Qwen3VLTextConfig(
        vocab_size=151936, hidden_size=2048, intermediate_size=6144, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
        head_dim=128)
    torch.manual_seed(2)
    return Qwen3VLTextModel._from_config(config, attn_implementation="sdpa", dtype=torch.float32).eval()


def rounds(run, repeat):
    """Seconds of each, behind one that warms up."""
    seconds = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def spread(figures):
    return {"min": min(figures), "median": statistics.median(figures), "max": max(figures)}


def encode(torch, args):
    model = encoder(torch)
    columns, rows = (side // PATCH for side in args.image_size)
    patches = torch.randn(rows * columns, 3 * 2 * PATCH * PATCH)
    grid = torch.tensor([[1, rows, columns]])
    seconds = rounds(lambda: model(patches, grid_thw=grid), args.repeat)
    return {"patches": rows * columns, "image_tokens": rows * columns // MERGE**2, "seconds": spread(seconds)}


def prefill(torch, args):
    model = decoder(torch)
    head = model.get_input_embeddings().weight  # tied
    ids = torch.arange(args.prefill).remainder(head.shape[0])[None]
    seconds = rounds(lambda: model(input_ids=ids, use_cache=True).last_hidden_state[:, -1] @ head.T, args.repeat)
    return {"tokens": args.prefill, "tok_per_s": spread([args.prefill / s for s in seconds])}


def main():
    args = parse()
    os.environ.update(ISA[args.isa], OMP_NUM_THREADS=str(args.threads))  # read when torch is loaded
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    answer = {"peer": "torch", "package": f"{torch.__version__}, transformers {transformers.__version__}", "isa": args.isa,
              "threads": args.threads}
    with torch.inference_mode():
        answer["vision"] = encode(torch, args)
        if args.prefill:
            answer["prefill"] = prefill(torch, args)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
