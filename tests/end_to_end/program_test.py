"""The commands, their JSON, exit statuses and messages."""
import ctypes
import json
import os
import signal
import subprocess
import time
import unittest

from program import BELAY, FAULTY, GOLDENS, MACHINES, MODEL, ProgramTest


def golden(name):
    with open(os.path.join(GOLDENS, "cases", name + ".json"), encoding="utf-8") as file:
        return json.load(file)


class Commands(ProgramTest):
    def test_help_and_usage(self):
        self.assertEqual(self.belay("--help").code, 0)
        for command in ("probe", "plan", "run", "bench", "eval"):
            result = self.belay(command, "--help")
            self.assertEqual(result.code, 0)
            self.assertIn(b"--level", result.out)
        self.assert_error(self.belay(), 2, "--help")
        self.assert_error(self.belay("walk"), 2, "walk")
        self.assert_error(self.belay("run", "--promt", "x"), 2, "did you mean --prompt")
        self.assert_error(self.belay("run", "--prompt", "x", "stray"), 2, '"stray"', "quotes")
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "x", "--plugin-option", "nobody.key=1"), 2, "nobody", "belay probe")
        self.assert_error(self.belay("run", "--level", "extreme"), 2, "extreme", "minimal")
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "a", "--prompt-file", "b"), 2, "keep one")

    def test_probe(self):
        answer = self.belay("probe", "--json").json()
        self.assertEqual(answer["schema"], "belay.probe/1")
        for field in ("vendor", "model", "physical_cores", "logical_cpus", "usable_cpus", "l1d_bytes", "l2_bytes", "l3_bytes", "isa"):
            self.assertIn(field, answer["hardware"]["cpu"])
        plugins = {plugin["id"]: plugin for plugin in answer["plugins"]}
        self.assertEqual(plugins["cpu_scalar"]["verdict"], "usable")
        self.assertIn("usable", self.belay("probe").out.decode())

    def test_probe_says_that_openblas_is_missing(self):
        try:
            ctypes.CDLL("libopenblas.so.0")
            missing = False
        except OSError:
            missing = True
        plugins = {plugin["id"]: plugin for plugin in self.belay("probe", "--json").json()["plugins"]}
        refused = plugins["cpu_openblas"].get("reason") == "NO_DRIVER" and "libopenblas0-serial" in plugins["cpu_openblas"]["detail"]
        self.assertEqual(refused, missing)

    def test_probe_says_that_there_is_no_nvidia_driver(self):
        plugins = {plugin["id"]: plugin for plugin in self.belay("probe", "--json").json()["plugins"]}
        if "cuda_sm61" not in plugins:
            self.skipTest("cuda_sm61 is not built: no NVRTC")
        if os.path.exists("/dev/nvidiactl"):
            self.skipTest("this machine has an NVIDIA driver")
        self.assertEqual(plugins["cuda_sm61"]["verdict"], "refused")
        self.assertEqual(plugins["cuda_sm61"]["reason"], "NO_DRIVER")

    def test_plan_of_this_machine(self):
        plan = self.belay("plan", "--model", MODEL, "--json").json()
        self.assertEqual(plan["schema"], "belay.plan/1")
        computing = [plugin for plugin in plan["selected"] if plugin != "nvme_offload"]
        self.assertEqual(computing[-1], "cpu_scalar")
        self.assertTrue(plan["optimal"])
        complete = [plugin for plugin in computing if plugin != "cpu_openblas"]
        self.assertEqual(plan["chains"]["linear/q4_1"], complete)
        self.assertEqual(plan["placement"][0]["first_layer"], 0)
        self.assertGreater(plan["memory"]["tiers"][0]["bytes_planned"], 0)
        self.assertIn("why", self.belay("plan", "--explain").out.decode())

    def test_plan_of_another_machine(self):
        """Libraries are neither opened nor required."""
        hardware = self.write("laptop.toml", '[cpu]\nvendor = "GenuineIntel"\nphysical_cores = 4\nusable_cpus = 8\nisa = ["x86-64-v2"]\n')
        manifests = os.path.join(self.home, "manifests")
        os.makedirs(manifests, exist_ok=True)
        source = os.path.join(os.path.dirname(BELAY), "..", "lib", "belay", "plugins")
        for name in os.listdir(source):
            if name.endswith(".toml"):
                with open(os.path.join(source, name), "rb") as file:
                    self.write(os.path.join("manifests", name), file.read())
        plan = self.belay("plan", "--hardware", hardware, "--manifests", manifests, "--json", "--model", MODEL).json()
        self.assertEqual(plan["selected"], ["cpu_sse", "cpu_openblas", "cpu_scalar", "nvme_offload"])
        refused = {entry["id"]: entry for entry in plan["refused"]}
        self.assertEqual(refused["cpu_avx2"]["stage"], "fit")
        self.assertEqual(refused["cpu_avx2"]["reason"], "CPU_FEATURE")
        self.assertIn("avx2", refused["cpu_avx2"]["detail"])

    def test_recorded_machines_are_planned(self):
        for name in sorted(os.listdir(MACHINES)):
            expected = os.path.join(MACHINES, name, "expected.toml")
            if os.path.exists(expected):
                with self.subTest(machine=name):
                    self.assertEqual(self.belay("plan", "--hardware", expected, "--json").code, 0)

    def test_the_peak_is_the_programs_own(self):
        """Not that of who started it."""
        held = b"x" * (512 << 20)
        answer = self.belay("run", "--model", MODEL, "--prompt", "Hello", "--max-tokens", "2", "--json").json()
        self.assertLess(answer["peak_rss_bytes"], len(held))

    def test_run(self):
        case = golden("llama_a_mixed__text")
        answer = self.belay("run", "--model", MODEL, "--prompt", case["messages"][0][1], "--level", "minimal", "--max-tokens", "32",
                            "--ignore-eos", "--json").json()
        self.assertEqual(answer["schema"], "belay.run/1")
        self.assertEqual(answer["tokens"], case["gen_ids"])
        self.assertEqual(len(answer["prompt_tokens"]), case["prompt_tokens"])
        self.assertEqual(answer["finish"], "length")
        self.assertEqual(answer["fallbacks"], [])
        self.assertGreater(sum(answer["ops"].values()), 0)
        self.assertGreater(answer["peak_rss_bytes"], 0)
        for field in ("load_s", "prefill_s", "decode_s", "prefill_tok_per_s", "decode_tok_per_s", "preprocess_s", "vision_s"):
            self.assertIn(field, answer["timings"])

    def test_text_is_streamed_as_in_the_json(self):
        words = ("run", "--model", MODEL, "--prompt", "Hello", "--max-tokens", "20")
        plain = self.belay(*words)
        self.assertEqual(plain.out.decode(), self.belay(*words, "--json").json()["text"] + "\n")
        self.assertIn("ops:", plain.err)

    def test_messages_and_ids_give_the_same_prompt(self):
        case = golden("llama_a_mixed__text")
        messages = self.write("messages.json", json.dumps([{"role": "user", "content": [{"type": "text", "text": case["messages"][0][1]}]}]))
        by_messages = self.belay("run", "--model", MODEL, "--messages", messages, "--max-tokens", "3", "--json").json()
        ids = self.write("ids.json", json.dumps(by_messages["prompt_tokens"]))
        by_ids = self.belay("run", "--model", MODEL, "--prompt-ids", ids, "--max-tokens", "3", "--json").json()
        self.assertEqual(by_messages["tokens"], by_ids["tokens"])

    def test_dump(self):
        path = os.path.join(self.home, "dump.safetensors")
        answer = self.belay("run", "--model", MODEL, "--prompt", "Hello", "--max-tokens", "4", "--dump", path, "--json").json()
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        positions = len(answer["prompt_tokens"]) + len(answer["tokens"]) - 1
        self.assertEqual(header["input_ids"]["shape"], [positions])
        self.assertEqual(header["logits"]["shape"][0], positions)

    def test_same_seed_same_bytes(self):
        words = ("run", "--model", MODEL, "--prompt", "Tell me", "--temperature", "0.9", "--top-p", "0.95", "--seed", "7", "--max-tokens", "24")
        for threads in ("1", "2"):
            texts = {self.belay(*words, "--threads", threads).out for _ in range(20)}
            self.assertEqual(len(texts), 1)

    def test_each_plugin_alone(self):
        usable = [plugin["id"] for plugin in self.belay("probe", "--json").json()["plugins"] if plugin["verdict"] == "usable"]
        for plugin in usable:
            if plugin in ("cpu_openblas", "nvme_offload"):
                self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "Hi", "--plugins", plugin), 4, "offers embed")
                continue
            answer = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--plugins", plugin, "--max-tokens", "2", "--json").json()
            self.assertEqual(list(answer["ops"]), [plugin])
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "Hi", "--plugins", "cpu_avx3"), 2, "cpu_avx3")

    def test_bench(self):
        answer = self.belay("bench", "--model", MODEL, "--prefill", "16", "--decode", "4", "--repeat", "2", "--json").json()
        self.assertEqual(answer["schema"], "belay.bench/1")
        self.assertEqual(answer["prefill"]["tokens"], 16)
        self.assertLessEqual(answer["decode"]["tok_per_s"]["min"], answer["decode"]["tok_per_s"]["max"])


    def test_trace(self):
        """A trace opens in a viewer: its spans nest, and each call of a kernel names op and plugin."""
        path = os.path.join(self.home, "trace.json")
        answer = self.belay("run", "--model", MODEL, "--prompt", "Hello", "--max-tokens", "3", "--ignore-eos", "--plugin-dir", FAULTY,
                            "--trace", path, "--json").json()
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        self.assertEqual(trace["otherData"]["dropped_events"], 0)
        spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        open_spans, counts = {}, {"step": 0, "op": 0, "sound kernel": 0}
        for span in spans:
            around = open_spans.setdefault(span["tid"], [])
            while around and around[-1]["ts"] + around[-1]["dur"] <= span["ts"]:
                around.pop()
            if around:
                self.assertLessEqual(span["ts"] + span["dur"], around[-1]["ts"] + around[-1]["dur"] + 0.001)
            if span["name"] == "step":
                self.assertEqual(around, [])
                counts["step"] += 1
            elif span["name"] == "sound kernel":  # what test.faulty says of itself
                self.assertEqual(around[-1]["args"]["plugin"], "test.faulty")
                counts["sound kernel"] += 1
            else:
                self.assertRegex(span["name"], r"^(linear|rms_norm|rope|attention|kv_write|silu_mul|add|embed)/")
                self.assertIn(span["args"]["plugin"], answer["ops"])
                self.assertEqual(around[-1]["name"], "step")
                counts["op"] += 1
            around.append(span)
        self.assertEqual(counts["step"], 3)  # the prompt, and each token that was fed back
        self.assertEqual(counts["op"], sum(answer["ops"].values()))
        self.assertEqual(counts["sound kernel"], answer["ops"]["test.faulty"])
        runs = [event["args"]["value"] for event in trace["traceEvents"] if event["ph"] == "C"]
        self.assertEqual(runs, list(range(1, answer["ops"]["test.faulty"] + 1)))
        self.belay("bench", "--model", MODEL, "--prefill", "4", "--decode", "2", "--repeat", "1", "--trace", path)
        with open(path, encoding="utf-8") as file:
            self.assertIn("traceEvents", json.load(file))

    def test_a_file_that_cannot_be_written_is_refused_before_the_work(self):
        for option in ("--trace", "--dump"):
            words = ("run", "--model", MODEL, "--prompt", "Hi", "--max-tokens", "1", option)
            self.assert_error(self.belay(*words, "/no/such/folder/file"), 2, option, "folder")
            self.assert_error(self.belay(*words, self.home), 2, option, "regular file")
            self.assert_error(self.belay(*words, "/dev/null"), 2, option, "regular file")


    def test_what_stdout_does_not_take_is_an_error(self):
        for words in ("probe --json", f"run --model {MODEL} --prompt Hi --max-tokens 3", f"run --model {MODEL} --prompt Hi --max-tokens 3 --json"):
            for target, code, what in ((">/dev/full", 6, "No space left"), (">&-", 1, "stdout")):
                with self.subTest(words, target=target):
                    process = subprocess.run(f"exec {BELAY} {words} {target}", shell=True, env=self.environment(), capture_output=True)
                    self.assertEqual(process.returncode, code, process.stderr)
                    self.assertIn(what, process.stderr.decode())

    def test_a_reader_that_had_enough_is_no_error(self):
        process = subprocess.run(f"{BELAY} run --model {MODEL} --prompt Hi --max-tokens 200 --ignore-eos | head -c 1", shell=True,
                                 env=self.environment(), capture_output=True)
        self.assertEqual(len(process.stdout), 1)
        self.assertNotIn("cannot write", process.stderr.decode())


class Faults(ProgramTest):
    def test_a_fallback_is_printed_and_counted(self):
        words = ("run", "--model", MODEL, "--prompt", "Hi", "--max-tokens", "4", "--plugin-dir", FAULTY, "--level", "minimal")
        healthy = self.belay(*words, "--json").json()
        faulty = self.belay(*words, "--plugin-option", "test.faulty.fail_at=30", "--json")
        answer = faulty.json()
        self.assertEqual(len(answer["fallbacks"]), 1)
        self.assertEqual(answer["fallbacks"][0]["from"], "test.faulty")
        self.assertEqual(answer["fallbacks"][0]["count"], 1)
        self.assertIn("fallback:", faulty.err)
        self.assertEqual(len(answer["tokens"]), len(healthy["tokens"]))

    def test_strict_names_op_and_reason(self):
        result = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--plugin-dir", FAULTY, "--plugin-option",
                            "test.faulty.fail_at=30", "--strict", "--json")
        self.assert_error(result, 5, "test.faulty", "--strict")
        error = result.json()
        self.assertEqual(error["schema"], "belay.error/1")
        self.assertRegex(error["message"], r"(linear|rms_norm|rope|attention|kv_write|silu_mul|add|embed)/")

    def test_deadline(self):
        late = self.belay("run", "--model", MODEL, "--prompt", "Hi", "--deadline", "0.000001", "--json")
        self.assertEqual(late.code, 124)
        self.assertEqual(late.json()["finish"], "interrupted")
        self.assertEqual(late.json()["timings"]["prefill_tok_per_s"], 0)  # nothing of the prompt was read
        self.assert_error(self.belay("bench", "--model", MODEL, "--deadline", "0.000001", "--json"), 124, "--deadline")

    def test_interrupt_ends_within_a_token_and_reports(self):
        ids = self.write("long.json", json.dumps([5] * 100))
        process = subprocess.Popen([BELAY, "run", "--model", MODEL, "--prompt-ids", ids, "--max-tokens", "400", "--ignore-eos", "--plugins",
                                    "cpu_scalar", "--json"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.25)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        if process.returncode == 0:
            self.skipTest("the generation was over before the signal came")
        self.assertEqual(process.returncode, 130)
        if out:  # before the first token there may be nothing to report
            self.assertEqual(json.loads(out).get("finish", "interrupted"), "interrupted")


class BadInput(ProgramTest):
    def test_models(self):
        with open(MODEL, "rb") as file:
            whole = file.read()
        self.assert_error(self.belay("run", "--model", "/no/such/file.gguf", "--prompt", "x"), 3, "/no/such/file.gguf")
        self.assert_error(self.belay("run", "--prompt", "x"), 2, "--model", "tools/demo")
        for name, data in {"empty": b"", "text": b"hello world", "cut": whole[:1000], "half": whole[:len(whole) // 2]}.items():
            path = self.write(name + ".gguf", data)
            self.assert_error(self.belay("run", "--model", path, "--prompt", "x"), 3, name + ".gguf")
        self.assert_error(self.belay("run", "--model", self.home, "--prompt", "x"), 3, "config.json", "a GGUF file or a Hugging Face folder")

    def test_prompts(self):
        def run(*words):
            return self.belay("run", "--model", MODEL, *words)

        self.assert_error(run(), 2, "--prompt")
        self.assert_error(run("--prompt", ""), 3, "empty")
        self.assert_error(run("--prompt-file", self.write("bytes", b"ab\xff\xfe")), 3, "the prompt is not UTF-8", "byte 3", "0xff")
        self.assert_error(run("--prompt-file", "/no/such/prompt"), 2, "/no/such/prompt")
        self.assert_error(run("--prompt", "word " * 2000), 3, "context")
        self.assert_error(run("--prompt", "x", "--context", "4"), 3, "context")
        self.assert_error(run("--prompt", "x", "--image", "photo.jpg"), 3, "vision")

    def test_ids(self):
        bad = {"not json": "[1, 2", "object": '{"a": 1}', "negative": "[-1]", "float": "[1.5]", "huge": "[99999999999999999999]",
               "beyond": "[1000000]", "empty": "[]", "deep": "[" * 1000, "text": '["a"]'}
        for name, text in bad.items():
            with self.subTest(name):
                path = self.write("ids.json", text)
                self.assert_error(self.belay("run", "--model", MODEL, "--prompt-ids", path, "--max-tokens", "1"), 3, "" if name in ("beyond", "empty") else "ids.json")

    def test_messages(self):
        for text in ("{}", "[]", '[{"role": "user"}]', '[{"role": 1, "content": "a"}]', '[{"role": "user", "content": [{"type": "image", "path": "a"}]}]'):
            with self.subTest(text):
                path = self.write("messages.json", text)
                self.assertIn(self.belay("run", "--model", MODEL, "--messages", path).code, (2, 3))

    def test_hardware_and_configuration_files(self):
        for text in ("[cpu", "[cpu]\nphysical_cores = -1\n", "[cpu]\nphysical_coers = 1\n", "a." * 4000 + "b = 1\n", b"\xff\xfe"):
            path = self.write("machine.toml", text)
            self.assert_error(self.belay("plan", "--hardware", path, "--json"), 2, "machine.toml")
        for text in ("[policy]\nlevle = 1\n", "[policy]\nlevel = \"extreme\"\n", "x = 1\n", "[override.cpu_avx2]\npriority = 1.5\n"):
            path = self.write("belay.toml", text)
            self.assertEqual(self.belay("probe", "--config", path).code, 2, text)
        self.assertEqual(self.belay("probe", "--config", "/no/such/belay.toml").code, 2)

    def test_configuration_precedence(self):
        config = self.write("level.toml", '[policy]\nlevel = "aggressive"\n')
        self.assertEqual(self.belay("plan", "--json", "--config", config).json()["level"], "aggressive")
        self.assertEqual(self.belay("plan", "--json", "--config", config, BELAY_LEVEL="minimal").json()["level"], "minimal")
        self.assertEqual(self.belay("plan", "--json", "--config", config, "--level", "moderate", BELAY_LEVEL="minimal").json()["level"], "moderate")

    def test_manifests(self):
        folder = os.path.join(self.home, "plugins")
        os.makedirs(folder, exist_ok=True)
        self.write("plugins/bad.toml", "schema = 1\n[plugin]\nid = 5\n")
        answer = self.belay("probe", "--manifests", folder, "--json").json()
        self.assertEqual(answer["plugins"][0]["id"], "bad.toml")
        self.assertEqual(answer["plugins"][0]["verdict"], "refused")
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "x", "--manifests", folder), 4, "no")
        self.assert_error(self.belay("probe", "--plugin-dir", "/no/such/folder"), 2, "/no/such/folder")

    def test_required_signatures_refuse_what_is_not_signed(self):
        plugins = self.belay("probe", "--require-signatures", "--json").json()["plugins"]
        self.assertEqual({plugin["reason"] for plugin in plugins}, {"SIGNATURE"})

    def test_memory_limit(self):
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "x", "--memory-limit", "100K"), 6, "limit")
        self.assert_error(self.belay("run", "--model", MODEL, "--prompt", "x", "--memory-limit", "lots"), 2, "lots")


if __name__ == "__main__":
    unittest.main()
