#!/usr/bin/env python3
"""GFLOP/s of another library's f32 matrix product, held to AVX2: y[TOKENS, ROWS] = x[TOKENS, COLS] w[ROWS, COLS]^T.

usage: tools/peer/sgemm.py blis|onednn TOKENSxCOLSxROWS THREADS

BLIS by its CBLAS (apt: libblis4-openmp), oneDNN by dnnl_sgemm (apt: libdnnl2). The best of some batches is printed: it is a yardstick.
"""
import array
import ctypes
import os
import random
import sys
import time

LIBRARIES = {"blis": ("libblis.so.4", {"BLIS_ARCH_TYPE": "haswell", "BLIS_NUM_THREADS": "{}"}),
             "onednn": ("libdnnl.so.2", {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "{}"})}
ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112  # of CBLAS
BATCHES, BATCH_S = 8, 0.1


def product(name, library, tokens, cols, rows):
    """What computes it once, over matrices of its own."""
    pointer, size = ctypes.POINTER(ctypes.c_float), ctypes.c_int64
    generator = random.Random(3)
    row = array.array("f", (generator.uniform(-1, 1) for _ in range(cols)))
    x, w, y = ((ctypes.c_float * len(values)).from_buffer(values) for values in (row * tokens, row * rows, array.array("f", [0]) * (tokens * rows)))
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    if name == "blis":
        gemm = library.cblas_sgemm
        gemm.argtypes = [ctypes.c_int] * 6 + [ctypes.c_float, pointer, ctypes.c_int, pointer, ctypes.c_int, ctypes.c_float, pointer, ctypes.c_int]
        gemm.restype = None
        return lambda: gemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, tokens, rows, cols, one, x, cols, w, cols, zero, y, rows), row, y
    gemm = library.dnnl_sgemm
    gemm.argtypes = [ctypes.c_char] * 2 + [size] * 3 + [ctypes.c_float, pointer, size, pointer, size, ctypes.c_float, pointer, size]

    def run():
        if gemm(b"N", b"T", tokens, rows, cols, one, x, cols, w, cols, zero, y, rows) != 0:
            sys.exit("sgemm.py: dnnl_sgemm failed")

    return run, row, y


def best_time(run):
    best = float("inf")
    for _ in range(BATCHES):
        calls, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < BATCH_S or calls == 0:
            run()
            calls += 1
        best = min(best, took / calls)
    return best


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in LIBRARIES:
        sys.exit(__doc__)
    name, threads = sys.argv[1], int(sys.argv[3])
    tokens, cols, rows = map(int, sys.argv[2].split("x"))
    file, settings = LIBRARIES[name]
    for key, value in settings.items():  # read by the library when it is loaded
        os.environ[key] = value.format(threads)
    try:
        library = ctypes.CDLL(file)
    except OSError as error:
        sys.exit(f"sgemm.py: {error}")
    run, row, y = product(name, library, tokens, cols, rows)
    run()
    expected = sum(value * value for value in row)
    if abs(y[0] - expected) > 1e-3 * expected or abs(y[tokens * rows - 1] - expected) > 1e-3 * expected:
        sys.exit(f"sgemm.py: {name} computes something else")
    print(f"{2e-9 * tokens * cols * rows / best_time(run):.1f} GFLOP/s")


if __name__ == "__main__":
    main()
