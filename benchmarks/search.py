"""The 10 nearest of many vectors: faiss and Quintet, exactly and through an index, one and two threads.

Unit vectors of 256 numbers around 1,000 random centres; queries come from the same ones. Exactly: IndexFlatIP. Through
an index: IndexIVFFlat with the same number of lists and probes; either side learns its centres from a sample of its own.
Recall is that of all 1,024 queries, however many are asked at a time: a query finds nearly all or nearly none, so few of
them say nothing about an index.
"""

import argparse
import gc
import time

import faiss
import numpy as np
from safetensors.numpy import save_file

from common import WORK, Quintet, interleave, ratio, save, seconds

DIM, CENTRES, K = 256, 1000, 10
QUERIES = (1, 16, 1024)


def unit_vectors(count, centres, rng, block=100_000):
    out = np.empty((count, DIM), dtype=np.float32)
    for start in range(0, count, block):
        part = out[start:start + block]
        part[:] = centres[rng.integers(CENTRES, size=len(part))]
        # Twice as long as the centre itself: cosines within a centre are about 0.2, those of neighbours 0.4.
        part += rng.standard_normal(part.shape, dtype=np.float32) * np.float32(2 / np.sqrt(DIM))
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out


def data(count):
    """The vectors and the queries, also written for the other side."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((CENTRES, DIM), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors, queries = unit_vectors(count, centres, rng), unit_vectors(max(QUERIES), centres, rng)
    folder = WORK / f"search-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"vectors": vectors}, folder / "vectors.safetensors")
    save_file({"queries": queries}, folder / "queries.safetensors")
    return vectors, queries, folder


def agree(vectors, queries, theirs, ours):
    """Whether the ids are the same, ties and near-ties aside: where they differ, so little do the cosines."""
    for query, a, b in zip(queries, theirs, ours):
        for i, j in zip(a, b):
            if i != j and abs(vectors[i] @ query - vectors[j] @ query) > 1e-5:
                return False
    return True


def recall(truth, found):
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(truth, found)]))


def compare(peer, ours, rounds):
    def theirs():
        start, times = time.perf_counter(), 0
        while times == 0 or time.perf_counter() - start < 0.02:
            value = peer()
            times += 1
        return {"seconds": (time.perf_counter() - start) / times, "value": value}

    answers = interleave({"faiss": theirs, "Quintet": ours}, rounds)
    ours.close()
    times = {name: seconds(of) for name, of in answers.items()}
    return times, answers["faiss"][-1]["value"][1], answers["Quintet"][-1]["ids"]


def exact(vectors, queries, folder, threads, rounds):
    index = faiss.IndexFlatIP(DIM)
    index.add(vectors)
    for asking in QUERIES:
        some = queries[:asking]
        ours = Quintet("search", "exact", folder, asking, K, threads=threads)
        times, theirs, found = compare(lambda: index.search(some, K), ours, rounds if asking > 100 else 2 * rounds)
        if not agree(vectors, some, theirs, found):
            raise SystemExit("the nearest vectors disagree")
        work, memory = 2 * asking * len(vectors) * DIM / 1e9, vectors.nbytes / 1e9
        best = {name: min(of) for name, of in times.items()}
        yield {
            "what": "exact", "vectors": len(vectors), "queries": asking, "threads": threads, "seconds": best,
            "GFLOP/s": {name: work / of for name, of in best.items()},
            "GB/s": {name: memory / of for name, of in best.items()},
            "ratio": ratio(times["faiss"], times["Quintet"]),
        }


def nearly(vectors, queries, folder, threads, rounds, lists, probes):
    flat = faiss.IndexFlatIP(DIM)
    flat.add(vectors)
    truth = flat.search(queries, K)[1]
    del flat
    gc.collect()
    quantiser = faiss.IndexFlatIP(DIM)
    index = faiss.IndexIVFFlat(quantiser, DIM, lists, faiss.METRIC_INNER_PRODUCT)
    # Both sides: 50 vectors a list, 10 rounds.
    index.cp.max_points_per_centroid, index.cp.niter = 50, 10
    start = time.perf_counter()
    index.train(vectors)
    index.add(vectors)
    built = {"faiss": time.perf_counter() - start}
    index.nprobe = probes
    all_of_ours = Quintet("search", "ivf", folder, len(queries), K, lists, probes, threads=threads)
    recalls = {"faiss": recall(truth, index.search(queries, K)[1]), "Quintet": recall(truth, all_of_ours()["ids"])}
    all_of_ours.close()
    for asking in QUERIES:
        some = queries[:asking]
        start = time.perf_counter()
        ours = Quintet("search", "ivf", folder, asking, K, lists, probes, threads=threads)
        built["Quintet, with reading"] = time.perf_counter() - start
        times, _, _ = compare(lambda: index.search(some, K), ours, 2 * rounds)
        yield {
            "what": "index", "vectors": len(vectors), "queries": asking, "threads": threads, "lists": lists,
            "probes": probes, "seconds": {name: min(of) for name, of in times.items()}, "seconds to build": dict(built),
            "recall": recalls,
            "ratio": ratio(times["faiss"], times["Quintet"]),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--vectors", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kinds", nargs="+", default=["exact", "index"])
    parser.add_argument("--probes", type=int, default=16)
    args = parser.parse_args()
    rows = []
    for count in args.vectors:
        vectors, queries, folder = data(count)
        for threads in args.threads:
            faiss.omp_set_num_threads(threads)
            lists = round(2 * count ** 0.5)
            kinds = {
                "exact": lambda: exact(vectors, queries, folder, threads, args.rounds),
                "index": lambda: nearly(vectors, queries, folder, threads, args.rounds, lists, args.probes),
            }
            for kind in args.kinds:
                for row in kinds[kind]():
                    rows.append(row)
                    print(row, flush=True)
                gc.collect()
    save("search", {"faiss": faiss.__version__, "dim": DIM, "k": K, "rows": rows})


if __name__ == "__main__":
    main()
