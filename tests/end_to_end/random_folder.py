"""A Hugging Face folder with random bf16 weights, for tests that need more of them than a golden model has.

    python3 random_folder.py OUT LAYERS WIDTH FFN_WIDTH
"""
import json
import os
import random
import shutil
import struct
import sys

HEAD_DIM = 64
VOCABULARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "goldens", "vl_b")
TOKENS = 640


def tensors_of(layers, width, ffn):
    """Name and shape of each, as Qwen3 has them."""
    yield "model.embed_tokens.weight", (TOKENS, width)
    yield "model.norm.weight", (width,)
    for layer in range(layers):
        for name, shape in (("input_layernorm", (width,)), ("post_attention_layernorm", (width,)),
                            ("self_attn.q_proj", (width, width)), ("self_attn.k_proj", (width // 2, width)),
                            ("self_attn.v_proj", (width // 2, width)), ("self_attn.o_proj", (width, width)),
                            ("self_attn.q_norm", (HEAD_DIM,)), ("self_attn.k_norm", (HEAD_DIM,)),
                            ("mlp.gate_proj", (ffn, width)), ("mlp.up_proj", (ffn, width)), ("mlp.down_proj", (width, ffn))):
            yield f"model.layers.{layer}.{name}.weight", shape


def random_values(count, generator):
    """bf16 of both signs and about 0.01 to 0.03: of any byte the high one of such a value."""
    low = generator.randbytes(count)
    signs = bytes(0xBC if byte & 1 else 0x3C for byte in range(256))
    values = bytearray(2 * count)
    values[0::2] = low
    values[1::2] = low[::-1].translate(signs)
    return bytes(values)


def write_folder(out, layers, width, ffn):
    os.makedirs(out, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(os.path.join(VOCABULARY, name), os.path.join(out, name))
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": width, "intermediate_size": ffn,
              "num_hidden_layers": layers, "num_attention_heads": width // HEAD_DIM, "num_key_value_heads": width // HEAD_DIM // 2,
              "head_dim": HEAD_DIM, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
              "rope_theta": 1e6, "tie_word_embeddings": True, "vocab_size": TOKENS, "attention_bias": False,
              "bos_token_id": 600, "eos_token_id": 602}
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    generator = random.Random(7)
    header, data = {}, []
    end = 0
    for name, shape in tensors_of(layers, width, ffn):
        values = random_values(shape[0] * shape[1], generator) if len(shape) == 2 else struct.pack("<H", 0x3F80) * shape[0]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + len(values)]}
        end += len(values)
        data.append(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers lie at multiples of their size, as their makers have them
    with open(os.path.join(out, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


if __name__ == "__main__":
    write_folder(sys.argv[1], *map(int, sys.argv[2:5]))
