"""A random forest over joint embeddings: scikit-learn and Quintet, as many trees each, two threads.

Rows are as the location task makes them: five unit vectors of 1,024 numbers side by side (text, image, tags, user, profile
location), 500 classes of uneven size. Each vector lies around one of its class's centres, which are themselves grouped,
as places of a country are. Both sides fit on the same rows with another seed every round; accuracy and mean log probability
on other rows must agree within the spread over seeds. scikit-learn gets columns that lie together (`--order F`); which order suits it
better is not measured yet.
Memory is the peak of the process while fitting beyond what it held before. Linux.
"""

import argparse
import gc
import math
import os
import pathlib
import statistics
import time

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier

from common import WORK, Quintet, interleave, ratio, save, seconds

COMPONENTS, DIM, CLASSES, GROUPS, NOISE = 5, 1024, 500, 40, 1.0


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def rows(count, centres, shares, rng, block=2000):
    """`count` rows and their classes."""
    labels = rng.choice(CLASSES, size=count, p=shares).astype(np.uint32)
    out = np.empty((count, COMPONENTS * DIM), dtype=np.float32)
    for start in range(0, count, block):
        of = labels[start:start + block]
        part = out[start:start + block].reshape(len(of), COMPONENTS, DIM)
        # The centre and noise as long: cosines within a class are about 0.5.
        part[:] = centres[of] + rng.standard_normal(part.shape, dtype=np.float32) * np.float32(NOISE / math.sqrt(DIM))
        part /= np.linalg.norm(part, axis=-1, keepdims=True)
    return out, labels


def data(count, testing):
    """The rows, also written for the other side."""
    rng = np.random.default_rng(6)
    groups = unit(rng.standard_normal((GROUPS, COMPONENTS, DIM), dtype=np.float32))
    centres = groups[rng.integers(GROUPS, size=CLASSES)] + unit(rng.standard_normal((CLASSES, COMPONENTS, DIM), dtype=np.float32))
    # The most frequent class has some twenty times as many rows as the rarest.
    shares = 1 / (np.arange(CLASSES) + 25)
    shares /= shares.sum()
    folder = WORK / f"forest-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, n in (("train", count), ("test", testing)):
        made[name] = rows(n, unit(centres), shares, rng)
        made[name][0].tofile(folder / f"{name}.f32")
        made[name][1].tofile(folder / f"{name}.u32")
    return *made["train"], *made["test"], folder


def memory(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise SystemExit("this row measures memory by Linux's /proc")


def peer(x, y, test_x, test_y, trees):
    seed = 0

    def call():
        nonlocal seed
        gc.collect()
        before = memory("VmRSS")
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        start = time.perf_counter()
        forest = RandomForestClassifier(n_estimators=trees, n_jobs=2, random_state=seed).fit(x, y)
        fitting = time.perf_counter() - start
        peak = memory("VmHWM") - before
        seed += 1
        start = time.perf_counter()
        found = forest.predict_proba(test_x)
        predicting = time.perf_counter() - start
        probabilities = np.zeros((len(test_y), CLASSES))
        probabilities[:, forest.classes_] = found
        own = np.maximum(probabilities[np.arange(len(test_y)), test_y], 1 / (4 * trees))
        grown = [e.tree_ for e in forest.estimators_]
        return {"seconds": fitting, "predicting": predicting, "MiB": peak,
                "accuracy": float(np.mean(probabilities.argmax(axis=1) == test_y)), "log probability": float(np.log(own).mean()),
                "leaves": float(np.mean([t.n_leaves for t in grown])), "depth": float(np.mean([t.max_depth for t in grown]))}
    return call


def agree(answers):
    """Raises if accuracy or log probability differ by more than four standard errors over seeds."""
    for what in ("accuracy", "log probability"):
        of = [[a[what] for a in side] for side in answers.values()]
        error = math.sqrt(sum(statistics.variance(side) / len(side) for side in of))
        apart = statistics.mean(of[0]) - statistics.mean(of[1])
        if abs(apart) > 4 * error + 0.002:
            raise SystemExit(f"{what} differs by {apart:.4f}, standard error {error:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--test", type=int, default=4_000)
    parser.add_argument("--trees", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--order", choices=["C", "F"], default="F", help="F: scikit-learn fits on columns that lie together")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "2"
    x, y, test_x, test_y, folder = data(args.rows, args.test)
    classes = len(np.unique(y))
    x = np.asarray(x, order=args.order)
    gc.collect()
    ours = Quintet("forest", folder, args.trees, threads=2)
    answers = interleave({"scikit-learn": peer(x, y, test_x, test_y, args.trees), "Quintet": ours}, args.rounds, warm=0)
    ours.close()
    for side, of in answers.items():
        print(side, *of, sep="\n  ", flush=True)
    if args.rounds > 1:
        agree(answers)
    times = {side: seconds(of) for side, of in answers.items()}
    predicting = {side: [a["predicting"] for a in of] for side, of in answers.items()}
    save("forest", {
        "scikit-learn": sklearn.__version__, "rows": args.rows, "test rows": args.test, "features": COMPONENTS * DIM,
        "classes": classes, "trees": args.trees, "threads": 2, "order": args.order,
        "seconds": times, "seconds to predict": predicting,
        # The first round begins with nothing that an earlier one gave back and the process kept.
        "MiB": {side: max(a["MiB"] for a in of) for side, of in answers.items()},
        **{what: {side: statistics.mean(a[what] for a in of) for side, of in answers.items()}
           for what in ("accuracy", "log probability", "leaves", "depth")},
        "ratios": {"fit": ratio(*times.values()), "predict": ratio(*predicting.values())},
    })


if __name__ == "__main__":
    main()
