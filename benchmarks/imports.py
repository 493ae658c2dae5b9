"""Importing JSON Lines: Quintet beside pandas, polars and twarc-csv on the same dumps; then Quintet from 1 to 10 GB.

The dumps are public ones repeated until they are large. Every copy of a post has an id of its own (replies within a copy
still lead to posts of that copy), so nothing collapses that did not in the original:

- x-v1: raw tweets as the API v1.1 gave them (rumoureval, btc and a search answer), 2.6 kB each
- native: Quintet's own JSON Lines (pan19, tweepfake, geotext3, btc_country), 0.2 kB each

Each side is a process of its own: wall seconds from start to end, peak resident memory as the system counts it. Peers
write what they read to Parquet (twarc-csv: CSV) and stop there:

- polars: fields found out from all of the file (`infer_schema_length=None`) or from its first 10,000 records; on x-v1,
  where empty objects and lists leave it without a Parquet type, with the fields that Quintet reads named by hand
- pandas: 20,000 lines at a time, a file each, with the types left alone so that ids keep their digits; objects and lists
  become JSON texts, which is what Parquet takes of them
- twarc-csv reads API v2 only: x-v2 is the tweets of x-v1 rewritten, one flattened tweet a line, and a tenth as large
"""

import argparse
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version

from common import DATA, PROGRAM, WORK, Quintet, child, ratio, result, save, seconds

FOLDER = WORK / "import"
MARK = b"\0"
GB = 10**9
HERE = pathlib.Path(__file__).resolve()


def lines(path):
    with gzip.open(path, "rb") as file:
        yield from (line for line in file if line.strip())


def raw_tweets():
    for name in ("rumoureval/train", "btc/a", "btc/e"):
        yield from lines(DATA / f"{name}.jsonl.gz")
    with open(DATA / "fixtures/simdjson/twitter.json", "rb") as file:
        for tweet in json.load(file)["statuses"]:
            yield json.dumps(tweet, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def tweets_within(tweet):
    """A tweet and the ones it carries, outermost first."""
    yield tweet
    for key in ("retweeted_status", "quoted_status"):
        if isinstance(tweet.get(key), dict):
            yield from tweets_within(tweet[key])


def base_x_v1():
    """The tweets with MARK for the leading digits of every post id; how many different posts an import should find.

    The id is the text `id_str`: in some of them `id` is a float that has lost its digits.
    """
    raw = list(raw_tweets())
    ids, posts = set(), set()
    for tweet in map(json.loads, raw):
        ids.update(t["id_str"].encode() for t in tweets_within(tweet))
        used = tweet.get("retweeted_status") or tweet
        posts.add(used["id_str"])
        if isinstance(used.get("quoted_status"), dict):
            posts.add(used["quoted_status"]["id_str"])
    tails = {i[4:] for i in ids}
    if len(tails) < len(ids) or min(map(len, ids)) < 15:
        raise SystemExit("ids of the base are not told apart by their ends")
    text = re.sub(rb"\d{15,19}", lambda m: MARK + m[0][4:] if m[0] in ids else m[0], b"".join(raw))
    return text, len(raw), len(posts)


def base_native():
    text, ids, count = [], set(), 0
    for name in ("pan19", "tweepfake", "geotext3", "btc_country"):
        for line in lines(DATA / name / "posts.jsonl.gz"):
            ids.add(json.loads(line)["id"])
            text.append(line.replace(b'{"id":"', b'{"id":"' + MARK + b"-", 1))
            count += 1
    return b"".join(text), count, len(ids)


def base_x_v2():
    """x-v1 as flattened v2 tweets: what `twarc2 flatten` writes, so far as v1.1 tells."""
    text, count, posts = base_x_v1()
    # A mark cannot stand in JSON; digits can, if nothing else has them.
    stand_in = b"9876"
    if re.search(rb"\b" + stand_in + rb"\d{11,}", text):
        raise SystemExit("an id begins like the stand-in")
    tweets = (flattened(json.loads(line)) for line in text.replace(MARK, stand_in).splitlines())
    text = b"".join(json.dumps(t, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for t in tweets)
    return re.sub(rb"\b" + stand_in + rb"(\d{11,})", MARK + rb"\1", text), count, posts


def flattened(t, depth=0):
    when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.strptime(t["created_at"], "%a %b %d %H:%M:%S +0000 %Y"))
    user, entities = t["user"], t.get("entities") or {}
    span = lambda e: {"start": e["indices"][0], "end": e["indices"][1]}
    out = {
        "id": t["id_str"], "text": t.get("full_text") or t["text"], "created_at": when, "lang": t.get("lang") or "und",
        "author_id": user["id_str"], "conversation_id": t["id_str"], "possibly_sensitive": bool(t.get("possibly_sensitive")),
        "reply_settings": "everyone", "edit_history_tweet_ids": [t["id_str"]],
        "public_metrics": {"retweet_count": t["retweet_count"], "reply_count": 0, "like_count": t["favorite_count"], "quote_count": 0},
        "entities": {
            "hashtags": [{**span(e), "tag": e["text"]} for e in entities.get("hashtags", [])],
            "mentions": [{**span(e), "username": e["screen_name"], "id": str(e["id"])} for e in entities.get("user_mentions", [])],
            "urls": [{**span(e), "url": e["url"], "expanded_url": e.get("expanded_url") or e["url"], "display_url": e.get("display_url", "")}
                     for e in entities.get("urls", [])],
        },
        "author": {
            "id": user["id_str"], "username": user["screen_name"], "name": user["name"], "description": user.get("description") or "",
            "location": user.get("location") or "", "verified": user["verified"], "protected": user["protected"],
            "profile_image_url": user["profile_image_url_https"],
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.strptime(user["created_at"], "%a %b %d %H:%M:%S +0000 %Y")),
            "public_metrics": {"followers_count": user["followers_count"], "following_count": user["friends_count"],
                               "tweet_count": user["statuses_count"], "listed_count": user["listed_count"]},
        },
    }
    references = []
    if t.get("in_reply_to_status_id_str"):
        out["in_reply_to_user_id"] = t["in_reply_to_user_id_str"]
        references.append({"type": "replied_to", "id": t["in_reply_to_status_id_str"]})
    for key, kind in (("retweeted_status", "retweeted"), ("quoted_status", "quoted")):
        if isinstance(t.get(key), dict) and depth < 2:
            references.append({"type": kind, **flattened(t[key], depth + 1)})
    if references:
        out["referenced_tweets"] = references
    return out


BASES = {"x-v1": base_x_v1, "native": base_native, "x-v2": base_x_v2}


def generate(kind, size, out):
    """Writes copies to `out` (a binary file), at least one, until another would not fit into `size` bytes."""
    text, records, posts = BASES[kind]()
    pieces = text.split(MARK)
    written, copies = 0, 0
    while copies == 0 or written + len(text) <= size:
        if copies > 8999:
            raise SystemExit("four digits do not number that many copies")
        part = str(1000 + copies).encode().join(pieces)
        out.write(part)
        written += len(part)
        copies += 1
    out.flush()
    return {"bytes": written, "records": copies * records, "posts": copies * posts}


# The sides, each called in a process of its own; they print how many records they found.


def polars_inferring(records):
    def side(path, out):
        import polars

        polars.scan_ndjson(path, infer_schema_length=records).sink_parquet(out / "posts.parquet")
        return polars.scan_parquet(out / "posts.parquet").select(polars.len()).collect().item()
    return side


def polars_named(path, out):
    import polars as pl

    text, number, flag = pl.String, pl.Int64, pl.Boolean
    user = pl.Struct({"id_str": text, "screen_name": text, "name": text, "description": text, "location": text, "created_at": text,
                      "followers_count": number, "friends_count": number, "statuses_count": number, "listed_count": number, "verified": flag})
    place = pl.Struct({"id": text, "full_name": text, "place_type": text, "country_code": text,
                       "bounding_box": pl.Struct({"coordinates": pl.List(pl.List(pl.List(pl.Float64)))})})
    media = pl.List(pl.Struct({"type": text, "media_url_https": text}))
    entities = pl.Struct({"hashtags": pl.List(pl.Struct({"text": text})), "user_mentions": pl.List(pl.Struct({"id_str": text, "screen_name": text})), "media": media})
    tweet = {"id_str": text, "created_at": text, "lang": text, "text": text, "entities": entities, "extended_entities": pl.Struct({"media": media}),
             "user": user, "place": place, "coordinates": pl.Struct({"coordinates": pl.List(pl.Float64)}),
             "in_reply_to_status_id_str": text, "quoted_status_id_str": text}
    pl.scan_ndjson(path, schema={**tweet, "retweeted_status": pl.Struct(tweet)}).sink_parquet(out / "posts.parquet")
    return pl.scan_parquet(out / "posts.parquet").select(pl.len()).collect().item()


def pandas_chunks(path, out):
    import pandas

    count = 0
    nested = lambda v: json.dumps(v) if isinstance(v, (dict, list)) else v
    for number, chunk in enumerate(pandas.read_json(path, lines=True, chunksize=20_000, dtype=False)):
        for column in chunk.columns:
            if chunk[column].map(lambda v: isinstance(v, (dict, list))).any():
                chunk[column] = chunk[column].map(nested)
        chunk.to_parquet(out / f"{number}.parquet")
        count += len(chunk)
    return count


def twarc_csv(path, out):
    import pandas

    if not hasattr(pandas.DataFrame, "applymap"):
        # twarc-csv 0.7.2 was written for pandas before 3, where `map` had this name.
        pandas.DataFrame.applymap = pandas.DataFrame.map
    from twarc_csv import CSVConverter, DataFrameConverter

    with open(path) as source, open(out / "posts.csv", "w") as table:
        converter = DataFrameConverter("tweets")
        CSVConverter(source, table, converter=converter, hide_progress=True).process()
    return converter.counts["rows"]


SIDES = {
    "polars": polars_inferring(None),
    "polars, fields from 10,000 records": polars_inferring(10_000),
    "polars, fields named by hand": polars_named,
    "pandas": pandas_chunks,
    "twarc-csv": twarc_csv,
}
# What is compared on which dump, and the rounds: slow sides once.
PEERS = {
    "x-v1": {"polars, fields named by hand": 3, "pandas": 1},
    "native": {"polars": 3, "polars, fields from 10,000 records": 3, "pandas": 1},
    "x-v2": {"pandas": 1, "twarc-csv": 1},
}


def in_folder(call):
    """Calls with an empty folder that is gone afterwards."""
    folder = FOLDER / "out"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return call(folder)
    finally:
        shutil.rmtree(folder)


def run_side(name, path):
    answer = in_folder(lambda out: child([sys.executable, HERE, "--side", name, path, out]))
    return {**answer, "records": int(answer.pop("out").split()[-1])}


def run_quintet(source, stdin=None):
    answer = in_folder(lambda out: child([PROGRAM, "import", source, "--into", out / "corpus", "--json", "--quiet"], stdin))
    rows = json.loads(answer.pop("out"))["rows"]
    return {**answer, "records": rows["read"], "posts": rows["imported"] + rows["quoted"]}


def dump(kind, size):
    """The file of a dump, written once by another process: this one must stay small."""
    path = FOLDER / f"{kind}-{size}.jsonl"
    told = path.with_suffix(".json")
    if not told.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        told.write_text(child([sys.executable, HERE, "--generate", kind, size, path])["out"])
    return path, json.loads(told.read_text())


def check(name, found, told):
    for what in ("records", "posts"):
        if what in found and found[what] != told[what]:
            raise SystemExit(f"{name} found {found[what]} {what}, not {told[what]}")


def compare(kind, size, rounds):
    path, told = dump(kind, size)
    answers = {}
    sides = {"Quintet": rounds, **{name: min(rounds, n) for name, n in PEERS[kind].items()}}
    for at in range(rounds):
        for name in list(sides) if at % 2 == 0 else list(sides)[::-1]:
            if at < sides[name]:
                found = run_quintet(path) if name == "Quintet" else run_side(name, path)
                check(name, found, told)
                answers.setdefault(name, []).append(found)
                print(kind, name, found, flush=True)
    return {"dump": kind, **told, "sides": sides_of(answers, told["bytes"], told["records"])}


def sides_of(answers, size, records):
    ours = answers.get("Quintet")
    return {name: {
        "seconds": seconds(of), "MB/s": size / 1e6 / min(seconds(of)), "records/s": records / min(seconds(of)), "MiB": max(a["MiB"] for a in of), "processor": min(a["processor"] for a in of),
        **({"ratio": ratio(seconds(of), seconds(ours))} if ours and name != "Quintet" else {}),
    } for name, of in answers.items()}


def limits(kind, size):
    """MB/s of reading the file, and of finding out with all threads that each line is JSON: no import can be faster."""
    path, told = dump(kind, size)
    found = {}
    for what in ("read", "check"):
        side = Quintet("lines", path, what)
        answers = [side() for _ in range(4)]
        side.close()
        if what == "check" and answers[0]["lines"] != told["records"]:
            raise SystemExit(f"{answers[0]['lines']} lines are JSON, not {told['records']}")
        found[what] = told["bytes"] / 1e6 / min(seconds(answers))
    return found


def growth(kind, sizes):
    """Quintet on dumps that never lie on the disk: another process writes them into its standard input."""
    for size in sizes:
        maker = subprocess.Popen([sys.executable, HERE, "--generate", kind, str(size), "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        found = run_quintet("-", maker.stdout)
        told = json.loads(maker.stderr.read())
        if maker.wait() != 0:
            raise SystemExit("the dump was not written to its end")
        check("Quintet", found, told)
        row = {"dump": kind, **told, "seconds": found["seconds"], "processor": found["processor"], "MB/s": told["bytes"] / 1e6 / found["seconds"], "MiB": found["MiB"]}
        print(row, flush=True)
        yield row


PARTS = (*PEERS, "growth")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=GB, help="bytes of the dumps that are compared")
    parser.add_argument("--growth", type=float, nargs="*", default=[1, 2, 5, 10], help="GB of x-v1 for Quintet alone")
    parser.add_argument("--keep", action="store_true", help="leave the dumps in the work folder")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure only these, beside earlier figures")
    parser.add_argument("--generate", nargs=3, metavar=("KIND", "SIZE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--side", nargs=3, metavar=("NAME", "FILE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.generate:
        kind, size, to = args.generate
        if to == "-":
            print(json.dumps(generate(kind, int(size), sys.stdout.buffer)), file=sys.stderr)
        else:
            with open(to, "wb") as out:
                print(json.dumps(generate(kind, int(size), out)))
        return
    if args.side:
        name, path, out = args.side
        print(SIDES[name](path, pathlib.Path(out)))
        return
    path = result("import")
    # Parts that are measured in calls of their own stand beside each other.
    record = json.loads(path.read_text()) if path.exists() else {}
    record = {key: record.get(key, empty) for key, empty in (("rows", []), ("growth", []), ("limits", {}))}
    record["versions"] = {name: version(name) for name in ("pandas", "polars", "twarc-csv", "pyarrow")}
    for part in args.parts:
        if part == "growth":
            record["growth"] = list(growth("x-v1", [round(gb * GB) for gb in args.growth]))
        else:
            # twarc-csv takes minutes for more, as it works a hundred tweets at a time.
            size = args.size // 10 if part == "x-v2" else args.size
            row = compare(part, size, args.rounds)
            record["rows"] = sorted([r for r in record["rows"] if r["dump"] != part] + [row], key=lambda r: PARTS.index(r["dump"]))
            record["limits"][part] = limits(part, size)
        save("import", record)
    if not args.keep:
        shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
