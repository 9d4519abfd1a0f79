"""Runs schemas/vectors with a second implementation, written from schemas/*.md and the public specifications alone.

    python vectors.py FOLDER

For every vector it says accept or reject, and of what a document is refused for, the code. What it cannot judge (a reject
that rests on rules of disclosure and figures which are not written down here) it lists. Prints one JSON object:
{"sets": {set: {kind: {"accepted", "refused", "not_judged"}}}, "not_judged": {kind: {code: [names]}}, "wrong": [...]} and
exits with 1 where anything is wrong.
"""

import json
import re
import sys
from pathlib import Path

from independent import documents, logs
from independent.base import SCHEMAS, Refused, Unjudged

CODES = {row["code"] for row in json.loads((SCHEMAS / "codes.json").read_bytes())}


def expected(vector):
    """Accept or not, the code of a reject, what an accepted one comes to."""
    expect = vector.get("expect", "accept")
    if isinstance(expect, str):
        return expect == "accept", None, {}
    if "reject" in expect:
        code = re.match("([a-z-]+): ", expect["reject"])
        return False, code[1] if code and code[1] in CODES else None, {}
    return expect["verdict"] == "accept", expect.get("error"), {k: v for k, v in expect.items() if k != "verdict"}


def outcome(read, vector):
    try:
        return True, None, read(vector) or {}
    except Refused as refused:
        return False, refused, {}
    except Unjudged:
        return None, None, {}


def compare(name, vector, found):
    """What is wrong with a verdict, or nothing; and whether there is none."""
    accept, code, comes_to = expected(vector)
    accepted, refused, result = found
    if accepted is not False and not accept:
        return accepted is None, f"{name}: accepted, expected {vector['expect']}"
    if accepted is False and accept:
        return False, f"{name}: refused: {refused}"
    if not accept and code is not None and refused.code != code:
        return False, f"{name}: refused for {refused}, expected {vector['expect']}"
    if accept and any(result.get(key) != value for key, value in comes_to.items()):
        return False, f"{name}: comes to {result}, expected {comes_to}"
    return False, None


def run(folder):
    readers = {**logs.CHECKS, "documents": documents.CHECKS}
    sets, not_judged, wrong = {}, {}, []
    for name, checks in readers.items():
        by_name = {read.__name__.replace("_", "-"): read for read in checks}
        vectors = {path.stem: json.loads(path.read_bytes()) for path in sorted((folder / name).glob("*.json"))}
        world = vectors.pop("world", None)
        if world:
            documents.begin(world)
        for stem, vector in vectors.items():
            kind = vector.get("kind") or vector["check"]
            counts = sets.setdefault(name, {}).setdefault(kind, {"accepted": 0, "refused": 0, "not_judged": 0})
            found = outcome(by_name[kind], vector)
            beyond, why = compare(f"{name}/{stem}", vector, found)
            if beyond:
                counts["not_judged"] += 1
                code = expected(vector)[1] or "document"
                not_judged.setdefault(kind, {}).setdefault(code, []).append(stem)
            elif why:
                wrong.append(why)
            else:
                counts["refused" if found[0] is False else "accepted"] += 1
    return {"sets": sets, "not_judged": not_judged, "wrong": wrong}


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = run(Path(arguments[0]))
    print(json.dumps(found, indent=1))
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
