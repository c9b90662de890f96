#!/usr/bin/env python3
"""Copies into tests/fixtures/goldens the part of the reference goldens that the tests read.

    tools/make_fixtures.py GOLDENS [OUT]

GOLDENS is the folder that the generator `make_goldens.py` writes (its README says how). Copied as they are: the two
quantised llama models, their cases, the quantisation blocks, the tokenizer cases, the tokenizers of three models, the
SmolLM2 reference outputs, the images and the sizes they are resized to, and one Qwen3-VL model in bfloat16. Made here:
`qwen_tokenizer.gguf`, the metadata of the tiny Qwen3-VL text model without its tensors; `cases/images.safetensors`, what
preprocessing makes of the images: `NAME.resized`, the SHA-256 of the decoded pixels as the attribute `NAME.rgb`, and
`NAME.pixel_values` of the upper half of the smallest one; the cases of the Qwen3-VL model without what lies between image and logits. Needs
Python 3.11 only.
"""
import hashlib
import json
import shutil
import struct
import sys
from pathlib import Path

COPIED = [
    "llama_a/model-mixed.gguf",
    "llama_k/model-k.gguf",
    "cases/llama_a_mixed__long.json",
    "cases/llama_a_mixed__text.json",
    "cases/llama_k__text.json",
    "cases/quant_blocks.safetensors",
    "cases/smart_resize.json",
    "cases/tokenizer_cases.json",
    "images/grad.png",
    "images/gray.png",
    "images/rgba.png",
    "images/shapes.png",
    "images/tiny.png",
    "images/wide.png",
    "smollm2_goldens.json",
]
# The tokenizers of the models as Hugging Face folders.
COPIED += [
    f"{model}/{name}"
    for model in ("llama_a", "vl_a", "vl_b")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
]
COPIED += ["vl_a/chat_template.json", "vl_b/chat_template.json"]
# A whole vision model, in two shards.
COPIED += [
    "vl_b/config.json",
    "vl_b/model-00001-of-00002.safetensors",
    "vl_b/model-00002-of-00002.safetensors",
    "vl_b/model.safetensors.index.json",
    "vl_b/preprocessor_config.json",
    "cases/vl_b__text.json",
    "cases/vl_b__two_images.json",
]
# Cases of whole models, without what lies between prompt and logits. Every image but the largest is here, so a case of it is not.
CASES = ["llama_a_mixed__long", "llama_a_mixed__text", "llama_k__text", "vl_b__text", "vl_b__two_images"]
CASE_TENSORS = ("input_ids", "position_ids", "image_grid_thw", "vis_merged", "vis_deepstack_", "gen_")
LARGEST_IMAGE = "noise"
CASE_FILES = [f"cases/{case}.safetensors" for case in CASES]
QWEN_SOURCE, QWEN_TOKENIZER = "vl_a/text-f32.gguf", "qwen_tokenizer.gguf"
IMAGES = "cases/images.safetensors"
SMALLEST, SMALLEST_CASE, SMALLEST_PLACE = "tiny", "vl_a__two_images", 1
SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9


def metadata_end(data: bytes) -> int:
    """The offset behind the last key of a GGUF file's metadata."""

    def u64(at: int) -> int:
        return struct.unpack_from("<Q", data, at)[0]

    def u32(at: int) -> int:
        return struct.unpack_from("<I", data, at)[0]

    def after_value(at: int, kind: int) -> int:
        if kind == STRING:
            return at + 8 + u64(at)
        if kind != ARRAY:
            return at + SCALAR_BYTES[kind]
        kind, count, at = u32(at), u64(at + 4), at + 12
        for _ in range(count):
            at = after_value(at, kind)
        return at

    assert data[:4] == b"GGUF" and u32(4) == 3, "a GGUF file of version 3 is expected"
    at = 24
    for _ in range(u64(16)):
        at += 8 + u64(at)
        at = after_value(at + 4, u32(at))
    return at


def without_tensors(data: bytes) -> bytes:
    return data[:8] + struct.pack("<Q", 0) + data[16 : metadata_end(data)]


def read_safetensors(path: Path) -> dict:
    """Name to (type, shape, bytes)."""
    data = path.read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    slices = {name: slice(*(start + at for at in entry["data_offsets"])) for name, entry in header.items()}
    return {name: (entry["dtype"], entry["shape"], data[slices[name]]) for name, entry in header.items()}


def safetensors(tensors: dict, attributes: dict) -> bytes:
    header, at = {"__metadata__": attributes}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def smallest_pixel_values(goldens: Path) -> tuple:
    """The rows of pixel_values that belong to the upper half of the smallest image of the goldens."""
    case = read_safetensors(goldens / f"cases/{SMALLEST_CASE}.safetensors")
    _, (n_images, _), grids = case["image_grid_thw"]
    counts = [t * h * w for t, h, w in struct.iter_unpack("<3i", grids)]
    assert len(counts) == n_images, "image_grid_thw holds i32"
    first, count = sum(counts[:SMALLEST_PLACE]), counts[SMALLEST_PLACE] // 2
    dtype, (_, width), data = case["pixel_values"]
    return dtype, [count, width], data[first * width * 4 : (first + count) * width * 4]


def preprocessed_images(goldens: Path) -> bytes:
    source = read_safetensors(goldens / "cases/preproc.safetensors")
    tensors = {name: tensor for name, tensor in sorted(source.items()) if name.endswith(".resized") and not name.startswith(LARGEST_IMAGE)}
    tensors[f"{SMALLEST}.pixel_values"] = smallest_pixel_values(goldens)
    attributes = {name: hashlib.sha256(tensor[2]).hexdigest() for name, tensor in source.items() if name.endswith(".rgb")}
    return safetensors(dict(sorted(tensors.items(), key=lambda item: item[1][0])), attributes)


def trimmed_case(path: Path) -> bytes:
    """What a test of the whole model compares, widest elements first."""
    kept = {name: tensor for name, tensor in read_safetensors(path).items() if name.startswith(CASE_TENSORS)}
    return safetensors(dict(sorted(kept.items(), key=lambda item: item[1][0])), {})


def facts(path: Path) -> dict:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def main() -> None:
    goldens = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "tests/fixtures/goldens"
    for name in COPIED:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(goldens / name, out / name)
    (out / QWEN_TOKENIZER).write_bytes(without_tensors((goldens / QWEN_SOURCE).read_bytes()))
    (out / IMAGES).write_bytes(preprocessed_images(goldens))
    for name in CASE_FILES:
        (out / name).write_bytes(trimmed_case(goldens / name))
    source = json.loads((goldens / "manifest.json").read_text())
    manifest = {
        "seed": source["seed"],
        "versions": source["versions"],
        "tree_sha256": source["tree_sha256"],
        "files": {name: facts(out / name) for name in sorted([*COPIED, *CASE_FILES, QWEN_TOKENIZER, IMAGES])},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
