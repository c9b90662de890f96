#!/usr/bin/env python3
"""Qwen3-VL as its users run it: from a Hugging Face folder and from GGUF, with images in any place, and as a chat."""
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import zlib
from pathlib import Path

from golden_folder import Case
from program import BELAY, GOLDENS, MODEL, ProgramTest

VISION = os.path.join(GOLDENS, "vl_b")
CASES = ("vl_b__two_images", "vl_b__text")
IMAGE = os.path.join(GOLDENS, "images", "tiny.png")


def png(width, height, rows=None, colour_type=2):
    """A PNG file of black pixels, or of the compressed rows that are given."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" * (1 + 3 * width) for _ in range(height))) if rows is None else rows
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class VisionTest(ProgramTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.home)

    def plugins(self):
        """The choices of plugins that run a whole model here."""
        usable = {plugin["id"] for plugin in self.belay("probe", "--json").json()["plugins"] if plugin["verdict"] == "usable"}
        choices = ("cpu_scalar", "cpu_sse", "cpu_avx2", "cpu_openblas,cpu_scalar")
        return [choice for choice in choices if usable.issuperset(choice.split(","))]

    def check(self, name, model_words, *more):
        case = Case(GOLDENS, name)
        found, _ = case.findings(*case.run(BELAY, model_words, self.folder, "--level", "minimal", *more, env=self.environment()))
        self.assertEqual(found, [], f"{name} with {more}")

    def test_goldens_on_every_plugin(self):
        for choice in ([], *(["--plugins", plugin] for plugin in self.plugins())):
            for name in CASES:
                self.check(name, ["--model", VISION], *choice)

    def test_openblas_has_what_the_user_gives_it(self):
        """The encoder's f32 weights; by itself it stands behind the faster plugins."""
        words = ("run", "--model", VISION, "--image", IMAGE, "--prompt", "Hi", "--level", "minimal", "--max-tokens", "2", "--json")
        self.assertNotIn("cpu_openblas", self.belay(*words).json()["ops"])
        choice = "cpu_openblas,cpu_scalar"
        if choice not in self.plugins():
            self.skipTest("cpu_openblas cannot run here; belay probe says why")
        answer = self.belay(*words, "--plugins", choice).json()
        self.assertGreater(answer["ops"]["cpu_openblas"], 0)
        self.assertEqual(answer["fallbacks"], [])

    def test_converted_to_gguf(self):
        out = os.path.join(self.folder, "model.gguf")
        report = self.belay("convert", "--model", VISION, "--out", out, "--json").json()
        vision = os.path.join(self.folder, "model.mmproj.gguf")
        self.assertEqual([file["path"] for file in report["files"]], [out, vision])
        self.assertEqual(report["files"][0]["bytes"], os.path.getsize(out))
        for name in CASES:
            self.check(name, ["--model", out, "--mmproj", vision])

    def test_default_level_stays_near(self):
        case = Case(GOLDENS, "vl_b__two_images")
        _, dump = case.run(BELAY, ["--model", VISION], self.folder, env=self.environment())
        for name in ("vis_merged", "vis_deepstack_0", "vis_deepstack_1", "vis_deepstack_2"):
            expected = case.tensors[name][1]
            error = sum((a - b) ** 2 for a, b in zip(dump[name][1], expected)) / sum(b * b for b in expected)
            self.assertLess(error ** 0.5, 0.03, name)

    def run_words(self, *words):
        return self.belay("run", "--model", VISION, "--level", "minimal", "--max-tokens", "3", "--json", *words)

    def test_ways_to_give_an_image(self):
        messages = self.write("messages.json", json.dumps([{"role": "user", "content": [{"type": "image", "path": IMAGE}, {"type": "text", "text": "What?"}]}]))
        whole = self.run_words("--messages", messages).json()
        short = self.run_words("--prompt", "What?", "--image", IMAGE).json()
        markup = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n"
        raw = self.run_words("--prompt", markup, "--raw", "--image", IMAGE).json()
        ids = self.run_words("--prompt-ids", self.write("ids.json", json.dumps(whole["prompt_tokens"])), "--image", IMAGE).json()
        self.assertEqual(whole["tokens"], short["tokens"])
        self.assertEqual(whole["prompt_tokens"], short["prompt_tokens"])
        self.assertEqual(whole["prompt_tokens"], raw["prompt_tokens"])
        self.assertEqual(whole["tokens"], ids["tokens"])
        self.assertGreater(whole["image_tokens"], 0)
        self.assertGreater(whole["timings"]["vision_s"], 0)
        self.assertGreater(whole["timings"]["preprocess_s"], 0)

    def test_pixel_bounds(self):
        small = self.run_words("--prompt", "x", "--image", IMAGE, "--image-max-pixels", "1024").json()
        self.assertEqual(small["image_tokens"], 1)
        self.assert_error(self.run_words("--prompt", "x", "--image", IMAGE, "--image-max-pixels", "0"), 2, "image-max-pixels")

    def test_interrupted_prefill_is_no_crash(self):
        result = self.run_words("--prompt", "x", "--image", IMAGE, "--deadline", "0.000001")
        self.assertEqual(result.code, 124)

    def test_where_images_do_not_go(self):
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "x", "--image", IMAGE), 3, "takes no images", "llama")
        self.assert_error(self.run_words("--prompt", "<|image_pad|>", "--image", IMAGE), 3, "1 images", "2 places")
        self.assert_error(self.run_words("--prompt", "none", "--raw", "--image", IMAGE), 3, "0 places")
        messages = self.write("messages.json", '[{"role":"user","content":"a"}]')
        self.assert_error(self.run_words("--messages", messages, "--image", IMAGE), 2, "--messages and --image")

    def test_bad_images(self):
        whole = Path(IMAGE).read_bytes()
        bad = {
            "empty": b"", "truncated": whole[: len(whole) // 2], "text": b"hello", "gif": b"GIF89a" + b"\0" * 64,
            "webp": b"RIFF\0\0\0\0WEBPVP8 ", "no pixels": png(0, 4), "bomb": png(60000, 60000, rows=zlib.compress(b"\0" * 1000)),
            "thin": png(1, 10000), "no rows": png(8, 8, rows=b""),
        }
        for name, data in bad.items():
            with self.subTest(name):
                path = self.write("bad.png", data)
                self.assert_error(self.run_words("--prompt", "x", "--image", path), 3, "bad.png")
        self.assert_error(self.run_words("--prompt", "x", "--image", "/no/such.png"), 3, "/no/such.png")

    def test_bench_encodes_an_image(self):
        words = ("bench", "--model", VISION, "--prefill", "8", "--decode", "0", "--repeat", "2")
        answer = self.belay(*words, "--image-size", "96x64", "--json").json()
        self.assertEqual((answer["vision"]["patches"], answer["vision"]["image_tokens"]), (24, 6))
        seconds = answer["vision"]["seconds"]
        self.assertTrue(0 < seconds["min"] <= seconds["median"] <= seconds["max"], seconds)
        self.assertEqual(answer["prefill"]["tokens"], 8)
        self.assertIsNone(answer["decode"])
        self.assertRegex(self.belay(*words, "--image-size", "96x64").out.decode(), r"image +6 tokens +[0-9.]+ s .*24 patches")
        self.assertIsNone(self.belay(*words, "--json").json()["vision"])
        for size in ("96", "96x", "x64", "0x64", "96x64x3", "-96x64", "9000x9000", "99999999999x1"):
            self.assert_error(self.belay(*words, "--image-size", size), 2, "--image-size", "WIDTHxHEIGHT")
        self.assert_error(self.belay(*words, "--image-size", "9600x8"), 3, "--image-size")
        self.assert_error(self.belay(*words, "--image-size", "96x64", "--deadline", "0.000001"), 124)
        self.assert_error(self.belay("bench", "--model", MODEL, "--image-size", "96x64"), 3, "takes no images")

    def broken(self, change):
        """A copy of the model's folder with something wrong in it."""
        folder = os.path.join(self.folder, "model")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(VISION, folder)
        change(Path(folder))
        return folder

    def edit(self, name, **fields):
        def change(folder):
            data = json.loads((folder / name).read_text())
            data.update(fields)
            (folder / name).write_text(json.dumps(data))

        return change

    def retype(self, name, old, new):
        """Another type for the first tensor of a file, of the same length in the header."""
        def change(folder):
            data = (folder / name).read_bytes()
            size = struct.unpack_from("<Q", data)[0]
            header = data[8 : 8 + size].replace(f'"{old}"'.encode(), f'"{new}"'.encode(), 1)
            header = header[:size] if header.endswith(b" ") else header
            (folder / name).write_bytes(struct.pack("<Q", len(header)) + header + data[8 + size :])

        return change

    def test_broken_folders(self):
        config = json.loads((Path(VISION) / "config.json").read_text())
        vision, text = config["vision_config"], config["text_config"]
        cases = [
            (lambda f: (f / "config.json").unlink(), "config.json"),
            (lambda f: (f / "config.json").write_text("{"), "config.json"),
            (self.edit("config.json", model_type="mamba"), "mamba", "qwen3vl"),
            (self.edit("config.json", text_config=None), "text_config"),
            (self.edit("config.json", text_config=dict(text, hidden_act="gelu")), "hidden_act"),
            (self.edit("config.json", text_config=dict(text, num_attention_heads=0)), "num_attention_heads"),
            (self.edit("config.json", text_config=dict(text, hidden_size="96")), "hidden_size"),
            (self.edit("config.json", text_config=dict(text, num_hidden_layers=5)), "blk.4."),
            (self.edit("config.json", vision_config=dict(vision, num_position_embeddings=99)), "num_position_embeddings"),
            (self.edit("config.json", vision_config=dict(vision, num_position_embeddings=81)), "position_embd"),
            (self.edit("config.json", vision_config=dict(vision, deepstack_visual_indexes=[3, 2])), "deepstack"),
            (self.edit("config.json", vision_config=dict(vision, out_hidden_size=72)), "72"),
            (self.edit("config.json", vision_config=dict(vision, patch_size=14)), "patch_size"),
            (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "model-00002-of-00002.safetensors"),
            (lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b"\xff" * 64), "model-00001-of-00002.safetensors"),
            (self.retype("model-00001-of-00002.safetensors", "BF16", "F8_E4M3"), "model-00001-of-00002.safetensors"),
            (self.retype("model-00001-of-00002.safetensors", "BF16", "I16"), "model-00001-of-00002.safetensors"),
            (lambda f: (f / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}'), "tokenizer.json"),
            (lambda f: (f / "preprocessor_config.json").write_text('{"image_mean": [1]}'), "image_mean"),
            (lambda f: (f / "generation_config.json").write_text('{"temperature": "hot"}'), "temperature"),
        ]
        for change, *parts in cases:
            with self.subTest(parts):
                self.assert_error(self.belay("run", "--model", self.broken(change), "--prompt", "x", "--image", IMAGE), 3, *parts)

    def test_gguf_without_its_vision_part(self):
        out = os.path.join(self.folder, "m.gguf")
        self.belay("convert", "--model", VISION, "--out", out, "--mmproj-out", out + ".mmproj")
        self.assert_error(self.belay("run", "--model", out, "--prompt", "x", "--image", IMAGE), 3, "--mmproj")
        self.assert_error(self.belay("run", "--model", MODEL, "--mmproj", out + ".mmproj", "--prompt", "x"), 3, "llama")
        self.assert_error(self.belay("run", "--model", out, "--mmproj", MODEL, "--prompt", "x"), 3, "clip")
        self.assert_error(self.belay("run", "--model", out, "--quantize", "q8_0", "--prompt", "x"), 2, "--quantize")
        self.assert_error(self.belay("convert", "--model", VISION), 2, "--out")
        self.assert_error(self.belay("convert", "--model", VISION, "--out", "/no/such/folder/m.gguf"), 2, "/no/such/folder")


class ChatTest(ProgramTest):
    """`belay run` without a prompt on a terminal."""

    def setUp(self):
        self.terminal, child = pty.openpty()
        words = [BELAY, "run", "--model", VISION, "--level", "minimal", "--max-tokens", "4", "--temperature", "0"]
        self.process = subprocess.Popen(words, env=self.environment(), stdin=child, stdout=child, stderr=child, close_fds=True)
        os.close(child)
        self.seen = ""

    def tearDown(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, (text + "\n").encode())

    def expect(self, part, seconds=60):
        """Reads until `part` stands on the screen behind what was expected before."""
        until = time.monotonic() + seconds
        while part not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0, until - time.monotonic()))
            self.assertTrue(ready, f"{part!r} did not come; the screen says {self.seen!r}")
            self.seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
        before, _, self.seen = self.seen.partition(part)
        return before

    def test_a_conversation_with_an_image(self):
        self.expect("> ")
        self.type("Hello")
        self.expect(" positions]")
        self.expect("> ")
        self.type(f"/image {IMAGE}")
        self.expect("tokens; it goes with your next message]")
        self.type("And this?")
        with_image = self.expect(" positions]")
        self.assertIn("length", with_image)
        self.expect("> ")
        self.type("/image /no/such.png")
        self.expect("/no/such.png")
        self.expect("> ")
        self.type("/nonsense")
        self.expect("/help lists them")
        self.expect("> ")
        self.type("/clear")
        self.expect("[forgotten]")
        self.expect("> ")
        self.type("/exit")
        self.assertEqual(self.process.wait(timeout=30), 0)

    def test_the_same_answer_after_it_was_forgotten(self):
        self.expect("> ")
        answers = []
        for _ in range(2):
            self.type("Tell me")
            self.expect("\n")
            answers.append(self.expect("["))
            self.expect("> ")
            self.type("/clear")
            self.expect("> ")
        self.assertEqual(answers[0], answers[1])

    def test_the_end_of_input_ends_the_chat(self):
        self.expect("> ")
        os.write(self.terminal, b"\x04")
        self.assertEqual(self.process.wait(timeout=30), 0)

    def test_ctrl_c_at_the_prompt_ends_the_chat(self):
        self.expect("> ")
        self.process.send_signal(2)
        self.assertEqual(self.process.wait(timeout=30), 0)


if __name__ == "__main__":
    unittest.main()
