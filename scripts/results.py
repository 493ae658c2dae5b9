#!/usr/bin/env python3
"""Runs the experiments of docs/results.md and writes their figures as JSON lines.

    python3 scripts/results.py --data DIR --work DIR [--only PATTERN] [--table]

Each experiment is one `quintet train` followed by `quintet eval retrieval --json`. What is finished is not run
again; what was stopped is resumed. `--table` prints the Markdown tables from what is there.
Only the standard library is needed; `cargo build --release` first (or name the program in QUINTET).
"""
import argparse, csv, json, os, re, shutil, statistics, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUINTET = os.environ.get("QUINTET", str(ROOT / "target/release/quintet"))

AVERAGES = ["include-self", "leave-one-out"]
MVSA = [["--source", "mvsa"]]
VMU = [["--queries-from", "vmu", "--min-queries", "5"]]


def loss(kind, rate, epochs, drop, warmup=0):
    """Overrides of a training signal with its schedule."""
    return [f"loss.kind={kind}", f"train.learning_rate={rate}", f"train.epochs={epochs}", f"train.drop_after={drop}", f"loss.warmup_epochs={warmup}"]


# What tuning() found best on dev, with one seed, for each loss on each corpus.
FLICKR = {
    "max-of-hinges": loss("max-of-hinges", "5e-4", 30, 20),
    "warm-up, then max-of-hinges": loss("max-of-hinges", "5e-4", 30, 20, warmup=8),
    "InfoNCE": loss("info-nce", "5e-4", 30, 20),
}
UNION = {
    "max-of-hinges": loss("max-of-hinges", "5e-4", 24, 18),
    "warm-up, then max-of-hinges": loss("max-of-hinges", "5e-4", 24, 18, warmup=8),
    "InfoNCE": loss("info-nce", "5e-4", 8, 6),
}
TWO = {
    "VSE++": [*loss("max-of-hinges", "5e-4", 60, 45, warmup=8), "model.bag_of_words=false"],
    "text and image, InfoNCE": loss("info-nce", "1e-3", 60, 45),
}


def experiments():
    """Name, corpus, config, overrides, evaluation arguments."""
    union = [*MVSA, ["--source", "vmu"], *VMU]
    for seed in ("seed=1", "seed=2", "seed=3"):
        at = seed[-1]
        yield f"flickr8k/leave-one-out/max-of-hinges in bf16/{at}", "flickr8k", "flickr8k.toml", [*FLICKR["max-of-hinges"], "loss.average=leave-one-out", "model.precision=bf16", seed], [[]]
        for average in AVERAGES:
            for name, keys in FLICKR.items():
                yield f"flickr8k/{average}/{name}/{at}", "flickr8k", "flickr8k.toml", [*keys, f"loss.average={average}", seed], [[]]
            for name, keys in UNION.items():
                yield f"union/{average}/{name}/{at}", "union", "union.toml", [*keys, f"loss.average={average}", seed], union
        yield f"union/pairwise/InfoNCE/{at}", "union", "union.toml", [*UNION["InfoNCE"], "loss.average=pairwise", seed], union
        # Two components on the same posts; fewer posts have both, so the epochs are more.
        two = ['components=["text","image"]', seed]
        for name, keys in TWO.items():
            yield f"union/{name}/{at}", "union", "union.toml", [*two, *keys], union
        yield f"union/VSE++, hashtags as text/{at}", "union", "union.toml", [*two, *TWO["VSE++"], "text.hashtags_as_text=true"], union
        # Every event of vmu once as the unseen one.
        for event in ("nepal", "samurai", "garissa"):
            for name, keys in (("leave-one-out/InfoNCE", UNION["InfoNCE"]), ("VSE++", [*two[:1], *TWO["VSE++"]])):
                yield f"union-{event}/{name}/{at}", f"union-{event}", "union.toml", [*keys, seed], VMU


def tuning():
    """Learning rate and warm-up of every loss, chosen on dev with one seed, all long enough to stop improving."""
    hinges, nce = "max-of-hinges", "info-nce"
    two = 'components=["text","image"]'  # VSE++: no bag of words
    for loss, rate, warmup in (
        *((hinges, rate, warmup) for rate in ("2e-4", "5e-4", "1e-3") for warmup in (0, 8)),
        *((nce, rate, 0) for rate in ("2e-4", "5e-4", "1e-3")),
    ):
        name = f"{loss}, rate {rate}, {warmup} epochs of warm-up/1"
        keys = ["seed=1", f"loss.kind={loss}", f"loss.warmup_epochs={warmup}", f"train.learning_rate={rate}"]
        length = lambda n, drop: [f"train.epochs={n}", f"train.drop_after={drop}"]
        yield f"tuning/flickr8k/{name}", "flickr8k", "flickr8k.toml", keys + length(30, 20), [[]]
        yield f"tuning/text and image of union/{name}", "union", "union.toml", [*keys, two, "model.bag_of_words=false", *length(60, 45)], MVSA
        yield f"tuning/union/{name}", "union", "union.toml", keys + length(24, 18), MVSA


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


def event_fold(name, data, work):
    """The union with another event of vmu as its dev part: every event is once the unseen one."""
    into, base = work / "corpora" / name, corpus("union", data, work)
    if not into.exists():
        with (data / "vmu/labels.csv").open() as file:
            events = {row["post_id"]: row["event"] for row in csv.DictReader(file)}
        half = into.with_suffix(".making")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(base, half)
        with (base / "splits.csv").open() as file, (half / "fold.csv").open("w") as out:
            for line in file:
                post, _, part = line.rstrip("\n").partition(",")
                event = events.get(post)
                out.write(f"{post},{part if event is None else 'dev' if name.endswith(event) else 'train'}\n")
        run([QUINTET, "split", str(half), "--from", str(half / "fold.csv"), "--quiet"])
        half.rename(into)
    return into


def corpus(name, data, work):
    """Imports a corpus once."""
    if name.startswith("union-"):
        return event_fold(name, data, work)
    into = work / "corpora" / name
    if not (into / "corpus.json").exists():
        sets = {"flickr8k": ["flickr8k"], "union": ["mvsa", "vmu", "pan19", "rumoureval", "btc", "geotext3"]}[name]
        run([QUINTET, "import", *[str(data / s) for s in sets], "--into", str(into), "--rest", "train", "--images", "link"])
    return into


def spread(values, digits=1):
    """Mean and standard deviation, or the one value."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


FIGURES = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
PAIRS = (("text", "image"), ("image", "text"))


def row(cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def head(cells):
    row(cells)
    row(["---", *["---:"] * (len(cells) - 1)])


def pair(report, origin, target):
    """The figures of one direction, if it had enough queries."""
    return next((p for p in report["pairs"] if p["from"] == [origin] and p["target"] == target), None)


def rsum(report):
    return next((r["rsum"]["value"] for r in report["rsums"] if r["between"] == ["text", "image"]), None)


def tables(results):
    """Markdown: tuning, then text to image and back by corpus and evaluation (means over seeds), then the events of vmu."""
    records = [json.loads(line) for line in results.read_text().splitlines()]
    tuning, groups, events = {}, {}, {}
    for record in records:
        corpus_name, setting = record["name"].rsplit("/", 1)[0].split("/", 1)
        if corpus_name == "tuning":
            tuning.setdefault(setting.split("/")[0], []).append((setting.split("/")[1], record))
            continue
        for evaluation in record["eval"]:
            arguments = " ".join(evaluation["arguments"])
            if arguments == " ".join(VMU[0]) and setting in ("leave-one-out/InfoNCE", "VSE++"):
                event = corpus_name.partition("-")[2] or "eclipse"
                events.setdefault(setting, {}).setdefault(event, []).append(evaluation["report"])
            if not corpus_name.startswith("union-"):
                groups.setdefault((corpus_name, arguments), {}).setdefault(setting, []).append(evaluation["report"])
    for name, runs in tuning.items():
        print(f"\nTuning on {name}, one seed\n")
        head(["setting", "rsum", "best at step", "of steps"])
        for setting, record in runs:
            row([setting, spread([rsum(record["eval"][0]["report"])]), record["train"]["best"]["step"], record["train"]["steps"]])
    for (corpus_name, arguments), settings in groups.items():
        print(f"\n`{corpus_name}` {arguments}\n")
        head(["setting", "seeds", "text->image R@1", "R@5", "R@10", "median", "image->text R@1", "R@5", "R@10", "median", "rsum"])
        for setting, reports in settings.items():
            cells = []
            for direction in PAIRS:
                found = [pair(report, *direction) for report in reports]
                cells += [spread([p[figure]["value"] for p in found]) if all(found) else "-" for figure in FIGURES]
            sums = [rsum(report) for report in reports]
            row([setting, len(reports), *cells, spread(sums) if None not in sums else "-"])
    for setting, by_event in events.items():
        print(f"\nEvents of vmu, each unseen in training, asking among the whole dev part: {setting}\n")
        head(["event", "seeds", "direction", "queries", "candidates", "R@10", "chance", "median", "by chance"])
        for direction in PAIRS:
            hits, by_chance, queries = [], 0.0, 0
            for event, reports in by_event.items():
                found = [pair(report, *direction) for report in reports]
                if not all(found):
                    continue
                first, name = found[0], " -> ".join(direction)
                recalls = [p["recall_at_10"]["value"] for p in found]
                row([event, len(found), name, first["queries"], first["candidates"], spread(recalls), f"{first['recall_at_10']['chance']:.1f}",
                     spread([p["median_rank"]["value"] for p in found]), f"{first['median_rank']['chance']:.0f}"])
                hits.append((first["queries"], recalls))
                by_chance += first["queries"] * first["recall_at_10"]["chance"]
                queries += first["queries"]
            seeds = min(len(recalls) for _, recalls in hits)
            pooled = [sum(n * recalls[i] for n, recalls in hits) / queries for i in range(seeds)]
            row(["all", seeds, " -> ".join(direction), queries, "", spread(pooled), f"{by_chance / queries:.1f}", "", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="", help="regular expression on experiment names")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--threads", type=int, help="worker threads of each run; results do not depend on it")
    parser.add_argument("--table", action="store_true", help="print the tables from what is there")
    args = parser.parse_args()
    results = args.work / "results.jsonl"
    if args.table:
        return tables(results)
    done = {json.loads(line)["name"] for line in results.read_text().splitlines()} if results.exists() else set()
    for name, corpus_name, config, keys, evaluations in [*tuning(), *experiments()]:
        if name in done or not re.search(args.only, name) or name.rsplit("/", 1)[1] not in args.seeds.split(","):
            continue
        folder = corpus(corpus_name, args.data, args.work)
        into = args.work / "runs" / re.sub(r"[^A-Za-z0-9/]+", "-", name)
        sets = [x for key in keys for x in ("--set", key)]
        resume = ["--resume"] if (into / "last.safetensors").exists() else []
        threads = ["--threads", str(args.threads)] if args.threads else []
        command = [QUINTET, *threads, "train", str(folder), "--config", str(ROOT / "configs" / config), *sets, "--into", str(into)]
        out, seconds, peak = run([*command, *resume, "--quiet", "--json"])
        record = {"name": name, "command": command[1:], "seconds": seconds, "peak_mib": peak, "train": json.loads(out), "eval": []}
        for extra in evaluations:
            out, seconds, peak = run([QUINTET, *threads, "eval", "retrieval", str(folder), "--model", str(into), *extra, "--json", "--quiet"])
            record["eval"].append({"arguments": extra, "seconds": seconds, "peak_mib": peak, "report": json.loads(out)})
        with results.open("a") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
