"""Matrix products of the shapes of training: PyTorch's (MKL for f32, oneDNN for bf16) and Quintet's, one and two threads.

The right-hand matrix is packed before on our side, as for a GRU; PyTorch holds its factors in the precision of the
product, ours converts the left-hand one from f32 each time.
"""

import argparse
import time

import torch

from common import Quintet, has_bf16, interleave, ratio, save, seconds

SHAPES = {
    "a GRU step, 640 texts": (640, 1024, 3072),
    "a GRU step, 128 texts": (128, 1024, 3072),
    "a GRU step, 20 texts": (20, 1024, 3072),
    "a step backwards": (640, 3072, 1024),
    "the gradient of the recurrent weights": (3072, 9600, 1024),
    "the input product": (3000, 300, 3072),
}


def peer(shape, precision):
    m, k, n = shape
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(m, k, dtype=kind), torch.randn(n, k, dtype=kind)

    def call():
        start, times = time.perf_counter(), 0
        while time.perf_counter() - start < 0.02:
            torch.nn.functional.linear(a, b)
            times += 1
        return {"seconds": (time.perf_counter() - start) / times}
    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    precisions = ("f32", "bf16")[:1 + has_bf16()]
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, shape in SHAPES.items():
            sides = {}
            for precision in precisions:
                sides[f"PyTorch {precision}"] = peer(shape, precision)
                sides[f"Quintet {precision}"] = Quintet("matmul", *shape, precision, threads)
            answers = {side: seconds(of) for side, of in interleave(sides, args.rounds).items()}
            for side in sides.values():
                if isinstance(side, Quintet):
                    side.close()
            work = 2 * shape[0] * shape[1] * shape[2] / 1e9
            rows.append({
                "what": name, "shape": shape, "threads": threads,
                "GFLOP/s": {side: work / min(of) for side, of in answers.items()},
                "ratios": {p: ratio(answers[f"PyTorch {p}"], answers[f"Quintet {p}"]) for p in precisions},
            })
            print(threads, name, {side: round(value) for side, value in rows[-1]["GFLOP/s"].items()}, flush=True)
    save("matmul", {"torch": torch.__version__, "rows": rows})


if __name__ == "__main__":
    main()
