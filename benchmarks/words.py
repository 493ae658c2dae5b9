"""Word vectors: official fastText and Quintet on the same tokens with the same settings.

Text: the training texts of a corpus of public posts (`--text`: any file with a text a line, words apart by spaces).
Quality, with the peer's own second run (another seed) as the yardstick: how many of the ten nearest neighbours of
frequent words agree with the peer's, and how well a post's hashtags are found from the mean of its words.
"""

import argparse
import gzip
import itertools
import json
import re
import time

import fasttext
import numpy as np

from common import DATA, WORK, Quintet, interleave, ratio, save, seconds

SETTINGS = dict(dim=200, epoch=5, ws=5, neg=5, bucket=200_000, minn=3, maxn=6, minCount=5, lr=0.05, t=1e-4)
SOURCES = ("mvsa", "vmu", "pan19", "geotext3", "flickr8k")


def own_text(folder):
    """Lower-cased words and hashtags of the posts; Quintet's own tokeniser is not the point here."""
    path = folder / "text.txt"
    if not path.exists():
        with path.open("w") as out:
            for source in SOURCES:
                with gzip.open(DATA / source / "posts.jsonl.gz", "rt") as file:
                    for line in file:
                        words = re.findall(r"[#@]?\w+", json.loads(line).get("text", "").lower())
                        out.write(" ".join(words) + "\n")
    return path


def read_vectors(path):
    with open(path) as file:
        file.readline()
        rows = [line.rstrip("\n").split(" ") for line in file]
    return [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=np.float32)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def neighbours(words, rows, asked, k=10):
    rows = unit(rows)
    found = rows[asked] @ rows.T
    found[np.arange(len(asked)), asked] = -2
    return [{words[j] for j in np.argpartition(-row, k)[:k]} for row in found]


def tag_recall(words, rows, lines, tags, k=10):
    """Share of held-back tags among the k tags nearest to the mean of the post's other words."""
    index = {word: i for i, word in enumerate(words)}
    known = {tag for tag in tags if tag in index}
    tags = sorted(known)
    rows = unit(rows)
    targets = rows[[index[tag] for tag in tags]]
    right, asked = 0, 0
    for line in lines:
        own = [word for word in line if word in known]
        rest = [index[word] for word in line if word in index and not word.startswith("#")]
        if own and rest:
            scores = targets @ rows[rest].mean(0)
            best = {tags[j] for j in np.argpartition(-scores, k)[:k]}
            right += len(best & set(own)) / len(set(own))
            asked += 1
    return right / max(asked, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text")
    parser.add_argument("--lines", type=int, default=60_000, help="only so many lines, drawn at random; 0: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    folder = WORK / "words"
    folder.mkdir(parents=True, exist_ok=True)
    text = args.text or own_text(folder)
    lines = [line.split() for line in open(text)]
    if args.lines:
        rng = np.random.default_rng(1)
        lines = [lines[i] for i in sorted(rng.permutation(len(lines))[: args.lines])]
        text = folder / f"text-{args.lines}.txt"
        text.write_text("".join(" ".join(line) + "\n" for line in lines))
    config = folder / "config.toml"
    s = SETTINGS
    config.write_text(
        f"[words]\ndim = {s['dim']}\nepochs = {s['epoch']}\nmin_count = {s['minCount']}\nwindow = {s['ws']}\nnegatives = {s['neg']}\n"
        f"buckets = {s['bucket']}\nsubwords = [{s['minn']}, {s['maxn']}]\nlearning_rate = {s['lr']}\nsample = {s['t']}\n")
    ours = Quintet("words", text, config, folder / "ours.vec", threads=args.threads)

    seeds = itertools.count()

    def peer():
        # The function takes no seed, but its defaults hold one.
        fasttext.FastText.unsupervised_default["seed"] = next(seeds)
        start = time.perf_counter()
        model = fasttext.train_unsupervised(str(text), model="skipgram", thread=args.threads, verbose=0, **SETTINGS)
        return {"seconds": time.perf_counter() - start, "model": model}

    answers = interleave({"fastText": peer, "Quintet": ours}, args.rounds, warm=0)
    ours.close()
    words, rows = read_vectors(folder / "ours.vec")
    peers = [np.stack([a["model"].get_word_vector(word) for word in words]) for a in answers["fastText"][:2]]
    counts = {}
    for line in lines:
        for word in line:
            counts[word] = counts.get(word, 0) + 1
    frequent = sorted(range(len(words)), key=lambda i: -counts[words[i]])[100:1100]
    near = {name: neighbours(words, of, frequent) for name, of in (("Quintet", rows), ("fastText", peers[0]), ("again", peers[-1]))}
    overlap = lambda a, b: float(np.mean([len(x & y) / 10 for x, y in zip(near[a], near[b])]))
    tags = {word for word, n in counts.items() if word.startswith("#") and n >= 50}
    sample = [lines[i] for i in np.random.default_rng(3).permutation(len(lines))[:100_000]]
    times = {name: seconds(of) for name, of in answers.items()}
    save("words", {
        "threads": args.threads, "settings": SETTINGS, "lines": len(lines), "tokens": sum(map(len, lines)), "words": len(words),
        "seconds": times, "ratios": {"Quintet over fastText": ratio(times["fastText"], times["Quintet"])},
        "ten nearest neighbours shared": {"Quintet and fastText": overlap("Quintet", "fastText"), "fastText and fastText again": overlap("again", "fastText")},
        "recall of tags at 10": {name: tag_recall(words, of, sample, tags) for name, of in (("Quintet", rows), ("fastText", peers[0]), ("fastText again", peers[-1]))},
    })


if __name__ == "__main__":
    main()
