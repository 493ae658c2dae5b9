"""User vectors: fastnode2vec with gensim and Quintet on a mention graph, same settings, by the link prediction that follows.

15 % of the edges are hidden; the score of a pair is the cosine of its vectors; AUC of the hidden edges against as many other
pairs of accounts that still have an edge, drawn in two ways: evenly, and by degree. Nearly all accounts have one edge, and
hidden edges lead to the few with thousands, whose vectors point away from the many: against even pairs the AUC of a short
training is below a half, for all sides. Pairs by degree have the same ends as edges have, so only who knows whom can tell
them apart.
"""

import argparse
import gzip
import hashlib
import time

import numpy as np
from fastnode2vec import Graph, Node2Vec
from sklearn.metrics import roc_auc_score

from common import DATA, WORK, Quintet, interleave, ratio, save, seconds

SETTINGS = dict(dim=128, walk_length=40, window=5, p=1.0, q=1.0)


def edges_of(path):
    rows = np.loadtxt(gzip.open(path, "rt") if str(path).endswith(".gz") else path, dtype=np.int64)
    _, nodes = np.unique(rows[:, :2], return_inverse=True)
    return nodes.reshape(-1, 2).astype(np.int32), rows[:, 2].astype(float)


def auc(vectors, hidden, train, known, seed=1):
    rng = np.random.default_rng(seed)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    hidden = hidden[known[hidden].all(1)]
    score = lambda pairs: (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(1)
    labels = np.r_[np.ones(len(hidden)), np.zeros(len(hidden))]
    others = {"even pairs": rng.choice(np.flatnonzero(known), size=hidden.shape), "pairs by degree": rng.choice(train.ravel(), size=hidden.shape)}
    return {name: float(roc_auc_score(labels, np.r_[score(hidden), score(pairs)])) for name, pairs in others.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", default=DATA / "higgs_mention/higgs-mention_network.edgelist.gz")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--walks", type=int, default=10, help="walks from every account")
    args = parser.parse_args()
    folder = WORK / "users"
    folder.mkdir(parents=True, exist_ok=True)
    pairs, weights = edges_of(args.edges)
    rng = np.random.default_rng(1)
    hidden = rng.random(len(pairs)) < 0.15
    nodes = int(pairs.max()) + 1
    train, train_weights = pairs[~hidden], weights[~hidden]
    known = np.zeros(nodes, bool)
    known[train] = True
    (folder / "edges.txt").write_text("".join(f"{a} {b} {w}\n" for (a, b), w in zip(train, train_weights)))
    s = SETTINGS
    (folder / "config.toml").write_text(
        f"[user]\ndim = {s['dim']}\nwalks = {args.walks}\nwalk_length = {s['walk_length']}\nwindow = {s['window']}\np = {s['p']}\nq = {s['q']}\n"
        "undirected = true\nnegatives = 5\nlearning_rate = 0.025\n")
    out = folder / "ours.vec"

    def quintet(threads):
        side = Quintet("users", folder / "edges.txt", folder / "config.toml", out, threads=threads)
        return side, lambda: {**side(), "bits": hashlib.blake2b(out.read_bytes()).hexdigest()}

    side, ours = quintet(args.threads)
    edges = [(int(a), int(b), float(w)) for (a, b), w in zip(train, train_weights)]

    def peer():
        start = time.perf_counter()
        graph = Graph(edges, directed=False, weighted=True)
        model = Node2Vec(graph, dim=s["dim"], walk_length=s["walk_length"], window=s["window"], p=s["p"], q=s["q"], workers=args.threads, batch_walks=1000)
        model.train(epochs=args.walks)
        return {"seconds": time.perf_counter() - start, "model": model}

    # Its compiler's first run is not counted.
    small = Node2Vec(Graph([(0, 1, 1.0), (1, 2, 1.0)], directed=False, weighted=True), dim=8, walk_length=5, window=2, p=1.0, q=1.0, workers=1)
    small.train(epochs=1)
    answers = interleave({"fastnode2vec": peer, "Quintet": ours}, args.rounds, warm=0)
    side.close()
    side, once = quintet(1)
    alone = once()
    side.close()
    bits = {answer["bits"] for answer in [*answers["Quintet"], alone]}
    vectors = {"Quintet": np.loadtxt(out, skiprows=1, dtype=np.float32)[:, 1:]}
    for name, answer in zip(("fastnode2vec", "fastnode2vec again"), answers["fastnode2vec"]):
        table = np.zeros((nodes, s["dim"]), np.float32)
        for node in np.flatnonzero(known):
            table[node] = answer["model"].wv[int(node)]
        vectors[name] = table
    times = {name: seconds(of) for name, of in answers.items()}
    save("users", {
        "threads": args.threads, "settings": {**SETTINGS, "walks": args.walks}, "nodes": nodes, "edges": len(train), "seconds": times,
        "ratios": {"Quintet over fastnode2vec": ratio(times["fastnode2vec"], times["Quintet"])},
        "seconds on one thread": alone["seconds"], "same bits in every run and on one thread": len(bits) == 1,
        "AUC of hidden edges": {name: auc(of, pairs[hidden], train, known) for name, of in vectors.items()},
    })


if __name__ == "__main__":
    main()
