#!/usr/bin/env python3
"""Does correcting hubs help retrieval on events never seen in training? Figures of docs/results.md.

    python3 scripts/hubs.py --work DIR

Embeds the corpora of the four events (`scripts/results.py` has made and trained them) and ranks again with scores that
are lowered for candidates near to everything: CSLS (twice the cosine less the mean of the k largest cosines of the
candidate with training queries; Conneau et al. 2018) and a query bank (the cosine less a soft maximum over training
queries; QB-Norm, Bogolin et al. 2022). Needs numpy and polars (benchmarks/requirements.txt).
"""
import argparse, os, subprocess
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
QUINTET = os.environ.get("QUINTET", str(ROOT / "target/release/quintet"))
FOLDS = {"eclipse": "union", "nepal": "union-nepal", "samurai": "union-samurai", "garissa": "union-garissa"}


def posts_of(work, fold, seed):
    """Vectors, part and source of the posts with text and image; embedded once, kept in WORK/hubs."""
    kept = work / f"hubs/{fold}-{seed}.npz"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        whole = kept.with_suffix(".parquet")
        subprocess.run([QUINTET, "embed", work / "corpora" / fold, "--component", "text", "--component", "image", "--f16", "--quiet",
                        "--model", work / f"runs/{fold}/leave-one-out/InfoNCE/{seed}", "--into", whole], check=True, stdout=subprocess.DEVNULL)
        corpus = work / "corpora" / fold
        table = pl.read_parquet(whole).drop_nulls(["text", "image"]).join(pl.read_parquet(corpus / "posts.parquet", columns=["id", "source"]), on="id")
        table = table.join(pl.read_csv(corpus / "splits.csv", schema_overrides={"post_id": pl.String}), left_on="id", right_on="post_id")
        np.savez(kept, text=np.array(table["text"].to_list(), np.float16), image=np.array(table["image"].to_list(), np.float16),
                 part=table["part"].to_numpy().astype(str), event=(table["source"] == "vmu").to_numpy())
        whole.unlink()
    return np.load(kept)


def distinct(vectors, posts):
    """Number of each post's content among the distinct ones, and a post for each: equal contents have equal vectors."""
    number, first = {}, []
    for post in posts:
        if number.setdefault(vectors[post].tobytes(), len(number)) == len(first):
            first.append(post)
    return number, np.array(first)


def corrected(scores, bank):
    """The scores by each correction. `bank`: training queries x candidates."""
    yield "cosine", scores
    for k in (1, 10, 50):
        yield f"CSLS, k = {k}", 2 * scores - np.sort(bank, axis=0)[-k:].mean(0)
    for beta in (5, 10, 20, 40):
        yield f"query bank, beta = {beta}", scores - np.log(np.exp(beta * (bank - 1)).mean(0)) / beta


def chance(candidates, right, k=10):
    none = np.prod([(candidates - right - i) / (candidates - i) for i in range(min(k, candidates - right))])
    return 1 - none if candidates - right >= k else 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    found, by_chance = {}, {}
    for fold in FOLDS.values():
        for seed in (1, 2, 3):
            posts = posts_of(work, fold, seed)
            dev, train = np.flatnonzero(posts["part"] == "dev"), np.flatnonzero(posts["part"] == "train")
            for query, target in (("text", "image"), ("image", "text")):
                q, t = posts[query], posts[target]
                asking, first_asking = distinct(q, dev[posts["event"][dev]])
                answers, candidates = distinct(t, dev)
                _, bank = distinct(q, train)
                right = [set() for _ in asking]
                for post in dev:
                    if (i := asking.get(q[post].tobytes())) is not None:
                        right[i].add(answers[t[post].tobytes()])
                if len(right) < 5:  # as `quintet eval retrieval --min-queries 5`
                    continue
                c = t[candidates].astype(np.float32).T
                for name, scores in corrected(q[first_asking].astype(np.float32) @ c, q[bank].astype(np.float32) @ c):
                    best = np.array([scores[i, list(r)].max() for i, r in enumerate(right)])
                    wrong = np.array([(np.delete(scores[i], list(r)) >= best[i]).sum() for i, r in enumerate(right)])
                    found.setdefault((target, name, seed), []).extend(wrong < 10)
                by_chance.setdefault((target, seed), []).extend(chance(len(candidates), len(r)) for r in right)
    print("| direction | score | recall@10 of three seeds | mean | chance | queries |\n| --- | --- | --- | ---: | ---: | ---: |")
    for target, query in (("image", "text"), ("text", "image")):
        for name in dict.fromkeys(name for t, name, _ in found if t == target):
            seeds = [100 * np.mean(found[target, name, seed]) for seed in (1, 2, 3)]
            print(f"| {query}->{target} | {name} | {', '.join(f'{s:.1f}' for s in seeds)} | {np.mean(seeds):.1f} ± {np.std(seeds, ddof=1):.1f} "
                  f"| {100 * np.mean(by_chance[target, 1]):.1f} | {len(found[target, name, 1])} |")


if __name__ == "__main__":
    main()
