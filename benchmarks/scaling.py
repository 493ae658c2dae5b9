"""Time and peak memory of every stage against the number of posts: the synthetic town of 1,000 to 1,000,000 posts.

Each stage is a process of its own with the configuration `configs/tiny.toml`, which is the town's, and one epoch:
town (making the posts; it draws at most about 20,000 images, beyond that posts of a day share them), import of the town
as JSON Lines, features, train, embed (every component, f32), search (1,000 posts of another town ask for ten each, exactly).

A stage that was measured is not measured again: sizes and stages can be run one by one.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys

from common import PROGRAM, ROOT, WORK, child, result, save

FOLDER = WORK / "scaling"
HERE = pathlib.Path(__file__).resolve()
CONFIG = ROOT / "configs/tiny.toml"
STAGES = ("town", "import", "features", "train", "embed", "search")
ASKING = 1000


def export(town, dump):
    """The town's posts as a folder that `quintet import` reads: posts.jsonl, splits.csv, images."""
    import polars as pl

    posts = pl.scan_parquet(town / "posts.parquet")
    of = lambda prefix, names: pl.when(pl.col(f"{prefix}_id").is_not_null()).then(pl.struct(**{n: pl.col(f"{prefix}_{n}") for n in names})).alias(prefix)
    when = lambda name: pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias(name)
    posts = posts.with_columns(when("created_at"), when("author_created_at"))
    author = ("id", "handle", "name", "description", "location", "created_at", "followers", "following", "posts", "listed", "verified")
    kept = ("id", "created_at", "lang", "text", "hashtags", "mentions", "images", "reply_to", "quote_of")
    rows = posts.select(*kept, of("author", author), of("place", ("id", "name", "kind", "country")))
    dump.mkdir(parents=True)
    rows.sink_ndjson(dump / "posts.jsonl")
    parts = (town / "splits.csv").read_text().split("\n", 1)[1]
    (dump / "splits.csv").write_text("post_id,split\n" + parts)
    os.symlink(town.resolve() / "images", dump / "images")


def commands(posts, folder, asking):
    """What each stage runs, and what must not stand there before."""
    set_one_epoch = ["--config", CONFIG, "--set", "train.epochs=1"]
    corpus, run, vectors = folder / "corpus", folder / "run", folder / "vectors.parquet"
    return {
        "town": (["town", "--posts", posts, "--into", folder / "town"], folder / "town"),
        "import": (["import", folder / "dump", "--images", "link", "--into", corpus], corpus),
        "features": (["features", corpus, "--config", CONFIG], corpus / "features"),
        "train": (["train", corpus, *set_one_epoch, "--into", run], run),
        "embed": (["embed", corpus, "--model", run, "--into", vectors], vectors),
        "search": (["search", vectors, "--queries", asking, "--into", folder / "near.parquet"], folder / "near.parquet"),
    }


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def measure(posts, stage, folder, quiet=("--quiet", "--json")):
    asking = folder / "asking.parquet"
    if stage == "search" and not asking.exists():
        # Posts of another town, embedded with the same model.
        child([PROGRAM, "town", "--posts", ASKING, "--seed", 2, "--into", folder / "asking", "--quiet"])
        child([PROGRAM, "embed", folder / "asking", "--model", folder / "run", "--into", asking, "--quiet"])
    if stage == "import" and not (folder / "dump").exists():
        child([sys.executable, HERE, "--export", folder / "town", folder / "dump"])
    command, made = commands(posts, folder, asking)[stage]
    remove(made)
    answer = child([PROGRAM, *command, *quiet])
    return {"seconds": answer["seconds"], "processor": answer["processor"], "MiB": answer["MiB"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    parser.add_argument("--again", action="store_true", help="measure what was measured, too")
    parser.add_argument("--keep", action="store_true", help="leave the corpora in the work folder, for the stages to come")
    parser.add_argument("--export", nargs=2, type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.export:
        export(*args.export)
        return
    path = result("scaling")
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    for posts in args.sizes:
        folder = FOLDER / str(posts)
        folder.mkdir(parents=True, exist_ok=True)
        for stage in args.stages:
            of = rows.setdefault(stage, {})
            if args.again or str(posts) not in of:
                of[str(posts)] = measure(posts, stage, folder)
                save("scaling", {"config": CONFIG.name, "asking": ASKING, "rows": rows})
        if not args.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
