// A manifest that uses every key, without a single finding.
#pragma once

#include <string>

inline const std::string kSample = R"(schema = 1
[plugin]
id = "acme.gpu"
version = "0.3.1"
name = "Acme"
description = "all keys"
url = "https://example.org"
license = "Apache-2.0"
library = "lib/libacme.so"
sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
signature = "acme.minisig"
[abi]
major = 1
min_minor = 0
built_minor = 2
[select]
priority = 800
exclusive = ["gpu-compute", "big"]
isolation = "worker"
[requires]
plugins = ["cpu_scalar >=0.3", "cpu_sse"]
any_of = [["cpu_avx2", "cpu_sse <2"]]
os = ["linux"]
[requires.cpu]
arch = ["x86_64"]
features = ["avx2", "fma"]
[requires.gpu]
vendor = "nvidia"
compute_capability = ">=6.1, <9"
driver = ">=535"
ptx = "6.1"
memory_mib = 2048
count = 2
[requires.memory]
host_mib = 512
[requires.storage]
nvme = true
min_read_mib_s = 1000
[[conflicts]]
id = "org.example.cuda_generic"
versions = "<2"
reason = "both claim the primary context"
[[conflicts]]
id = "slot:other"
reason = "second"
[[synergies]]
with = ["nvme_offload"]
gain = 1.30
reason = "direct reads into pinned staging"
[[provides]]
op = "belay.linear/1"
dtypes = ["f32", "f16", "q8_0*f32"]
layouts = ["row", "tiled"]
max_rank = 3
[[provides]]
op = "belay.add/1"
dtypes = ["f32"]
[runtime]
openmp = "gomp"
threads = "own"
unload_safe = true
device_alloc_in_run = true
needs = ["libopenblas.so.0"]
[probe]
timeout_ms = 1000
known_answer = false
env_allow = ["CUDA_VISIBLE_DEVICES"]
[[optimization]]
id = "sparse"
kind = "attention"
level = "aggressive"
lossless = false
priority = 300
requires = { plugins = ["cpu_sse"], optimizations = ["tiled"], host_mib = 64 }
conflicts = [{ id = "kv_q4", reason = "needs keys" }]
synergies = [{ with = ["kv_q8"], gain = 1.10, reason = "fewer bytes" }]
budget = { kld = 0.06, top1 = 0.88, ppl = 0.03 }
[[optimization]]
id = "tiled"
lossless = true
[x-vendor]
anything = { goes = [1, 2.5, "x"] }
)";
