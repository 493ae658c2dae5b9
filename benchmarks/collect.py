"""Collecting from a server on this machine that sends as fast as it is read: posts and megabytes a second, processor time.

The server is a thread of this process and sends public tweets, repeated with new ids:

- x: lines of API v2's filtered stream over HTTP, chunked
- bluesky: the texts of the same tweets as Jetstream's events over a WebSocket

Every message is parsed, compared with the last 200,000, counted by component, packed and put on disk; with a filter that
keeps nothing but the last post it is not packed. A stream of the real services has some hundred posts a second.
"""

import argparse
import base64
import hashlib
import json
import os
import shutil
import socket
import threading

from common import PROGRAM, WORK, child, save, seconds
from imports import MARK, base_x_v2

FOLDER = WORK / "collect"
PIECE = 1 << 20
# Where no tweet of the base was sent from, and how the last post gets there.
BOX = "-1,-1,1,1"
THERE = {"place_id": "p", "coordinates": {"type": "Point", "coordinates": [0.5, 0.5]}}


def stream_lines(copies):
    """Lines of the filtered stream; the last post has a point inside BOX."""
    text, count, _ = base_x_v2()
    wrapped = b"".join(b'{"data":' + line + b"}\r\n" for line in text.splitlines())
    pieces = wrapped.split(MARK)
    for copy in range(copies):
        yield str(1000 + copy).encode().join(pieces), count
    last = {"data": {"id": "1", "text": "the last", "author_id": "1", "geo": THERE}}
    yield json.dumps(last).encode() + b"\r\n", 1


def events(copies):
    """Jetstream's events of the same texts, a WebSocket frame each."""
    texts = [json.loads(line.replace(MARK, b"1"))["text"] for line in base_x_v2()[0].splitlines()]
    time = 1_700_000_000_000_000
    for copy in range(copies):
        frames = []
        for at, text in enumerate(texts):
            record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2023-11-14T22:13:20.000Z", "langs": ["en"]}
            commit = {"rev": "3l", "operation": "create", "collection": "app.bsky.feed.post", "rkey": f"{copy}-{at}", "record": record, "cid": "bafyr"}
            time += 1
            body = json.dumps({"did": "did:plc:aaaabbbbccccddddeeeeffff", "time_us": time, "kind": "commit", "commit": commit}, ensure_ascii=False).encode()
            length = bytes([len(body)]) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
            frames.append(b"\x81" + length + body)
        yield b"".join(frames), len(texts)


def serve(listener, parts, websocket):
    """Sends the parts over the first connection and holds it until the collector goes."""
    connection, _ = listener.accept()
    with connection:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(4096)
        if websocket:
            key = next(line.split(b":", 1)[1].strip() for line in head.splitlines() if line.lower().startswith(b"sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for part in parts:
                for at in range(0, len(part), PIECE):
                    piece = part[at : at + PIECE]
                    connection.sendall(piece if websocket else b"%x\r\n%s\r\n" % (len(piece), piece))
            while connection.recv(4096):
                pass
        except OSError:
            # The collector has what it wanted.
            pass


def run(service, parts, posts, *options):
    shutil.rmtree(FOLDER, ignore_errors=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, parts, service == "bluesky"), daemon=True).start()
        path = "/subscribe" if service == "bluesky" else "/"
        endpoint = f"{'ws' if service == 'bluesky' else 'http'}://127.0.0.1:{listener.getsockname()[1]}{path}"
        answer = child([PROGRAM, "collect", service, "--endpoint", endpoint, "--into", FOLDER / "out", "--json", "--quiet", *options])
    report = json.loads(answer.pop("out"))
    if report["run"]["posts"] != posts:
        raise SystemExit(f"{report['run']['posts']} posts arrived, not {posts}")
    return {**answer, "kept": report["run"]["kept"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=40, help="how often the base of some 5,000 tweets is sent")
    args = parser.parse_args()
    # The command wants a token; the server does not look at it.
    os.environ["X_BEARER_TOKEN"] = "none"
    rows = []
    for service, make in (("x", stream_lines), ("bluesky", events)):
        parts, counts = zip(*make(args.copies))
        posts, size = sum(counts), sum(map(len, parts))
        cases = {"all kept": ["--posts", posts]}
        if service == "x":
            cases["all but one left out"] = ["--posts", 1, "--within", BOX]
        for case, options in cases.items():
            answers = [run(service, parts, posts, *options) for _ in range(args.rounds)]
            best = min(answers, key=lambda a: a["seconds"])
            rows.append({
                "service": service, "case": case, "posts": posts, "bytes": size, "seconds": seconds(answers),
                "posts/s": posts / best["seconds"], "MB/s": size / 1e6 / best["seconds"], "processor": best["processor"] / best["seconds"],
                "microseconds": best["processor"] / posts * 1e6,
            })
            print(rows[-1], flush=True)
    save("collect", {"rows": rows})
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
