"""Prints crates/posts/src/extract/top_domains.rs: the top-level domains that twitter-text knows.

Run: python3 reference/top_domains.py tld_lib.yml > crates/posts/src/extract/top_domains.rs && cargo fmt
(tld_lib.yml: https://github.com/twitter/twitter-text, folder conformance, Apache-2.0)
"""

import sys

names = set()
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("- "):
        names.add(line[2:].strip().strip("'\"").lower())
assert len(names) > 1000, len(names)

ascii_names = sorted(n for n in names if n.isascii())
others = sorted(n for n in names if not n.isascii())


def rows(items):
    row = "   "
    for item in items:
        cell = f' "{item}",'
        if len(row) + len(cell) > 110:
            print(row)
            row = "   "
        row += cell
    print(row)


print("//! Top-level domains; made by reference/top_domains.py from the list of twitter-text (Apache-2.0).\n")
print("/// In ASCII, lower case, sorted.")
print(f"#[rustfmt::skip]\npub(super) static ASCII: [&str; {len(ascii_names)}] = [")
rows(ascii_names)
print("];\n")
print("/// In other scripts.")
print(f"#[rustfmt::skip]\npub(super) static OTHER: [&str; {len(others)}] = [")
rows(others)
print("];")
