"""Runs the program over the cases of a goldens folder, as the reference's generator writes it, and compares token ids,
image features, logits and tokens. For tests, and by hand for any other folder:

    BELAY_TEST_PROGRAM=build/release/bin/belay python3 tests/end_to_end/golden_folder.py GOLDENS [--plugins a,b]
"""
import array
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TYPES = {"F32": "f", "I32": "i", "I64": "q"}
# Of the reference's README: what the mistakes that leave every token right cost is more than this.
TOLERANCES = {"pixel_values": 1e-6, "vis_": 1e-4, "logits": 2e-4}


def read_safetensors(path):
    """Name to (shape, values)."""
    data = Path(path).read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + at for at in entry["data_offsets"])
        values = array.array(TYPES[entry["dtype"]])
        values.frombytes(data[begin:end])
        tensors[name] = (entry["shape"], values)
    return tensors


def largest_difference(a, b):
    assert len(a) == len(b), f"{len(a)} values where {len(b)} belong"
    return max((abs(x - y) for x, y in zip(a, b)), default=0.0)


class Case:
    """One case of the folder, and the words of a command line that runs it."""

    def __init__(self, goldens, name):
        self.goldens = Path(goldens)
        self.name = name
        self.facts = json.loads((self.goldens / "cases" / f"{name}.json").read_text())
        self.tensors = read_safetensors(self.goldens / "cases" / f"{name}.safetensors")

    @property
    def model(self):
        return self.name.split("__")[0]

    def messages(self):
        """The conversation, as --messages takes it."""
        def part(item):
            if "image" in item:
                return {"type": "image", "path": str(self.goldens / "images" / (item["image"] + ".png"))}
            return {"type": "text", "text": item["text"]}

        def content(given):
            return given if isinstance(given, str) else [part(item) for item in given]

        return [{"role": role, "content": content(given)} for role, given in self.facts["messages"]]

    def run(self, program, model_words, folder, *more, **keywords):
        messages, dump = Path(folder) / "messages.json", Path(folder) / "dump.safetensors"
        messages.write_text(json.dumps(self.messages()))
        words = [program, "run", *model_words, "--messages", str(messages), "--json", "--ignore-eos", "--temperature", "0",
                 "--repetition-penalty", "1", "--max-tokens", str(len(self.facts["gen_ids"])), "--dump", str(dump), *more]
        process = subprocess.run(words, capture_output=True, timeout=300, stdin=subprocess.DEVNULL, **keywords)
        assert process.returncode == 0, process.stderr.decode("utf-8", "replace")
        return json.loads(process.stdout), read_safetensors(dump)

    def findings(self, result, dump):
        """What differs from the reference, and the largest differences."""
        found, largest = [], {}

        def compare(name, got, expected, tolerance):
            largest[name] = largest_difference(got, expected)
            if not largest[name] <= tolerance:
                found.append(f"{name} differs by {largest[name]:.2e}")

        prompt = list(self.tensors["input_ids"][1])
        if result["prompt_tokens"] != prompt:
            return [f"the prompt is {result['prompt_tokens']}, not {prompt}"], largest
        if result["tokens"] != self.facts["gen_ids"]:
            found.append(f"the tokens are {result['tokens']}, not {self.facts['gen_ids']}")
        vocab = dump["logits"][0][1]
        rows = dump["logits"][1]
        generated = self.tensors["gen_logits"][1]
        compare("logits", rows[(len(prompt) - 1) * vocab :], generated, TOLERANCES["logits"])
        if "prompt_logits_tail" in self.tensors:
            tail = self.tensors["prompt_logits_tail"][1]
            compare("prompt logits", rows[len(prompt) * vocab - len(tail) : len(prompt) * vocab], tail, TOLERANCES["logits"])
        if "image_grid_thw" in self.tensors:
            self.compare_images(dump, compare)
        return found, largest

    def compare_images(self, dump, compare):
        for name in ("pixel_values", "vis_merged", *(f"vis_deepstack_{level}" for level in range(8))):
            if name in self.tensors:
                compare(name, dump[name][1], self.tensors[name][1], TOLERANCES["vis_" if name.startswith("vis_") else name])
        compare("image_grid_thw", dump["image_grid_thw"][1], self.tensors["image_grid_thw"][1], 0)
        (_, count), got = dump["position_ids"]
        (_, prompt), expected = self.tensors["position_ids"]
        for axis in range(3):
            compare(f"position_ids[{axis}]", got[axis * count : axis * count + prompt], expected[axis * prompt : (axis + 1) * prompt], 0)


def model_forms(goldens, model):
    """The ways in which a model lies in the folder, as words of a command line."""
    folder = Path(goldens) / model
    forms = []
    if (folder / "config.json").exists():
        forms.append(["--model", str(folder)])
    if (folder / "text-f32.gguf").exists():
        forms.append(["--model", str(folder / "text-f32.gguf"), "--mmproj", str(folder / "mmproj-f32.gguf")])
    if model.endswith("_mixed"):
        forms.append(["--model", str(Path(goldens) / model.removesuffix("_mixed") / "model-mixed.gguf")])
    if (folder / "model-k.gguf").exists():
        forms.append(["--model", str(folder / "model-k.gguf")])
    return forms


def main():
    goldens, more = sys.argv[1], sys.argv[2:]
    program = os.environ["BELAY_TEST_PROGRAM"]
    names = sorted(path.stem for path in (Path(goldens) / "cases").glob("*__*.json"))
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            case = Case(goldens, name)
            for form in model_forms(goldens, case.model):
                found, largest = case.findings(*case.run(program, form, folder, "--level", "minimal", *more))
                figures = ", ".join(f"{key} {value:.1e}" for key, value in largest.items() if value > 0)
                print(f"{'FAILED' if found else 'ok'}  {name}  {Path(form[1]).name}  {figures}  {'; '.join(found)}")
                failed, passed = failed + bool(found), passed + (not found)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
