"""Parcels, and the evidence in one that a site contradicted itself. From schemas/documents.md and checks.md."""

import json

from independent import governed, merkle, notes, said
from independent.base import Refused, keep, parse, unbase64, want
from independent.registry import Registry

PARCEL, ENTRY, ARTIFACT, JOIN = 268_435_456, 65_535, 8_388_608, 16_384
NUMBERED = ("release", "abstention", "dispute", "heartbeat")


def read(data):
    want(len(data) <= PARCEL, "parcel", "too large")
    value = parse(data, "parcel")
    keep("parcel", value, "parcel")
    within(value)
    ((kind, content),) = value["content"].items()
    registry = content if kind == "registry" else content.get("registry") if kind == "conflict" else None
    if registry:
        trust = governed.trust(said_again(registry["trust"]), "parcel")
        want(trust["federation"] == value["federation"], "parcel", "of another federation")
    return kind, content


def said_again(value):
    return json.dumps(value).encode()


def within(value):
    """Base64 is canonical, and what it holds within its size."""
    limits = {"envelope": ENTRY, "artifact": ARTIFACT, "request": JOIN}
    if isinstance(value, dict):
        for key, inner in value.items():
            # `envelope` of an answer is a digest, beside its `result`.
            if key in limits and isinstance(inner, str) and "result" not in value:
                want(len(unbase64(inner, "parcel")) <= limits[key], "parcel", f"`{key}` is too large")
            for text in inner if key == "joins" and isinstance(inner, list) else []:
                unbase64(text, "parcel")
            within(inner)
    elif isinstance(value, list):
        for inner in value:
            within(inner)


# A conflict.


class Verdict(Exception):
    """How the evidence fares: check, reason, exit code."""

    def __init__(self, check, why, code):
        super().__init__(f"{check}: {why}")
        self.check, self.code = check, code


CODES = {"signer": 2, "version": 2, "witnesses": 2, "missing": 2, "bundle": 3, "envelope": 3}


def under(check, call, *arguments):
    try:
        return call(*arguments)
    except Refused as refused:
        raise Verdict(check, refused, CODES.get(refused.code, 1)) from refused


def conflict(data, trust):
    """Returns if the contradiction is proven; else says what is not."""
    try:
        kind, content = read(data)
        want(kind == "conflict", "parcel", "no evidence")
    except Refused as refused:
        raise Verdict("parcel", refused, 3) from refused
    if content.get("registry") is None:
        raise Verdict("registry", "missing", 2)
    registry = under("registry", rebuilt, content["registry"], trust)
    documents = [content["refused"]] + ([content["logged"]] if content.get("logged") else [])
    found = [checked(document, registry, content["site"]) for document in documents]
    if any(map(contradicts_itself, found)):
        return
    if len(found) == 1:
        raise Verdict("contradiction", "one document", 2)
    if not contradict(*found):
        raise Verdict("contradiction", "both may hold", 2)


def rebuilt(part, trust):
    registry = Registry(trust)
    for entry in part["entries"]:
        registry.apply(unbase64(entry["envelope"], "parcel"), unbase64(entry["artifact"], "parcel"))
    size, root = notes.signed_checkpoint(part["checkpoint"], notes.Verifier(trust["registry"]))
    want((size, root) == (len(registry.leaves), merkle.root(registry.leaves)), "checkpoint", "another registry")
    return registry


def checked(document, registry, site):
    """A valid document of the site that is accused."""
    envelope, artifact = (unbase64(document[part], "parcel") for part in ("envelope", "artifact"))
    kind = "release"
    try:
        kind = said.Envelope(envelope).statement().kind
    except Refused:
        pass  # What it is will be said below.
    kind = kind if kind in NUMBERED else "release"

    def check():
        one = said.Said(envelope, registry)
        want(one.kind in NUMBERED, "statement", "nothing that a site numbers")
        said.CHECKS[one.kind](one, artifact, registry)
        want(one.party == site, one.kind, "another site is accused")
        return one

    one = under(kind, check)
    for id_ in one.keys:
        end = registry.ends.get(id_)
        if end and end["why"] != "rotated" and one.claim["sequence"] > end["last"].get(one.claim.get("plan"), -1):
            raise Verdict("key", f"{end['why']} before", 2)
    return one


def contradicts_itself(one):
    return (one.claim["sequence"] > 0) != (one.claim["previous"] is not None)


def contradict(a, b):
    if a.envelope.digest == b.envelope.digest:
        return False
    first, second = sorted((a, b), key=lambda one: one.claim["sequence"])
    beats = a.kind == b.kind == "heartbeat"
    if two_roots(a, b):
        return True
    same_log = beats or ("heartbeat" not in (a.kind, b.kind) and a.claim["plan"] == b.claim["plan"])
    if not same_log:
        return False
    number, before = (first.claim["sequence"], second.claim["sequence"]), second.claim["previous"]
    if number[0] == number[1]:
        return True
    if before is not None and before == first.claim["previous"]:
        return True
    if (before == first.envelope.digest) != (number[1] == number[0] + 1) or first.claim["previous"] == second.envelope.digest:
        return True
    return not beats and one_window(first, second)


def one_window(first, second):
    """`second` has the higher number."""
    if "dispute" in (first.kind, second.kind) or first.claim["window"] != second.claim["window"]:
        return False
    if first.kind == second.kind == "release":
        return not (first.claim["amends"] or second.claim["amends"])
    return second.kind == "abstention"


def two_roots(a, b):
    ours, theirs = (getattr(one, "checkpoints", {}) for one in (a, b))
    pairs = ((ours[origin], theirs[origin]) for origin in set(ours) & set(theirs))
    return any(size == other and root != root_ for (size, root), (other, root_) in pairs)


