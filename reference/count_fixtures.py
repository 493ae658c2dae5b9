"""Counts what the public fixtures hold, independently of the importer: plain sets over the JSON, no shared code.

    python reference/count_fixtures.py DATA > counts.json

`DATA` is the folder with `fixtures/`, `btc/`, `rumoureval/`. The figures stand in
`crates/posts/tests/imports_fixtures.rs`; only counts leave this script, never a post.

read      data elements of v2 pages and their errors; flattened or v1.1 objects; stream messages
posts     different posts: a repost with its original at hand counts as the original; posts that came along count too;
          an earlier version of an edited post does not, once a later one is there
cut       posts whose text ends early wherever they occur
"""

import gzip
import json
import sys
from pathlib import Path


def objects(path):
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        found.extend(value if isinstance(value, list) else [value])
    return found


def ends_early(text):
    words = [w for w in text.split() if not w.startswith("http")]
    return bool(words) and words[-1].endswith("\u2026")


class Count:
    def __init__(self):
        self.read = self.messages = self.data = 0
        self.texts, self.replaced = {}, set()

    def post(self, key, cut):
        self.texts[key] = self.texts.get(key, True) and cut

    def v2(self, tweet, includes):
        refs = [(r["type"], {**includes.get(r["id"], {}), **r}) for r in tweet.get("referenced_tweets", [])]
        inner = next((r for kind, r in refs if kind == "retweeted"), None)
        if inner is not None and "text" in inner:
            return self.v2(inner, includes)
        self.post(tweet["id"], inner is not None and ends_early(tweet["text"]))
        history = tweet.get("edit_history_tweet_ids", [])
        if tweet["id"] in history:
            self.replaced |= set(history[: history.index(tweet["id"])])
        for _, ref in refs:
            if "text" in ref:
                self.v2(ref, {})

    def page(self, page):
        self.read += len(page["data"]) + len(page.get("errors", []))
        self.messages += len(page.get("errors", []))
        includes = {t["id"]: t for t in page.get("includes", {}).get("tweets", [])}
        for tweet in page["data"]:
            if "text" not in tweet:
                self.messages += 1
                continue
            self.data += 1
            self.v2(tweet, includes)
        for tweet in includes.values():
            if not any(r["type"] == "retweeted" for r in tweet.get("referenced_tweets", [])):
                self.v2(tweet, {})

    def v1(self, tweet, top=True):
        self.read += top
        self.data += top
        used = tweet.get("retweeted_status") or tweet
        full = used.get("full_text") or used.get("extended_tweet", {}).get("full_text")
        cut = bool(used.get("truncated")) and not full
        words = full or used["text"]
        self.post(used["id_str"], cut or (words.startswith("RT @") and ends_early(words)))
        if used.get("quoted_status"):
            self.v1({k: v for k, v in used["quoted_status"].items() if k != "quoted_status"}, top=False)

    def gnip(self, activity):
        self.read += 1
        self.data += 1

    def take(self, value):
        if isinstance(value.get("data"), list):
            self.page(value)
        elif "statuses" in value:
            for tweet in value["statuses"]:
                self.v1(tweet)
        elif "verb" in value:
            self.gnip(value)
        elif "id_str" in value:
            self.v1(value)
        else:
            self.read += 1
            self.data += 1
            self.v2(value, {})

    def row(self):
        texts = {k: v for k, v in self.texts.items() if k not in self.replaced}
        deleted = len(set(self.texts) & self.replaced)
        return {"read": self.read, "data": self.data, "messages": self.messages, "posts": len(texts),
                "deleted": deleted, "cut": sum(texts.values())}


def main(data):
    paths = sorted((data / "fixtures").glob("twarc_csv/*")) + sorted((data / "fixtures").glob("tweet_parser/**/*.json"))
    paths += [data / "fixtures/simdjson/twitter.json", data / "btc/a.jsonl.gz", data / "btc/e.jsonl.gz",
              data / "rumoureval/train.jsonl.gz"]
    for path in paths:
        count = Count()
        for value in objects(path):
            count.take(value)
        print(json.dumps({"file": str(path.relative_to(data)), **count.row()}))


main(Path(sys.argv[1]))
