#!/usr/bin/env python3
"""Runs the experiments of docs/results.md and writes their figures as JSON lines.

    python3 scripts/results.py --data DIR --work DIR [--only PATTERN] [--table]

Each experiment is one `quintet train` followed by `quintet eval retrieval --json`. What is finished is not run
again; what was stopped is resumed. `--table` prints the Markdown tables from what is there.
Only the standard library is needed; `cargo build --release` first (or name the program in QUINTET).
"""
import argparse, json, os, re, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUINTET = os.environ.get("QUINTET", str(ROOT / "target/release/quintet"))

AVERAGES = ["include-self", "leave-one-out"]
LOSSES = {
    "max-of-hinges": ["loss.kind=max-of-hinges", "loss.warmup_epochs=0"],
    "warm-up, then max-of-hinges": ["loss.kind=max-of-hinges", "loss.warmup_epochs=2"],
    "InfoNCE": ["loss.kind=info-nce", "loss.warmup_epochs=0"],
}


def experiments():
    """Name, corpus, config, overrides, evaluation arguments."""
    flickr = [[]]
    union = [["--source", "mvsa"], ["--source", "vmu"], ["--queries-from", "vmu", "--min-queries", "5"]]
    for average in AVERAGES:
        for loss, keys in LOSSES.items():
            keys = keys + [f"loss.average={average}"]
            for seed in (1, 2, 3):
                yield f"flickr8k/{average}/{loss}/{seed}", "flickr8k", "flickr8k.toml", keys + [f"seed={seed}"], flickr
                yield f"union/{average}/{loss}/{seed}", "union", "union.toml", keys + [f"seed={seed}"], union
    # Two components on the same posts; fewer posts have both, so the epochs are more.
    long = ["train.epochs=24", "train.drop_after=18"]
    hinges = LOSSES["warm-up, then max-of-hinges"]
    for seed in (1, 2, 3):
        two = ['components=["text","image"]', f"seed={seed}", *long]
        yield f"union/VSE++/{seed}", "union", "union.toml", [*two, *hinges], union
        yield f"union/VSE++, hashtags as text/{seed}", "union", "union.toml", [*two, *hinges, "text.hashtags_as_text=true"], union
        yield f"union/text and image, InfoNCE/{seed}", "union", "union.toml", two, union


def run(command):
    """Runs a command; returns its standard output, wall seconds and peak memory in MiB."""
    print("$", " ".join(command), file=sys.stderr, flush=True)
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return out, time.time() - start, usage.ru_maxrss / 1024


def corpus(name, data, work):
    """Imports a corpus once."""
    into = work / "corpora" / name
    if not (into / "corpus.json").exists():
        sets = {"flickr8k": ["flickr8k"], "union": ["mvsa", "vmu", "pan19", "rumoureval", "btc", "geotext3"]}[name]
        run([QUINTET, "import", *[str(data / s) for s in sets], "--into", str(into), "--rest", "train", "--images", "link"])
    return into


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="", help="regular expression on experiment names")
    parser.add_argument("--seeds", default="1,2,3")
    args = parser.parse_args()
    results = args.work / "results.jsonl"
    done = {json.loads(line)["name"] for line in results.read_text().splitlines()} if results.exists() else set()
    for name, corpus_name, config, keys, evaluations in experiments():
        if name in done or not re.search(args.only, name) or name.rsplit("/", 1)[1] not in args.seeds.split(","):
            continue
        folder = corpus(corpus_name, args.data, args.work)
        into = args.work / "runs" / re.sub(r"[^A-Za-z0-9/]+", "-", name)
        sets = [x for key in keys for x in ("--set", key)]
        resume = ["--resume"] if (into / "last.safetensors").exists() else []
        command = [QUINTET, "train", str(folder), "--config", str(ROOT / "configs" / config), *sets, "--into", str(into)]
        out, seconds, peak = run([*command, *resume, "--quiet", "--json"])
        record = {"name": name, "command": command[1:], "seconds": seconds, "peak_mib": peak, "train": json.loads(out), "eval": []}
        for extra in evaluations:
            out, seconds, peak = run([QUINTET, "eval", "retrieval", str(folder), "--model", str(into), *extra, "--json", "--quiet"])
            record["eval"].append({"arguments": extra, "seconds": seconds, "peak_mib": peak, "report": json.loads(out)})
        with results.open("a") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
