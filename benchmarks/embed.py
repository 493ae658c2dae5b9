"""Vectors of all five components from cached features: the PyTorch model of `step.py` and Quintet, in f32 and bf16.

Posts come from 500 places by Zipf's law. The location of a post is the mean state of the first four texts known from its
place (Quintet's rule for inference), so posts of one place share these texts: Quintet computes equal texts of a batch
once, the PyTorch model as people write it does not.
"""

import argparse

import numpy as np
import torch

from common import Quintet, has_bf16, interleave, ratio, save, seconds, timed
from step import SIZES, Joint, prepare, tensors, zipf

BATCHES = 4

POSTS, PLACES = 256, 500


def batches_of(size):
    rng = np.random.default_rng(2)
    words = lambda n: rng.choice(size["words"], size=n, p=zipf(size["words"])).astype(np.int32)
    texts = lambda n: [words(length) for length in rng.integers(5, 26, n)]
    known = [texts(size["neighbours"]) for _ in range(PLACES)]
    for _ in range(BATCHES):
        own = texts(POSTS)
        places = [text for place in rng.choice(PLACES, size=POSTS, p=zipf(PLACES)) for text in known[place]]
        batch = {}
        for name, of in (("text", own), ("location", places)):
            batch[f"{name}.tokens"] = np.concatenate(of)
            batch[f"{name}.lengths"] = np.array([len(text) for text in of], dtype=np.int32)
        for name, dim in (("image", size["image_dim"]), ("hashtags", size["word_dim"]), ("user", size["user_dim"])):
            batch[name] = rng.standard_normal((POSTS, dim)).astype(np.float32)
        yield batch


def pytorch(model, batches, bf16):
    at = 0

    @torch.inference_mode()
    def embed():
        nonlocal at
        batch = tensors(batches[at % BATCHES])
        at += 1
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            return [vectors.double().sum().item() for vectors in model(batch)]
    return embed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="published")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    size = SIZES[args.size]
    torch.set_num_threads(args.threads)
    model = Joint(size).eval()
    folder, batches = prepare(f"embed-{args.size}", model, batches_of(size))
    ours = {p: Quintet("embed", folder, p, threads=args.threads) for p in ("f32", "bf16")[:1 + has_bf16()]}
    sides = {}
    for p in ours:
        sides |= {f"PyTorch {p}": timed(pytorch(model, batches, bf16=p == "bf16")), f"Quintet {p}": ours[p]}
    answers = interleave(sides, args.rounds)
    for side in ours.values():
        side.close()
    # The sum of all numbers of a component's vectors, which are of the size 1 for each post.
    sums = {name: [a.get("value", a.get("sums")) for a in of] for name, of in answers.items()}
    off = max(abs(a - b) for x, y in zip(sums["PyTorch f32"], sums["Quintet f32"]) for a, b in zip(x, y))
    if off > 1e-3 * POSTS:
        raise SystemExit(f"vectors disagree: {sums}")
    times = {name: seconds(of) for name, of in answers.items()}
    save(f"embed-{args.size}", {
        "threads": args.threads, "size": size, "torch": torch.__version__, "seconds": times,
        "posts per second": {name: POSTS / min(of) for name, of in times.items()},
        "largest difference of a component's sum": off,
        "ratios": {
            f"Quintet {p} over PyTorch {peer}": ratio(times[f"PyTorch {peer}"], times[f"Quintet {p}"])
            for p, peer in (("f32", "f32"), ("bf16", "f32"), ("bf16", "bf16")) if p in ours
        },
    })


if __name__ == "__main__":
    main()
