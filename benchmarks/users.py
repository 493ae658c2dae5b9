"""User vectors: fastnode2vec with gensim and Quintet on a mention graph, same settings, by the link prediction that follows.

15 % of the edges are hidden; the score of a pair is the cosine of its vectors; AUC of the hidden edges against as many
random pairs, among accounts that still have an edge.
"""

import argparse
import gzip
import time

import numpy as np
from fastnode2vec import Graph, Node2Vec
from sklearn.metrics import roc_auc_score

from common import DATA, WORK, Quintet, interleave, ratio, save, seconds

SETTINGS = dict(dim=128, walk_length=40, window=5, p=1.0, q=1.0)
WALKS = 10


def edges_of(path):
    rows = np.loadtxt(gzip.open(path, "rt") if str(path).endswith(".gz") else path, dtype=np.int64)
    _, nodes = np.unique(rows[:, :2], return_inverse=True)
    return nodes.reshape(-1, 2).astype(np.int32), rows[:, 2].astype(float)


def auc(vectors, hidden, known, seed=1):
    rng = np.random.default_rng(seed)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    hidden = hidden[known[hidden].all(1)]
    nodes = np.flatnonzero(known)
    others = rng.choice(nodes, size=hidden.shape)
    score = lambda pairs: (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(1)
    labels = np.r_[np.ones(len(hidden)), np.zeros(len(others))]
    return float(roc_auc_score(labels, np.r_[score(hidden), score(others)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", default=DATA / "higgs_mention/higgs-mention_network.edgelist.gz")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
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
        f"[user]\ndim = {s['dim']}\nwalks = {WALKS}\nwalk_length = {s['walk_length']}\nwindow = {s['window']}\np = {s['p']}\nq = {s['q']}\n"
        "undirected = true\nnegatives = 5\nlearning_rate = 0.025\n")
    ours = Quintet("users", folder / "edges.txt", folder / "config.toml", folder / "ours.vec", threads=args.threads)
    edges = [(int(a), int(b), float(w)) for (a, b), w in zip(train, train_weights)]

    def peer():
        start = time.perf_counter()
        graph = Graph(edges, directed=False, weighted=True)
        model = Node2Vec(graph, dim=s["dim"], walk_length=s["walk_length"], window=s["window"], p=s["p"], q=s["q"], workers=args.threads, batch_walks=1000)
        model.train(epochs=WALKS)
        return {"seconds": time.perf_counter() - start, "model": model}

    # Its compiler's first run is not counted.
    small = Node2Vec(Graph([(0, 1, 1.0), (1, 2, 1.0)], directed=False, weighted=True), dim=8, walk_length=5, window=2, p=1.0, q=1.0, workers=1)
    small.train(epochs=1)
    answers = interleave({"fastnode2vec": peer, "Quintet": ours}, args.rounds, warm=0)
    ours.close()
    vectors = {"Quintet": np.loadtxt(folder / "ours.vec", skiprows=1, dtype=np.float32)[:, 1:]}
    for name, answer in zip(("fastnode2vec", "fastnode2vec again"), answers["fastnode2vec"]):
        table = np.zeros((nodes, s["dim"]), np.float32)
        for node in np.flatnonzero(known):
            table[node] = answer["model"].wv[int(node)]
        vectors[name] = table
    times = {name: seconds(of) for name, of in answers.items()}
    save("users", {
        "threads": args.threads, "settings": {**SETTINGS, "walks": WALKS}, "nodes": nodes, "edges": len(train), "seconds": times,
        "ratios": {"Quintet over fastnode2vec": ratio(times["fastnode2vec"], times["Quintet"])},
        "AUC of hidden edges": {name: auc(of, pairs[hidden], known) for name, of in vectors.items()},
    })


if __name__ == "__main__":
    main()
