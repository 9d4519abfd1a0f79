"""Recomputes what an aggregator and its sites keep, from the entries alone, and holds it against the files.

    python tile_tree.py TRUST AGGREGATOR_HOME [--site HOME] ... [--receipt SITE FILE] ...

TRUST is trust.json, all that is believed beforehand. Of each log of the aggregator: every tile and entry bundle, byte by byte;
the root and the signature of its checkpoint, by the log key of the roster that the registry's own entries make; every entry by the
rules of schemas/documents.md, in order. Of each site: block roots, tails and logs of its journal, from its records, and the signed
checkpoints of it that stand in the aggregator's logs. Of each receipt: its checkpoint's signature, its proof for the entry at its
index, which is the site's own, and the root of the tree that was recomputed. Shares no code with the program. Prints a line each;
exit code 1 when anything is wrong (2: usage).
"""

import argparse
import json
import sqlite3
import sys
from pathlib import Path

from independent import governed, merkle, notes, said, tiles
from independent.base import Refused, want
from independent.registry import Registry

BLOCK = 1024
POSITION = (1 << 44) - 1


class LogFolder:
    """A log's folder, whose checkpoint a key signed: all files that it must have, made again from its entries."""

    def __init__(self, folder, origin, verifier):
        self.folder, self.origin = folder, origin
        self.size, root = notes.signed_checkpoint((folder / "checkpoint").read_bytes(), verifier)
        self.entries = []
        for index in range(0, self.size, tiles.WIDTH):
            width = min(tiles.WIDTH, self.size - index)
            self.entries += tiles.unbundle(self.read(tiles.path("entries", index // tiles.WIDTH, width % tiles.WIDTH)))
        want(len(self.entries) == self.size, "plan-log", f"{origin}: {len(self.entries)} entries, not {self.size}")
        self.files, found = tiles.files(self.entries)
        want(found == root, "plan-log", f"{origin}: the entries lead to another root")
        for path, data in self.files.items():
            want(self.read(path) == data, "plan-log", f"{origin}: {path} is not what the entries make")
        self.leaves = [merkle.leaf(entry) for entry in self.entries]

    def read(self, path):
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise Refused("missing", f"{self.origin}: {error}") from error

    def line(self):
        return f"ok {self.origin}: {self.size} entries, {len(self.files)} files"


class Aggregator:
    def __init__(self, trust, home):
        self.home, logs = home, home / "logs"
        self.registry = Registry(trust)
        whole = LogFolder(logs / "registry", self.registry.origin("registry"), notes.Verifier(trust["registry"]))
        for entry in whole.entries:
            self.registry.apply(entry, self.artifact(entry, 0))
        # The key that the registry names is trust.json's; from here on the roster's is taken.
        want(notes.Verifier(trust["registry"]).raw == self.log_key(), "roster", "another log key")
        self.logs, self.spoken = [whole], []
        for folder in sorted((logs / "plan").glob("*")):
            self.plan(folder)
        if (logs / "heartbeats").is_dir():
            self.heartbeats(logs / "heartbeats")

    def log_key(self):
        return self.registry.parties["aggregator"].keys["log"]

    def artifact(self, entry, index):
        """A file that an entry speaks of, as it is stored."""
        digest = said.Envelope(entry).statement().digests[index]
        return (self.home / "artifacts" / digest).read_bytes()

    def open(self, folder, name):
        origin = self.registry.origin(name)
        log = LogFolder(folder, origin, notes.of_key(origin, self.log_key()))
        self.logs.append(log)
        return log

    def plan(self, folder):
        log, order = self.open(folder, f"plan/{folder.name}"), said.Log(self.registry)
        for entry in log.entries:
            order.append(entry, self.artifact(entry, 0))
        self.spoken += order.entries

    def heartbeats(self, folder):
        numbers = {}
        for entry in self.open(folder, "heartbeats").entries:
            one = said.Said(entry, self.registry)
            want(one.kind == "heartbeat", "statement", "not a heartbeat")
            said.heartbeat(one, self.artifact(entry, 0), self.registry)
            next_ = numbers.get(one.party, (0, None))
            want((one.claim["sequence"], one.claim["previous"]) == next_, "sequence", f"{next_} is next")
            numbers[one.party] = one.claim["sequence"] + 1, one.envelope.digest
            self.spoken.append(one)

    def receipt(self, site, path):
        text = path.read_text(encoding="utf-8")
        index, _, note = notes.proof(text)
        origin = notes.split(note)[0].split("\n")[0]
        (log,) = [log for log in self.logs if log.origin == origin] or [None]
        want(log is not None and index < log.size, "receipt", "of another log")
        entry = log.entries[index]
        _, size, root = notes.proven(text, entry, notes.of_key(origin, self.log_key()))
        want(merkle.root(log.leaves[:size]) == root, "receipt", "another root at that size")
        want(said.Said(entry, self.registry).party == site, "receipt", f"entry {index} is not {site}'s")
        return f"ok receipt of {site}: entry {index} of {size} in {origin}"


class Journal:
    """A site's journal, from the records in its chunks."""

    def __init__(self, home):
        self.leaves, self.stored = {}, []
        for segment in sorted((home / "journal").glob("*.sqlite")):
            with sqlite3.connect(f"{segment.resolve().as_uri()}?mode=ro", uri=True) as file:
                self.segment(file)

    def segment(self, file):
        names = {}
        for id_, name, start, size, tail in file.execute("select id, name, start, size, tail from log"):
            names[id_] = name
            want(len(self.leaves.setdefault(name, [])) == start, "journal", f"{name} begins at {start}")
            self.stored.append((name, size, tail))
        for key, data in file.execute("select key, bytes from chunk order by key"):
            leaves = self.leaves[names[key >> 44]]
            want(key & POSITION == len(leaves), "journal", f"a chunk at {key & POSITION}, not at {len(leaves)}")
            leaves += [merkle.leaf(record) for record in tiles.unbundle(data, 2**16)]
        for id_, number, root in file.execute("select log, number, root from block"):
            block = self.leaves[names[id_]][number * BLOCK : (number + 1) * BLOCK]
            good = len(block) == BLOCK and merkle.root(block) == root
            want(good, "journal", f"block {number} of {names[id_]} has another root")
        for name, size, tail in self.stored:
            leaves = self.leaves[name]
            want(len(leaves) == size, "journal", f"{name} has {len(leaves)} records, not {size}")
            want(merkle.root(leaves[size // BLOCK * BLOCK :]) == tail, "journal", f"{name} ends in another root")
        self.stored = []

    def check(self, site, spoken, registry):
        """The checkpoints that the site signed lie on it; how many there are."""
        count = 0
        for one in spoken:
            for origin, (size, root) in getattr(one, "checkpoints", {}).items() if one.party == site else ():
                name = origin.removeprefix(registry.origin(f"{site}/{origin.split('/')[2]}/"))
                leaves = self.leaves.get(name, [])
                want(size <= len(leaves), "journal", f"{name} is shorter than was signed")
                want(merkle.root(leaves[:size]) == root, "journal", f"{name} has another root at {size}")
                count += 1
        want(count, "journal", f"{site} signed no checkpoint")
        return count


def run(arguments):
    trust = governed.trust(Path(arguments.trust).read_bytes(), "trust")
    aggregator = Aggregator(trust, Path(arguments.home))
    for log in aggregator.logs:
        yield log.line()
    for home in map(Path, arguments.site):
        journal = Journal(home)
        count = journal.check(home.name, aggregator.spoken, aggregator.registry)
        records = {name: len(leaves) for name, leaves in sorted(journal.leaves.items())}
        yield f"ok journal of {home.name}: {json.dumps(records)}, {count} signed checkpoints"
    for site, path in arguments.receipt:
        yield aggregator.receipt(site, Path(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trust", metavar="TRUST")
    parser.add_argument("home", metavar="AGGREGATOR_HOME")
    parser.add_argument("--site", metavar="HOME", action="append", default=[])
    parser.add_argument("--receipt", metavar=("SITE", "FILE"), nargs=2, action="append", default=[])
    try:
        for line in run(parser.parse_args()):
            print(line)
    except (Refused, OSError, sqlite3.Error) as error:
        print(f"refused: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
