"""docs/performance.md from the rows' results and notes.md."""

import json

import plot
from common import HERE, RESULTS, ROOT

HEAD = """# How fast

Made by `benchmarks/run`, which runs Quintet and what people use today in turn, in one run, on the same input, and checks
that the results agree. A ratio is the peer's time over Quintet's (2.0: twice as fast): the median of the rounds and, in
brackets, its quartiles. Times are the best round's. A row stands here once for each machine that it was run on; the
figures are in `benchmarks/results`.
"""


def ratio(r):
    if "low" not in r:
        return f"{r['median']:.2f}"
    return f"{r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f}, {r['rounds']} rounds)"


def step(record, title):
    yield f"## {title}\n"
    size = record["size"]
    yield (f"{size['posts']} posts with five components, {size['neighbours']} neighbour texts each, {size['words']} words of {size['word_dim']}, "
           f"joint dimension {size['dim']}; {record['threads']} threads; PyTorch {record['torch']}.\n")


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    yield from ("| " + " | ".join(map(str, row)) + " |" for row in rows)
    yield ""


def ratios(record):
    yield from table(["ratio", "times as fast"], [(name, ratio(r)) for name, r in record["ratios"].items()])


def matmul(record):
    yield "## Matrix products\n"
    yield ("GFLOP/s of the best round, and how many times as fast Quintet is. The right-hand matrix is packed before on our side. PyTorch multiplies by MKL in f32, by oneDNN "
           "in bf16.\n")
    sides, precisions = list(record["rows"][0]["GFLOP/s"]), list(record["rows"][0]["ratios"])
    yield from table(
        ["shape", "threads", *sides, *(f"ratio {p}" for p in precisions)],
        [(f"{r['what']}, {'x'.join(map(str, r['shape']))}", r["threads"], *(round(r["GFLOP/s"][s]) for s in sides),
          *(ratio(r["ratios"][p]) for p in precisions)) for r in record["rows"]])


def steps(record, title):
    yield from step(record, title)
    best = {name: min(of) for name, of in record["seconds"].items()}
    yield from table(["side", "seconds a step"], [(name, f"{t:.3f}") for name, t in best.items()])
    yield from ratios(record)


def gpu(record):
    size = record["size"]
    yield "## A training step of the published size on a card\n"
    yield (f"{size['posts']} posts with five components, {size['neighbours']} neighbour texts each, {size['words']} words of {size['word_dim']}, "
           f"joint dimension {size['dim']}; PyTorch {record['torch']} on {record['card of PyTorch']}; "
           + "; ".join(f"{name} on {card}" for name, card in record["card of Quintet"].items()) + ".\n")
    yield from table(["side", "seconds a step"], [(name, f"{min(of):.4f}") for name, of in record["seconds"].items()])
    yield from ratios(record)


def embed(record):
    size = record["size"]
    yield "## Embedding posts, features cached\n"
    yield (f"Batches of 256 posts with five components from 500 places, {size['neighbours']} neighbour texts each, {size['words']} words of "
           f"{size['word_dim']}, joint dimension {size['dim']}; {record['threads']} threads; PyTorch {record['torch']}.\n")
    yield from table(["side", "posts per second"], [(name, round(n)) for name, n in record["posts per second"].items()])
    yield from ratios(record)


def words(record):
    yield "## Word vectors\n"
    yield (f"{record['tokens']:,} tokens, {record['words']:,} words, {record['threads']} threads (Quintet uses one, so that a seed gives the same bits), "
           f"settings {record['settings']}.\n")
    yield from table(["side", "seconds"], [(name, f"{min(t):.1f}") for name, t in record["seconds"].items()])
    yield from ratios(record)
    rows = [(f"ten nearest neighbours shared, {name}", f"{v:.3f}") for name, v in record["ten nearest neighbours shared"].items()]
    rows += [(f"tags found among ten, {name}", f"{v:.3f}") for name, v in record["recall of tags at 10"].items()]
    yield from table(["quality", "value"], rows)


def users(record):
    yield "## User vectors\n"
    yield f"{record['nodes']:,} accounts, {record['edges']:,} edges, {record['threads']} threads, settings {record['settings']}.\n"
    yield from table(["side", "seconds"], [(name, f"{min(t):.1f}") for name, t in record["seconds"].items()])
    yield from ratios(record)
    same = "the same bits" if record["same bits in every run and on one thread"] else "OTHER BITS"
    yield f"On one thread Quintet takes {record['seconds on one thread']:.1f} seconds; every run, on one thread too, gave {same}.\n"
    scores = record["AUC of hidden edges"]
    kinds = list(next(iter(scores.values())))
    yield from table(["AUC of hidden edges", *(f"against {kind}" for kind in kinds)], [(name, *(f"{of[kind]:.3f}" for kind in kinds)) for name, of in scores.items()])


def images(record):
    yield f"## Image features, {record['threads']} thread{'s' * (record['threads'] > 1)}\n"
    yield f"{record['encoder']} on the same prepared images (network) and from JPEG files (pipeline); onnxruntime {record['onnxruntime']}.\n"
    rows = []
    for what, row in record["rows"].items():
        for side, ms in row["milliseconds an image"].items():
            name = f"Quintet over {side}"
            rows.append((what, side, f"{ms:.2f}", round(row["images a second"][side]), ratio(row["ratios"][name]) if name in row["ratios"] else ""))
    yield from table(["what", "side", "ms an image", "images a second", "times as fast is Quintet"], rows)


def search(record):
    yield "## Search\n"
    yield f"The {record['k']} nearest by scalar product of {record['dim']} dimensions; faiss {record['faiss']}. Recall is of what exact search finds.\n"
    rows = []
    for r in record["rows"]:
        best = lambda side: f"{1000 * (min(r['seconds'][side]) if isinstance(r['seconds'][side], list) else r['seconds'][side]):.2f}"
        recall = " / ".join(f"{v:.3f}" for v in r["recall"].values()) if "recall" in r else ""
        what = r["what"] if r["what"] == "exact" else f"index of {r['lists']} lists, {r['probes']} probed"
        rows.append((what, f"{r['vectors']:,}", r["queries"], r["threads"], best("faiss"), best("Quintet"), ratio(r["ratio"]), recall))
    yield from table(["what", "vectors", "queries", "threads", "faiss ms", "Quintet ms", "times as fast", "recall faiss / Quintet"], rows)


def forest(record):
    yield "## Random forest\n"
    yield (f"{record['trees']} trees of {record['rows']:,} rows, {record['features']:,} features, {record['classes']} classes (made here, as joint embeddings are: "
           f"five unit vectors a row); {record['threads']} threads; scikit-learn {record['scikit-learn']}, its matrix in {record['order']} order. "
           f"Quality on {record['test rows']:,} other rows, mean over rounds, each with another seed; memory beyond the data while fitting.\n")
    rows = [(side, f"{min(of):.2f}", f"{min(record['seconds to predict'][side]):.3f}", round(record["MiB"][side]), f"{record['accuracy'][side]:.4f}",
             f"{record['log probability'][side]:.3f}", f"{record['leaves'][side]:.0f}") for side, of in record["seconds"].items()]
    yield from table(["side", "seconds to fit", "seconds to predict", "peak MiB", "accuracy", "log probability", "leaves a tree"], rows)
    yield from ratios(record)


def processor(of):
    return f"{of['processor']:.1f}" if "processor" in of else ""


def imports(record):
    versions = ", ".join(f"{name} {of}" for name, of in record["versions"].items())
    yield "## Import\n"
    yield (f"Public dumps of posts, repeated with new ids until they are large, from JSON Lines to a table on disk, each side a process of its own; {versions}. "
           "The peers turn fields into columns and stop there. Quintet also undoes escapes, finds tags and mentions, merges copies of a post, counts components "
           "and names every line that it could not use. On raw tweets pandas and polars cannot write what they infer to Parquet (objects without fields, mixed types): "
           "there polars gets the fields named by hand and pandas turns objects into JSON texts. twarc-csv writes CSV from API v2, so it has the same tweets rewritten, and fewer; "
           "pandas 3 lacks a function that it calls, which is supplied under its old name.\n")
    rows = []
    for r in record["rows"]:
        for side, of in r["sides"].items():
            rounds = of["ratio"]["rounds"] if "ratio" in of else 0
            times = ratio(of["ratio"]) if rounds > 1 else f"{of['ratio']['median']:.1f} (one round)" if rounds else ""
            rows.append((r["dump"], f"{r['bytes'] / 1e6:,.0f}", f"{r['records']:,}", side, f"{min(of['seconds']):.1f}", processor(of), round(of["MB/s"]), f"{of['records/s']:,.0f}", round(of["MiB"]), times))
    yield from table(["dump", "MB", "records", "side", "seconds", "of processor", "MB/s", "records/s", "peak MiB", "times as fast is Quintet"], rows)
    if record["limits"]:
        yield ("What the machine allows: " + "; ".join(f"{kind}: {of['read']:,.0f} MB/s of reading the file, {of['check']:,.0f} MB/s of finding out that each line is JSON" for kind, of in record["limits"].items()) + ".\n")
    if record["growth"]:
        first, last = record["growth"][0], record["growth"][-1]
        bytes_a_post = (last["MiB"] - first["MiB"]) * 2**20 / (last["posts"] - first["posts"])
        yield (f"Quintet alone on raw tweets through standard input. Memory is flat but for what recognises copies: {bytes_a_post:.0f} bytes a post.\n")
        yield from table(["GB", "posts", "seconds", "of processor", "MB/s", "peak MiB"],
                         [(f"{g['bytes'] / 1e9:.1f}", f"{g['posts']:,}", f"{g['seconds']:.1f}", processor(g), round(g["MB/s"]), round(g["MiB"])) for g in record["growth"]])


def collects(record):
    yield "## Collecting\n"
    yield ("`quintet collect` from a server on the same machine that sends as fast as it is read (public tweets repeated with new ids; the same texts as Jetstream's events). "
           "Every message is parsed, told from the last 200,000, counted by component, packed and synced to disk; the server takes part of the machine too. "
           "Processor: how many cores the collector kept busy.\n")
    names = {"x": "X, filtered stream of v2", "bluesky": "Bluesky, Jetstream over a WebSocket"}
    yield from table(["stream", "filter", "posts", "MB", "posts/s", "MB/s", "processor", "microseconds of processor a post"],
                     [(names[r["service"]], r["case"], f"{r['posts']:,}", round(r["bytes"] / 1e6), f"{r['posts/s']:,.0f}", round(r["MB/s"]), f"{r['processor']:.2f}", f"{r['microseconds']:.0f}") for r in record["rows"]])


def scaling(record):
    stages, sizes = record["rows"], sorted({int(n) for of in record["rows"].values() for n in of})
    yield "## Corpus size\n"
    yield (f"Every stage on the synthetic town with `configs/{record['config']}` and one epoch, each a process of its own; search: {record['asking']:,} posts of another town ask "
           "for ten each, exactly. The town draws at most about 20,000 images, beyond that its posts share them: that part of `town` and `features` grows no further. "
           "An empty cell was not measured.\n")
    about = "Seconds and peak memory of town, import, features, train, embed and search over 1,000 to 1,000,000 posts; the tables below hold the numbers"
    panels = {title: {stage: [(int(n), m[of]) for n, m in by.items()] for stage, by in stages.items()} for title, of in (("seconds", "seconds"), ("peak MiB", "MiB"))}
    (ROOT / "docs/scaling.svg").write_text("\n".join(plot.log_log(about, panels, "posts")) + "\n")
    yield f"![{about}](scaling.svg)\n"
    for what, of, form in (("seconds", "seconds", lambda v: f"{v:.2f}" if v < 1 else f"{v:.1f}"), ("peak MiB", "MiB", "{:.0f}".format)):
        cells = lambda by: [form(by[str(n)][of]) if str(n) in by else "" for n in sizes]
        yield from table([what, *(f"{n:,} posts" for n in sizes)], [(stage, *cells(by)) for stage, by in stages.items()])


SECTIONS = {
    "matmul": matmul,
    "step-published": lambda r: steps(r, "A training step of the published size"),
    "step-default": lambda r: steps(r, "A training step of the default size"),
    "gpu-published": gpu,
    "gpu-default": gpu,
    "embed-published": embed,
    "words": words,
    "users": users,
    "images-efficientnet-lite0-1": images,
    "images-efficientnet-lite0-2": images,
    "search": search,
    "forest": forest,
    "import": imports,
    "collect": collects,
    "scaling": scaling,
}


def name_of(machine):
    return f"{machine['processor']}, {machine['cores']} cores, {', '.join(machine['instructions'])}"


def main():
    lines = [HEAD]
    for row, section in SECTIONS.items():
        records = sorted((json.loads(path.read_text()) for path in RESULTS.glob(f"*/{row}.json")), key=lambda r: r["date"], reverse=True)
        for at, record in enumerate(records):
            title, *rest = section(record)
            # The rows of a section that were run on several machines share its title.
            lines += [title] * (at == 0) + [f"**{name_of(record['machine'])}, {record['date']}.**\n"] + rest
    lines.append((HERE / "notes.md").read_text())
    (ROOT / "docs/performance.md").write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
