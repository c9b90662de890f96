#!/usr/bin/env python3
"""Copies into tests/fixtures/goldens the part of the reference goldens that the tests read.

    tools/make_fixtures.py GOLDENS [OUT]

GOLDENS is the folder that the generator `make_goldens.py` writes (its README says how). Copied as they are: the two
quantised llama models, their cases, the quantisation blocks, the tokenizer cases and the SmolLM2 reference outputs. Made
here: `qwen_tokenizer.gguf`, the metadata of the tiny Qwen3-VL text model without its tensors. Needs Python 3.11 only.
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
    "cases/llama_a_mixed__long.safetensors",
    "cases/llama_a_mixed__text.json",
    "cases/llama_a_mixed__text.safetensors",
    "cases/llama_k__text.json",
    "cases/llama_k__text.safetensors",
    "cases/quant_blocks.safetensors",
    "cases/tokenizer_cases.json",
    "smollm2_goldens.json",
]
QWEN_SOURCE, QWEN_TOKENIZER = "vl_a/text-f32.gguf", "qwen_tokenizer.gguf"
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
    source = json.loads((goldens / "manifest.json").read_text())
    manifest = {
        "seed": source["seed"],
        "versions": source["versions"],
        "tree_sha256": source["tree_sha256"],
        "files": {name: facts(out / name) for name in sorted([*COPIED, QWEN_TOKENIZER])},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
