"""The federation that the vectors live in: keys, documents, registry; and how a vector is written down."""

import copy
import hashlib

from encode import Key, checkpoint, document, seal, statement, verifier_key

KEYS = {
    "governance": Key(1),
    "aggregator-attest": Key(2),
    "aggregator-log": Key(3),
    "aggregator-transport": Key(4),
    "site-a-attest": Key(5),
    "site-a-note": Key(6),
    "site-a-transport": Key(7),
    "site-b-attest": Key(8),
    "site-b-note": Key(9),
    "site-b-transport": Key(10),
    "stranger": Key(11),
    "governance-2": Key(12),
}
GOVERNANCE = KEYS["governance"]

TRUST = {
    "format": 1,
    "version": 1,
    "federation": "fed",
    "governance": {"threshold": 1, "keys": [GOVERNANCE.text]},
    "registry": verifier_key("fed/registry", KEYS["aggregator-log"]),
    "witnesses": {"threshold": 0, "keys": []},
}

CONTRACT = {
    "contract": "loan",
    "version": 1,
    "title": "Loans to private customers",
    "task": "binary",
    "model": "scorecard",
    "decision": {"values": ["refuse", "grant"], "favourable": "grant"},
    "label": {"values": ["default", "repaid"], "positive": "repaid"},
    "score": {"min": 0.0, "max": 1.0, "bins": 20},
    "attribute": [
        {"name": "gender", "categories": ["f", "m"]},
        {"name": "home", "categories": ["near"]},
    ],
    "feature": [
        {"name": "income", "type": "number", "min": 0.0, "max": 1e6, "edges": [2e4, 5e4], "missing": True},
        {"name": "first", "type": "boolean"},
    ],
}


def roster(party, uses, owner):
    keys = [{"use": use, "key": KEYS[f"{owner}-{use}"].text} for use in uses]
    return {"format": 1, "party": party, "keys": keys}


AGGREGATOR = roster("aggregator", ["attest", "log", "transport"], "aggregator")
SITE_A = roster({"site": "site-a"}, ["attest", "note", "transport"], "site-a")
SITE_B = roster({"site": "site-b"}, ["attest", "note", "transport"], "site-b")

CONTRACT_TEXT = document(CONTRACT)


def published(kind, name, text, file, *keys, version=1, replaces=None, **changes):
    """A governance document: artifact and envelope."""
    claim = {kind: {"name": name, "version": version, "replaces": replaces}}
    payload = statement(claim, [(file, text)], **changes)
    return {"envelope": seal(payload, *(keys or (GOVERNANCE,))), "artifact": text}


def digest_of(entry):
    from encode import digest

    return digest(entry["artifact"])


CONTRACT_ENTRY = published("contract", "loan", CONTRACT_TEXT, "contract.json")
PLAN = {
    "plan": "parity",
    "version": 1,
    "title": "Are loans granted as often to women as to men?",
    "contract": "loan",
    "contract_digest": digest_of(CONTRACT_ENTRY),
    "model_versions": ["v1"],
    "required_sites": ["site-a"],
    "min_site_n": 10,
    "min_coverage": 0.8,
    "windows": {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-03-01T00:00:00Z",
        "every": "month",
        "release_after_hours": 24,
    },
    "disclosure": {"k": 5},
    "slice": [
        {"attributes": ["gender"], "reference": ["m"]},
        {"attributes": ["gender", "home"], "reference": ["m", "near"]},
    ],
}
PLAN_ENTRY = published("plan", "parity", document(PLAN), "plan.json")
PRIVATE_PLAN = {
    **PLAN,
    "plan": "private",
    "title": "The same with differential privacy",
    "disclosure": {
        "k": 5,
        "privacy": {"mechanism": "discrete_laplace", "epsilon": "1.5", "events_per_subject": 2},
    },
}
PRIVATE_ENTRY = published("plan", "private", document(PRIVATE_PLAN), "plan.json")

REGISTRY = [
    published("roster", "aggregator", document(AGGREGATOR), "roster-entry.json"),
    CONTRACT_ENTRY,
    PLAN_ENTRY,
    published("roster", "site-a", document(SITE_A), "roster-entry.json"),
    PRIVATE_ENTRY,
]


def vector(name, about, kind, source, reject=None):
    return {
        "name": name,
        "about": about,
        "kind": kind,
        "input": source,
        "expect": "accept" if reject is None else {"reject": reject},
    }


def root(entries):
    """RFC 6962 over envelopes."""
    leaves = [hashlib.sha256(b"\0" + entry["envelope"].encode()).digest() for entry in entries]

    def over(leaves):
        if len(leaves) == 1:
            return leaves[0]
        half = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + over(leaves[:half]) + over(leaves[half:])).digest()

    return over(leaves).hex()


def seen(*behind):
    """The registry as its signer had seen it: that of the world, with what stands behind it."""
    entries = [*REGISTRY, *behind]
    return {"seen": {"origin": "fed/registry", "size": len(entries), "root": root(entries)}}


SEEN = seen()


def said(claim, files, predicate_type=None, predicate=SEEN, **changes):
    """The payload of what a site or the aggregator signs: it names what it had seen of the registry."""
    return statement(claim, files, predicate_type, predicate={**SEEN, **predicate}, **changes)


WORLD = vector(
    "world",
    "trust and the registry that the other vectors stand on",
    "world",
    {"trust": document(TRUST), "registry": REGISTRY},
)


def changed(value, path, new):
    """A copy with the member at `path` replaced; `DELETE` removes it."""
    value = copy.deepcopy(value)
    *way, last = path
    place = value
    for step in way:
        place = place[step]
    if new is DELETE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(new)
    else:
        place[last] = new
    return value


DELETE = object()


def journal(size=1024, key=None, origin="fed/site-a/1", logs=("predictions/loan/1", "outcomes/loan/1")):
    key = key or KEYS["site-a-note"]
    return [checkpoint(f"{origin}/{log}", size, key) for log in logs]
