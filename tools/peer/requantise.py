#!/usr/bin/env python3
"""SmolLM2, which comes as Q4_1, in the other weight types that tools/bench --compare measures: for speed only, as it is quantised twice.

usage: PYTHON tools/peer/requantise.py $(tools/fetch_model) FOLDER      PYTHON: what tools/peer/setup printed. Files that are there stay.
"""
import ctypes
import os
import sys

import llama_cpp

TYPES = {
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}


def requantise(source, path, file_type):
    """Under another name until it is whole."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.allow_requantize = True
    part = path + ".part"
    if llama_cpp.llama_model_quantize(source.encode(), part.encode(), ctypes.byref(params)) != 0:
        sys.exit(f"requantise.py: {source} cannot be written as {path}")
    os.rename(part, path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, folder = sys.argv[1:]
    quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)  # kept: C holds a pointer to it
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    os.makedirs(folder, exist_ok=True)
    for name, file_type in TYPES.items():
        path = os.path.join(folder, f"smollm2-{name}.gguf")
        if not os.path.exists(path):
            requantise(source, path, file_type)
        print(path)


if __name__ == "__main__":
    main()
