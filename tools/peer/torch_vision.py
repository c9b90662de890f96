#!/usr/bin/env python3
"""Seconds that transformers takes to encode an image with Qwen3-VL's vision encoder on the CPU, in the JSON of `belay bench`.

The shape is that of the 2B model, the weights are random, all in float32 with torch's fused attention. The first round warms up.
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


def main():
    args = parse()
    os.environ.update(ISA[args.isa], OMP_NUM_THREADS=str(args.threads))  # read when torch is loaded
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    model = encoder(torch)
    columns, rows = (side // PATCH for side in args.image_size)
    patches = torch.randn(rows * columns, 3 * 2 * PATCH * PATCH)
    grid = torch.tensor([[1, rows, columns]])
    seconds = []
    with torch.inference_mode():
        for _ in range(args.repeat + 1):
            start = time.perf_counter()
            model(patches, grid_thw=grid)
            seconds.append(time.perf_counter() - start)
    seconds = seconds[1:]
    print(json.dumps({
        "peer": "torch", "package": f"{torch.__version__}, transformers {transformers.__version__}", "isa": args.isa, "threads": args.threads,
        "vision": {"patches": rows * columns, "image_tokens": rows * columns // MERGE**2,
                   "seconds": {"min": min(seconds), "median": statistics.median(seconds), "max": max(seconds)}},
    }))


if __name__ == "__main__":
    main()
