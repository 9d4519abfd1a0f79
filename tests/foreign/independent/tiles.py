"""Tiled logs: C2SP tlog-tiles."""

from independent import merkle
from independent.base import want

WIDTH = 256


def path(level, index, width=None):
    """`level` is a number, or `entries`."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width else "")


def bundle(entries):
    """An entry bundle: each entry behind its length."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data, most=WIDTH):
    """The entries of a bundle."""
    entries = []
    while data:
        size = int.from_bytes(data[:2], "big")
        want(len(data) >= 2 and size <= len(data) - 2, "malformed", "an entry that is cut")
        entries.append(data[2 : 2 + size])
        data = data[2 + size :]
    want(len(entries) <= most, "malformed", f"{len(entries)} entries in one bundle")
    return entries


def files(entries):
    """All files of a log that has these entries, by path, and its root."""
    found = {}
    for index in range(0, len(entries), WIDTH):
        part = entries[index : index + WIDTH]
        found[path("entries", index // WIDTH, len(part) % WIDTH)] = bundle(part)
    leaves = hashes = [merkle.leaf(entry) for entry in entries]
    level = 0
    while hashes:
        for index in range(0, len(hashes), WIDTH):
            part = hashes[index : index + WIDTH]
            found[path(level, index // WIDTH, len(part) % WIDTH)] = b"".join(part)
        full = len(hashes) // WIDTH * WIDTH
        hashes = [merkle.root(hashes[at : at + WIDTH]) for at in range(0, full, WIDTH)]
        level += 1
    return found, merkle.root(leaves)
