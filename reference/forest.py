#!/usr/bin/env python3
"""Reference values of the random forest, from scikit-learn.

Writes crates/forest/tests/reference/forest.json, which crates/forest/tests/matches_scikit_learn.rs reads.
Run from anywhere: python reference/forest.py [NAME...]   (scikit-learn 1.9.1; some minutes; with names of forests only
those are fitted anew)

Two kinds. `trees`: single trees without any randomness, node by node. `forests`: data sets made here, and what
RandomForestClassifier reaches on them over many seeds: mean and standard deviation of what the test compares.

With class weights scikit-learn takes impurities from sums that round, finds 1e-16 in pure nodes and splits them further, into
leaves of the same class. That changes no prediction; such subtrees count as one leaf here. `balanced` is compared without
bootstrap: with it, scikit-learn before 1.8 multiplied the weights of drawn rows, as Quintet does, and newer ones draw by weight.
"""

import json
import math
import pathlib
import sys

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/forest/tests/reference/forest.json"
SEEDS, TREES = 100, 25


def drawn(rng, centres, spread, labels):
    """Points around their class's centre, with three decimals so that the file stays small."""
    noise = rng.standard_normal((len(labels), centres.shape[1])) * spread
    return np.round(centres[labels] + noise, 3).astype(np.float32)


def flowers(rng):
    """Three classes of four features, one apart, two that overlap."""
    centres = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.3, 1.9]])
    labels = [np.repeat(np.arange(3), n) for n in (40, 60)]
    return [(np.round(drawn(rng, centres, np.array([0.5, 0.35, 0.45, 0.3]), y), 1), y) for y in labels]


def rare(rng):
    """Two classes, one of them 8 % of the rows."""
    centres = np.concatenate([np.zeros((1, 8)), np.full((1, 8), 0.55)])
    return [(drawn(rng, centres, 1.0, y), y) for y in (np.sort((rng.random(n) < 0.08).astype(int)) for n in (250, 250))]


def many(rng):
    """Forty classes with five rows each."""
    centres = rng.standard_normal((40, 12))
    y = np.repeat(np.arange(40), 5)
    return [(drawn(rng, centres, 0.8, y), y) for _ in range(2)]


def constants(rng):
    """Three features that say something among thirty that are constant, nearly constant, or constant in parts."""
    def part(n):
        y = np.arange(n) % 4
        x = np.zeros((n, 33), dtype=np.float32)
        x[:, [3, 17, 30]] = drawn(rng, np.array([[0, 0, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0]]), 0.7, y)
        x[:, 5] = 7
        # Constant as far as scikit-learn is concerned: apart by less than 1e-7.
        x[:, 6] = np.where(y == 1, np.float32(5e-8), 0)
        # Varies in a part of the rows only.
        x[:, 7:12] = np.where(x[:, [3]] > 0.8, np.round(rng.standard_normal((n, 5)), 2), 0)
        return x, y
    return [part(120), part(200)]


def copies(rng):
    """Rows that stand there several times, with labels that contradict each other; features of few values."""
    def part(n):
        x = rng.integers(0, 3, size=(n, 6)).astype(np.float32)
        y = (x[:, 0] + (rng.random(n) < 0.3) + 2 * (x[:, 1] > x[:, 2])).astype(int)
        return np.concatenate([x, x[: n // 3]]), np.concatenate([y, rng.integers(0, 5, size=n // 3)])
    return [part(150), part(150)]


SETS = {
    "flowers": (flowers, {}),
    "flowers, small trees": (flowers, {"max_depth": 3, "min_samples_leaf": 4}),
    "flowers, all features, no bootstrap": (flowers, {"max_features": None, "bootstrap": False, "min_samples_split": 6}),
    "rare": (rare, {"class_weight": "balanced_subsample"}),
    "rare, large leaves": (rare, {"class_weight": "balanced_subsample", "min_samples_leaf": 5}),
    "rare, balanced": (rare, {"class_weight": "balanced", "bootstrap": False, "max_depth": 4}),
    "many classes": (many, {}),
    "many classes, balanced": (many, {"class_weight": "balanced_subsample", "min_samples_leaf": 2}),
    "constants": (constants, {}),
    "constants, one feature": (constants, {"max_features": 1}),
    "copies": (copies, {}),
    "copies, large leaves": (copies, {"min_samples_split": 8, "min_samples_leaf": 3}),
}


def figures(forest, x, y, classes):
    """What a forest reaches: one number each, and the importance of every feature."""
    probabilities = np.zeros((len(y), classes))
    probabilities[:, forest.classes_] = forest.predict_proba(x)
    own = np.maximum(probabilities[np.arange(len(y)), y], 1 / (4 * TREES))
    trees = [merged(e.tree_) for e in forest.estimators_]
    return {
        "accuracy": np.mean(forest.predict(x) == y),
        "log probability": np.mean(np.log(own)),
        "leaves": np.mean([sum("fractions" in node for node in t) for t in trees]),
        "depth": np.mean([depth(t) for t in trees]),
        **({"out of bag": forest.oob_score_} if forest.oob_score else {}),
        **{f"importance {i}": v for i, v in enumerate(forest.feature_importances_)},
    }


def forests(wanted, before):
    made = {}
    for name, (make, options) in SETS.items():
        if make not in made:
            made[make] = make(np.random.default_rng(len(made)))
        (x, y), (test_x, test_y) = made[make]
        classes = int(max(y.max(), test_y.max())) + 1
        assert len(np.unique(y)) == classes
        if wanted and name not in wanted:
            yield before[name]
            continue

        def one(seed):
            kind = {"n_estimators": TREES, "oob_score": options.get("bootstrap", True), **options}
            return figures(RandomForestClassifier(random_state=seed, **kind).fit(x, y), test_x, test_y, classes)

        found = [one(seed) for seed in range(SEEDS)]
        of = {what: [f[what] for f in found] for what in found[0]}
        result = {what: [float(np.mean(v)), float(np.std(v, ddof=1))] for what, v in of.items()}
        print(name, {k: v for k, v in result.items() if "importance" not in k}, flush=True)
        yield {"name": name, "data": make.__name__, "classes": classes, "options": options, "figures": result}
    yield {make.__name__: {"features": parts[0][0].shape[1],
                           **{part: {"values": [decimal(v) for v in x.ravel()], "labels": y.tolist()}
                              for part, (x, y) in zip(("train", "test"), parts)}} for make, parts in made.items()}


def decimal(value):
    """The shortest decimal that reads as this 32-bit number."""
    short = float(str(np.float32(value)))
    return int(short) if short == math.floor(short) else short


def merged(tree):
    """The nodes of a tree, left first: feature, threshold and children of a split, or the class fractions of a leaf.

    Subtrees whose leaves all hold the same one class are a leaf.
    """
    def pure(i):
        return np.flatnonzero(tree.value[i, 0] > 1e-9).size == 1

    made, waiting = [], [(0, None)]
    while waiting:
        i, parent = waiting.pop()
        if parent is not None:
            made[parent]["right"] = len(made)
        if tree.children_left[i] < 0 or pure(i):
            fractions = tree.value[i, 0] / tree.value[i, 0].sum()
            made.append({"fractions": [[int(c), float(fractions[c])] for c in np.flatnonzero(fractions > 1e-9)]})
        else:
            waiting += [(tree.children_right[i], len(made)), (tree.children_left[i], None)]
            made.append({"feature": int(tree.feature[i]), "threshold": float(tree.threshold[i]), "left": len(made) + 1})
    return made


def depth(nodes):
    depths = [0] * len(nodes)
    for i, node in enumerate(nodes):
        if "left" in node:
            depths[node["left"]] = depths[node["right"]] = depths[i] + 1
    return max(depths)


def same(one, other):
    """Whether trees have the same splits."""
    splits = lambda tree: [(n.get("feature"), n.get("threshold")) for n in tree]
    return splits(one) == splits(other)


def trees():
    """Trees that come out the same whatever the order in which features are tried."""
    kinds = [
        ("one feature", 1, 60, {}),
        ("one feature, balanced", 1, 60, {"class_weight": "balanced"}),
        ("one feature, large leaves", 1, 60, {"min_samples_leaf": 4}),
        ("five features", 5, 120, {"min_samples_split": 14}),
        ("five features, balanced", 5, 120, {"min_samples_split": 14, "class_weight": "balanced"}),
        ("five features, flat", 5, 120, {"max_depth": 2, "min_samples_leaf": 3}),
    ]
    for name, features, rows, options in kinds:
        for attempt in range(1000):
            rng = np.random.default_rng(attempt)
            y = rng.integers(0, 3, size=rows)
            # Two decimals: some rows share a value.
            x = np.round(drawn(rng, rng.standard_normal((3, features)), 1.0, y), 2)
            # Scaled weights round otherwise, so that scores which only rounding tells apart show themselves.
            grown = [DecisionTreeClassifier(random_state=seed, **options).fit(x, y, sample_weight=np.full(rows, 1 + seed / 7)) for seed in range(40)]
            exported = [merged(t.tree_) for t in grown]
            if all(same(e, exported[0]) for e in exported):
                break
        else:
            raise SystemExit(f"{name}: equal scores everywhere")
        print(name, "attempt", attempt, "nodes", len(exported[0]))
        yield {"name": name, "features": features, "options": options, "values": [decimal(v) for v in x.ravel()],
               "labels": y.tolist(), "nodes": exported[0], "importances": grown[0].feature_importances_.tolist()}


def main():
    wanted = sys.argv[1:]
    before = {f["name"]: f for f in json.loads(OUT.read_text())["forests"]} if wanted else {}
    *found, data = forests(wanted, before)
    record = {"scikit-learn": sklearn.__version__, "seeds": SEEDS, "n_trees": TREES, "trees": list(trees()),
              "forests": found, "data": data}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    # One line a data set or result.
    OUT.write_text(json.dumps(record).replace('{"name"', '\n{"name"').replace('"features": ', '\n"features": ') + "\n")
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
