"""Writes crates/posts/tests/fixtures/bluesky_repo.car: an account's repository as Bluesky exports it, all of it invented.

Run: python3 reference/bluesky_repo.py crates/posts/tests/fixtures/bluesky_repo.car
It is made from the specifications alone (atproto.com/specs/repository, ipld.io/specs/transport/car/carv1), to check the
reader in Rust: DAG-CBOR, content ids, the layers of the tree by leading zeros of the keys' hashes.
Prints what the file holds, by collection.
"""

import hashlib
import struct
import sys


class Link(bytes):
    pass


def head(kind, n):
    if n < 24:
        return bytes([kind << 5 | n])
    for bits, more in ((8, 24), (16, 25), (32, 26), (64, 27)):
        if n < 1 << bits:
            return bytes([kind << 5 | more]) + n.to_bytes(bits // 8, "big")


def cbor(v):
    if v is None:
        return b"\xf6"
    if isinstance(v, bool):
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, Link):
        return b"\xd8\x2a" + head(2, len(v) + 1) + b"\0" + bytes(v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(cbor, v))
    keys = sorted(v, key=lambda k: (len(k.encode()), k.encode()))
    return head(5, len(v)) + b"".join(cbor(k) + cbor(v[k]) for k in keys)


blocks = {}


def add(v):
    data = cbor(v)
    cid = Link(b"\x01\x71\x12\x20" + hashlib.sha256(data).digest())
    blocks[cid] = data
    return cid


def layer(key):
    zeros = 0
    for byte in hashlib.sha256(key).digest():
        for shift in (6, 4, 2, 0):
            if byte >> shift & 3:
                return zeros
            zeros += 1
    return zeros


def tree(items, level):
    """The node of the (key, link) pairs, none of a layer above `level`; None for no pairs."""
    if not items:
        return None
    left, entries, below, before = None, [], [], b""
    for key, link in items + [(None, None)]:
        if key is not None and layer(key) < level:
            below.append((key, link))
            continue
        sub = tree(below, level - 1)
        below = []
        if entries:
            entries[-1]["t"] = sub
        else:
            left = sub
        if key is not None:
            shared = 0
            while shared < min(len(before), len(key)) and before[shared] == key[shared]:
                shared += 1
            entries.append({"p": shared, "k": key[shared:], "v": link, "t": None})
            before = key
    return add({"l": left, "e": entries})


def blob(seed):
    return {"$type": "blob", "ref": Link(b"\x01\x55\x12\x20" + hashlib.sha256(seed).digest()), "mimeType": "image/jpeg", "size": 1234}


def post(n):
    text = f"Post {n} of an invented account #tag{n % 3} ✨"
    start = text.encode().index(b"#")
    record = {
        "$type": "app.bsky.feed.post", "text": text, "createdAt": f"2025-01-{1 + n % 28:02}T10:00:00.000Z", "langs": ["en"],
        "facets": [{"index": {"byteStart": start, "byteEnd": start + 5}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": f"tag{n % 3}"}]}],
    }
    if n % 5 == 0:
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [{"alt": f"picture {n}", "image": blob(b"%d" % n)}]}
    if n % 7 == 0:
        root = {"uri": f"at://{DID}/app.bsky.feed.post/3kaaa000000", "cid": "bafyreib2rxk3rh6kzwq"}
        record["reply"] = {"root": root, "parent": root}
    return record


DID = "did:plc:inventedaccount00000000"
records = {f"app.bsky.feed.post/3kaaa0000{n:02}".encode(): post(n) for n in range(40)}
for n in range(15):
    subject = {"uri": f"at://{DID}/app.bsky.feed.post/3kaaa0000{n:02}", "cid": "bafyreib2rxk3rh6kzwq"}
    records[f"app.bsky.feed.like/3kbbb0000{n:02}".encode()] = {"$type": "app.bsky.feed.like", "subject": subject, "createdAt": "2025-02-01T00:00:00Z"}
records[b"app.bsky.actor.profile/self"] = {"$type": "app.bsky.actor.profile", "displayName": "Nobody", "description": "invented"}

pairs = [(key, add(record)) for key, record in sorted(records.items())]
top = tree(pairs, max(layer(key) for key, _ in pairs))
commit = {"did": DID, "version": 3, "data": top, "rev": "3kaaaaaaaaaaa", "prev": None, "sig": bytes(64)}
root = add(commit)


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


with open(sys.argv[1], "wb") as file:
    header = cbor({"version": 1, "roots": [root]})
    file.write(varint(len(header)) + header)
    for cid, data in reversed(list(blocks.items())):
        file.write(varint(len(cid) + len(data)) + cid + data)

for collection in sorted({key.split(b"/")[0] for key in records}):
    print(collection.decode(), sum(key.startswith(collection + b"/") for key in records))
print("with image", sum("embed" in r for r in records.values()), "replies", sum("reply" in r for r in records.values()))
print("nodes", len(blocks) - len(records) - 1, "layers", 1 + max(layer(key) for key, _ in pairs))
