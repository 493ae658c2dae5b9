"""Prints crates/posts/src/unicode_tables.rs: the character classes that the hashtag rules need.

Run: python3 reference/unicode_tables.py > crates/posts/src/unicode_tables.rs && cargo fmt
"""
import sys
import unicodedata


def boundaries(wanted):
    """Code points where membership changes: [first member, first non-member, ...]."""
    out, inside = [], False
    for code in range(sys.maxunicode + 2):
        member = code <= sys.maxunicode and wanted(unicodedata.category(chr(code)))
        if member != inside:
            out.append(code)
            inside = member
    return out


def table(name, doc, wanted):
    values = boundaries(wanted)
    print(f"\n/// {doc}")
    print("#[rustfmt::skip]")
    print(f"pub(super) static {name}: [u32; {len(values)}] = [")
    line = "   "
    for value in values:
        item = f" 0x{value:X},"
        if len(line) + len(item) > 118:
            print(line)
            line = "   "
        line += item
    print(line)
    print("];")


print("//! Character classes as lists of code points where membership changes; made by reference/unicode_tables.py from")
print(f"//! Unicode {unicodedata.unidata_version}.")
table("LETTERS", "General categories L and M (letters and the marks that combine with them).", lambda c: c[0] in "LM")
table("DIGITS", "General category Nd (decimal digits of every script).", lambda c: c == "Nd")
