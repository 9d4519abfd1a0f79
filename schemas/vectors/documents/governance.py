"""Vectors of what governance writes: contract, plan, roster entry, trust, envelopes, registry entries."""

import base64
import json

from encode import b64, cosigner_key, document, seal, statement, verifier_key
from world import (
    AGGREGATOR,
    CONTRACT,
    CONTRACT_ENTRY,
    CONTRACT_TEXT,
    DELETE,
    GOVERNANCE,
    KEYS,
    PLAN,
    PLAN_ENTRY,
    SITE_A,
    SITE_B,
    TRUST,
    changed,
    digest_of,
    published,
    vector,
)


def vectors():
    yield from documents("contract", CONTRACT, CONTRACTS)
    yield vector("contract-multiclass", "three classes with an order", "contract", {"document": document(TRIAGE)})
    yield vector("contract-regression", "a value, and where it is cut", "contract", {"document": document(STAY)})
    yield from documents("plan", PLAN, PLANS)
    yield from documents("roster-entry", SITE_A, ROSTERS)
    yield from documents("trust", TRUST, TRUSTS)
    yield from references()
    yield from broken_json()
    yield from envelopes()
    yield from payloads()
    yield from registry()


def documents(kind, base, cases):
    """`cases`: name, about, path, new value, part of the message or None."""
    yield vector(f"{kind}-good", "as published", kind, {"document": document(base)})
    for name, about, path, new, reject in cases:
        text = document(changed(base, path, new)).replace('"INFINITE"', "1e999")
        yield vector(f"{kind}-{name}", about, kind, {"document": text}, reject)


CLASSES = ["home", "ward", "intensive"]
TRIAGE = {
    "contract": "triage",
    "version": 1,
    "title": "Where patients go",
    "task": "multiclass",
    "model": "triage",
    "decision": {"values": CLASSES, "favourable": "home", "ordered": True},
    "label": {"values": CLASSES, "positive": "home"},
    "attribute": [],
}
STAY = {
    "contract": "stay",
    "version": 1,
    "title": "Days in hospital",
    "task": "regression",
    "model": "stay",
    "decision": {"values": ["short", "long"], "favourable": "short", "threshold": 10.0},
    "label": {"values": ["short", "long"], "positive": "long"},
    "score": {"min": 0.0, "max": 30.0, "bins": 20},
    "attribute": [],
}

CONTRACTS = [
    ("without-label", "outcomes are never known", ["label"], DELETE, None),
    ("without-score", "the model gives no score", ["score"], DELETE, None),
    ("without-attributes", "nothing is known of the persons", ["attribute"], DELETE, None),
    ("default-bins", "1,280 bins unless said otherwise", ["score", "bins"], DELETE, None),
    ("unknown-key", "a key that nobody reads", ["owner"], "me", "unknown field `owner`"),
    ("unknown-inner-key", "the same, deeper", ["decision", "unit"], "EUR", "unknown field `unit`"),
    ("no-title", "a key is missing", ["title"], DELETE, "missing field `title`"),
    ("version-text", "a number as text", ["version"], "1", "invalid type: string \"1\", expected u32"),
    ("version-zero", "versions count from 1", ["version"], 0, "`version` is 0"),
    ("version-negative", "a negative version", ["version"], -1, "invalid value: integer `-1`, expected u32"),
    ("version-large", "beyond 32 bits", ["version"], 1 << 32, "expected u32"),
    ("version-fraction", "a fraction", ["version"], 1.5, "expected u32"),
    ("name-uppercase", "names are lowercase", ["contract"], "Loan", "is not a name"),
    ("name-path", "a name that leads elsewhere", ["contract"], "../loan", "is not a name"),
    ("name-long", "64 characters", ["contract"], "a" * 64, "is not a name"),
    ("title-blank", "a text of spaces", ["title"], "  ", "`title`"),
    ("title-newline", "a control character", ["title"], "a\nb", "without control characters"),
    ("title-long", "4,097 characters", ["title"], "a" * 4097, "at most 4096 characters"),
    ("task-unknown", "a task of a later version", ["task"], "ranking", "unknown variant `ranking`"),
    ("values-same", "one value twice", ["decision", "values"], ["1", "1"], "different values are needed"),
    ("values-three", "three values", ["decision", "values", 2], "2", "`decision.values` holds 3 values; this task has 2"),
    ("ordered", "two values have an order", ["decision", "ordered"], True, "`decision.ordered` is for several classes"),
    ("regression-no-threshold", "no value parts the decisions", ["task"], "regression", "a regression needs `[score]`"),
    ("multiclass-two", "two classes are binary", ["task"], "multiclass", "a multiclass task has 3 to 20"),
    ("favourable-unlisted", "a decision that is not listed", ["decision", "favourable"], "x", "`decision.favourable`"),
    ("positive-first", "the positive label stands second", ["label", "positive"], "default", "`label.positive`"),
    ("score-empty-range", "no room between the ends", ["score", "min"], 1.0, "must be below `score.max`"),
    ("score-max-infinite", "beyond 64-bit floating point", ["score", "max"], "INFINITE", "number out of range"),
    ("bins-100", "not 10 * 2^m", ["score", "bins"], 100, "`score.bins` is 100"),
    ("bins-large", "10 * 2^13", ["score", "bins"], 81920, "`score.bins` is 81920"),
    ("bins-zero", "no bins", ["score", "bins"], 0, "`score.bins` is 0"),
    ("attribute-twice", "two attributes of one name", ["attribute", 1, "name"], "gender", "`gender` stands twice"),
    ("attributes-33", "one attribute too many", ["attribute"],
     [{"name": f"a{n}", "categories": ["x"]} for n in range(33)], "33 attributes; at most 32"),
    ("category-twice", "a category twice", ["attribute", 0, "categories"], ["f", "f"], "lists `f` twice"),
    ("category-other", "`other` is always there", ["attribute", 0, "categories", 2], "other", "leave it out"),
    ("category-none", "an attribute without categories", ["attribute", 0, "categories"], [], "has 0 categories"),
    ("attribute-object", "an object where a list stands", ["attribute"], {}, "expected a sequence"),
]

LAPLACE = {"mechanism": "discrete_laplace", "epsilon": "1.5", "events_per_subject": 2}
GAUSSIAN = {"mechanism": "discrete_gaussian", "epsilon": "1", "delta": "0.00001", "events_per_subject": 1}

PLANS = [
    ("one-window", "one window from start to end", ["windows", "every"], DELETE, None),
    ("without-slices", "only the whole", ["slice"], DELETE, None),
    ("unknown-key", "a key that nobody reads", ["owner"], "me", "unknown field `owner`"),
    ("no-disclosure", "a key is missing", ["disclosure"], DELETE, "missing field `disclosure`"),
    ("version-zero", "versions count from 1", ["version"], 0, "`version` is 0"),
    ("model-digest", "the model that a version is", ["model_digest"],
     [{"version": "v1", "subject": "0" * 64, "manifest": "1" * 64}], None),
    ("model-digest-unlisted", "a version that is not measured", ["model_digest"],
     [{"version": "v2", "subject": "0" * 64}], "`model_versions` does not list it"),
    ("model-digest-twice", "a version twice", ["model_digest"],
     [{"version": "v1", "subject": "0" * 64}, {"version": "v1", "subject": "1" * 64}], "names version `v1` twice"),
    ("model-digest-prefix", "a digest with the name of its function", ["model_digest"],
     [{"version": "v1", "subject": "sha256:" + "0" * 64}], "malformed: "),
    ("no-model-version", "nothing is measured", ["model_versions"], [], "`model_versions` is empty"),
    ("model-version-twice", "one version twice", ["model_versions"], ["v1", "v1"], "lists `v1` twice"),
    ("no-site", "nobody is required", ["required_sites"], [], "`required_sites` is empty"),
    ("site-twice", "one site twice", ["required_sites", 1], "site-a", "lists `site-a` twice"),
    ("site-uppercase", "no name", ["required_sites", 0], "Site-A", "is not a name"),
    ("k-zero", "k counts from 1", ["disclosure", "k"], 0, "`disclosure.k` is 0"),
    ("moment-step", "sums are rounded", ["disclosure", "moment_step"], "0.001", None),
    ("moment-step-number", "a number that is not exact", ["disclosure", "moment_step"], 0.001, "expected a string"),
    ("moment-step-zero", "no step", ["disclosure", "moment_step"], "0", "from 0.000001 to 1"),
    ("moment-step-large", "more than the range", ["disclosure", "moment_step"], "1.1", "from 0.000001 to 1"),
    ("moment-step-k-one", "k = 1 hides nothing", ["disclosure"], {"k": 1, "moment_step": "0.001"}, "needs a k above 1"),
    ("moment-step-noise", "no sums leave with noise", ["disclosure"], {"k": 5, "privacy": LAPLACE, "moment_step": "0.001"},
     "stands beside noise"),
    ("private", "counts leave with noise", ["disclosure", "privacy"], LAPLACE, None),
    ("private-gaussian", "with Gaussian noise", ["disclosure", "privacy"], GAUSSIAN, None),
    ("private-epsilon-number", "a number that is not exact", ["disclosure", "privacy"], {**LAPLACE, "epsilon": 1.5}, "expected a string"),
    ("private-epsilon-zero", "endless noise", ["disclosure", "privacy"], {**LAPLACE, "epsilon": "0"}, "0.001 to 100"),
    ("private-epsilon-large", "next to no noise", ["disclosure", "privacy"], {**LAPLACE, "epsilon": "101"}, "0.001 to 100"),
    ("private-epsilon-places", "seven decimals", ["disclosure", "privacy"], {**LAPLACE, "epsilon": "1.0000001"}, "at most six decimals"),
    ("private-epsilon-exponent", "no plain decimal", ["disclosure", "privacy"], {**LAPLACE, "epsilon": "1e0"}, "is no decimal"),
    ("private-delta-laplace", "Laplace noise has no delta", ["disclosure", "privacy"], {**LAPLACE, "delta": "0.00001"}, "leave it out"),
    ("private-delta-none", "Gaussian noise has a delta", ["disclosure", "privacy"], {**LAPLACE, "mechanism": "discrete_gaussian"},
     "`disclosure.privacy.delta` is missing"),
    ("private-delta-large", "one of ten", ["disclosure", "privacy"], {**GAUSSIAN, "delta": "0.1"}, "above 0, up to 0.01"),
    ("private-events-zero", "nobody counts", ["disclosure", "privacy"], {**LAPLACE, "events_per_subject": 0}, "1 to 100"),
    ("private-events-101", "more than there may be", ["disclosure", "privacy"], {**LAPLACE, "events_per_subject": 101}, "1 to 100"),
    ("private-unknown-key", "a key that nobody reads", ["disclosure", "privacy"], {**LAPLACE, "sigma": 3}, "unknown field `sigma`"),
    ("k-negative", "a negative k", ["disclosure", "k"], -5, "invalid value: integer `-5`, expected u64"),
    ("min-coverage-percent", "a share, not a percentage", ["min_coverage"], 80.0, "`min_coverage` is 80"),
    ("min-site-n-zero", "at least one event", ["min_site_n"], 0, "`min_site_n` is 0"),
    ("digest-uppercase", "digests are lowercase", ["contract_digest"], digest_of(CONTRACT_ENTRY).upper(),
     "a digest is 64 lowercase hexadecimal digits"),
    ("digest-short", "63 digits", ["contract_digest"], "0" * 63, "a digest is 64 lowercase hexadecimal digits"),
    ("half-hour", "windows begin on whole hours", ["windows", "start"], "2026-01-01T00:30:00Z", "whole hours"),
    ("start-in-month", "a month begins on its first day", ["windows", "start"], "2026-01-02T00:00:00Z",
     "the window that holds it starts 2026-01-01T00:00:00Z"),
    ("end-in-month", "a month ends with its last day", ["windows", "end"], "2026-03-02T00:00:00Z",
     "the window that holds it ends 2026-04-01T00:00:00Z"),
    ("end-before-start", "time goes forward", ["windows", "end"], "2025-03-01T00:00:00Z", "must be before `windows.end`"),
    ("time-offset", "UTC, written one way", ["windows", "start"], "2026-01-01T01:00:00+01:00", "must be written"),
    ("time-fraction", "no zero fraction", ["windows", "start"], "2026-01-01T00:00:00.000Z", "must be written"),
    ("time-date", "a date is no time", ["windows", "start"], "2026-01-01", "is not a time"),
    ("time-year-1", "outside 64-bit nanoseconds", ["windows", "start"], "0001-01-01T00:00:00Z", "outside the years"),
    ("every-year", "a length of a later version", ["windows", "every"], "year", "unknown variant `year`"),
    ("windows-many", "more than 10,000 hours",
     ["windows"], {"start": "2026-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z", "every": "hour",
                   "release_after_hours": 0}, "about 17520 windows; at most 10000"),
    ("release-before-end", "a negative maturity", ["windows", "release_after_hours"], -1, "expected u32"),
    ("reference-short", "a reference for each attribute", ["slice", 1, "reference"], ["m"], "`reference` has 1 values"),
    ("slice-twice", "one set of attributes in two orders", ["slice", 2],
     {"attributes": ["home", "gender"], "reference": ["near", "m"]}, "stands twice"),
    ("slice-attribute-twice", "one attribute twice", ["slice", 0],
     {"attributes": ["home", "home"], "reference": ["near", "near"]}, "lists `home` twice"),
    ("slice-empty", "the whole is always there", ["slice", 0], {"attributes": [], "reference": []},
     "`slice.attributes` is empty"),
]

REFERENCE = {
    "source": "the data that the model was fitted to",
    "events": 1000,
    "decisions": [700, 300],
    "labels": [100, 900],
    "score": [100] * 10,
    "slice": [{"attributes": ["gender"], "counts": [500, 490, 0, 10]}],
    "feature": [{"name": "income", "counts": [300, 400, 200], "missing": 90, "violations": 10}],
}


def reference(path, new):
    return {**PLAN, "reference": changed(REFERENCE, path, new)}


# Plans with a reference that no contract would do, and with one that the world's does not.
REFERENCES = [
    ("reference-decisions-many", "more decisions than events", ["decisions"], [700, 301], "adds up to 1001"),
    ("reference-decisions-none", "nothing to compare with", ["decisions"], [0, 0], "adds up to 0"),
    ("reference-decisions-three", "three decisions", ["decisions"], [1, 1, 1], "malformed: "),
    ("reference-no-decisions", "a key is missing", ["decisions"], DELETE, "missing field `decisions`"),
    ("reference-labels-many", "more labels than events", ["labels", 0], 101, "`reference.labels` adds up to 1001"),
    ("reference-score-many", "more scores than events", ["score", 3], 101, "`reference.score` adds up to 1001"),
    ("reference-sum-huge", "counts that wrap around in 64 bits", ["score"], [(1 << 64) - 1, 2] + [0] * 8,
     "`reference.score` adds up to 18446744073709551615"),
    ("reference-events-huge", "more events than a release may have", ["events"], (1 << 32) + 1, "`reference.events` is 4294967297"),
    ("reference-count-negative", "a negative count", ["feature", 0, "counts", 0], -1, "malformed: "),
    ("reference-feature-many", "violations are events as well", ["feature", 0, "violations"], 11, "adds up to 1001"),
    ("reference-feature-twice", "one feature twice", ["feature", 1], {"name": "income", "counts": [1, 1, 1]}, "stands twice"),
    ("reference-slice-twice", "one slice twice", ["slice", 1], {"attributes": ["gender"], "counts": [1]}, "stands twice"),
    ("reference-source-blank", "nobody says what it is", ["source"], "", "`reference.source`"),
    ("reference-unknown-key", "a key that nobody reads", ["window"], "2025", "unknown field `window`"),
]
MISFITS = [
    ("reference-bins", "bins that halving does not reach", ["score"], [50] * 5, "`reference.score` has 5 bins; it must be one of 20, 10"),
    ("reference-slice", "a slice that the plan does not have", ["slice", 0, "attributes"], ["home"], "the plan has no such slice"),
    ("reference-groups", "`other` and `unknown` are groups", ["slice", 0, "counts"], [500, 500], "one for each of its 4 groups"),
    ("reference-feature", "a feature that the contract lacks", ["feature", 0, "name"], "age", "the contract has income, first"),
    ("reference-feature-bins", "a bin is missing", ["feature", 0, "counts"], [300, 400], "the contract has 3 bins"),
    ("reference-missing", "the contract lets no value be absent", ["feature", 1],
     {"name": "first", "counts": [1, 1], "missing": 1}, "count them as `violations`"),
]

ROSTERS = [
    ("aggregator", "the centre", ["party"], "aggregator", "`keys` must hold one key"),
    ("unknown-key", "a key that nobody reads", ["valid_until"], "2030", "unknown field `valid_until`"),
    ("format-2", "a later format", ["format"], 2, "`format` is 2; this program knows 1"),
    ("key-missing", "no transport key", ["keys", 2], DELETE, "`keys` must hold one key"),
    ("key-twice", "two attest keys", ["keys", 3], {"use": "attest", "key": KEYS["stranger"].text}, "`keys` must hold one"),
    ("one-key-two-uses", "the note key is the attest key", ["keys", 1, "key"], KEYS["site-a-attest"].text,
     "different from the others"),
    ("governance-use", "a site governs nothing", ["keys", 1, "use"], "governance", "`keys` must hold one key"),
    ("use-unknown", "a use of a later version", ["keys", 1, "use"], "witness", "unknown variant `witness`"),
    ("key-raw", "32 bytes without SPKI", ["keys", 0, "key"], b64(KEYS["site-a-attest"].raw), "not an Ed25519 public key"),
    ("key-unpadded", "base64 without its padding", ["keys", 0, "key"], KEYS["site-a-attest"].text.rstrip("="),
     "not an Ed25519 public key"),
    ("key-weak", "a point of small order", ["keys", 0, "key"],
     b64(KEYS["site-a-attest"].spki[:12] + b"\1" + bytes(31)), "not an Ed25519 public key"),
    ("key-long", "a byte after the key", ["keys", 0, "key"], b64(KEYS["site-a-attest"].spki + b"\0"),
     "not an Ed25519 public key"),
    ("party-unknown", "a party of a later version", ["party"], "witness", "unknown variant `witness`"),
    ("reason-alone", "why keys ended, and none did", ["reason"], "stolen", "`reason` says why keys ended"),
    ("site-uppercase", "no name", ["party", "site"], "Site-A", "is not a name"),
]

W1, W2 = cosigner_key("w1.example", KEYS["stranger"]), cosigner_key("w2.example", KEYS["governance-2"])


def witnesses(threshold, *keys):
    return {"threshold": threshold, "keys": list(keys)}


TRUSTS = [
    ("two-of-two", "two signatures are needed", ["governance"],
     {"threshold": 2, "keys": [GOVERNANCE.text, KEYS["governance-2"].text]}, None),
    ("unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
    ("format-2", "a later format", ["format"], 2, "`format` is 2; this program knows 1"),
    ("threshold-zero", "nobody need sign", ["governance", "threshold"], 0, "`governance.threshold` is 0"),
    ("threshold-high", "more than there are keys", ["governance", "threshold"], 2, "`governance.threshold` is 2"),
    ("one-key-twice", "one key counts once", ["governance"],
     {"threshold": 2, "keys": [GOVERNANCE.text, GOVERNANCE.text]}, "`governance.threshold` is 2"),
    ("threshold-negative", "a negative number", ["governance", "threshold"], -1, "expected usize"),
    ("registry-of-another", "the log key of another federation", ["registry"],
     TRUST["registry"].replace("fed/", "alien/"), "`registry`"),
    ("registry-id", "an id that is not the key's", ["registry"],
     "+".join([TRUST["registry"].split("+")[0], "00000000", TRUST["registry"].split("+", 2)[2]]), "`registry`"),
    ("witness-needed", "more than there are witnesses", ["witnesses", "threshold"], 1, "`witnesses.threshold` is 1 of 0 keys"),
    ("witnesses", "one of two witnesses", ["witnesses"], witnesses(1, W1, W2), None),
    ("witnesses-all", "all of them", ["witnesses"], witnesses(2, W1, W2), None),
    ("witnesses-known", "witnesses that nobody asks for", ["witnesses"], witnesses(0, W1), None),
    ("witnesses-high", "more than there are", ["witnesses"], witnesses(3, W1, W2), "`witnesses.threshold` is 3 of 2 keys"),
    ("witness-twice", "one key counts once, whatever its name", ["witnesses"],
     witnesses(2, W1, cosigner_key("w9.example", KEYS["stranger"])), "stands twice"),
    ("witness-is-log", "the log is no witness of itself", ["witnesses"],
     witnesses(1, cosigner_key("w1.example", KEYS["aggregator-log"])), "stands twice"),
    ("witness-is-governance", "nor is governance", ["witnesses"], witnesses(1, cosigner_key("w1.example", GOVERNANCE)), "stands twice"),
    ("witness-note-key", "a key of type 1", ["witnesses"], witnesses(1, verifier_key("w1.example", KEYS["stranger"])), "type byte 4"),
    ("witness-id", "an id that is not the key's", ["witnesses"],
     witnesses(1, "+".join(["w1.example", "00000000", W1.split("+", 2)[2]])), "the id that belongs to it"),
    ("no-witnesses", "a key is missing", ["witnesses"], DELETE, "missing field `witnesses`"),
]


def references():
    yield vector("plan-reference", "counts of other data to compare with", "plan", {"document": document(reference(["events"], 1000))})
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    both = document({**PLAN, "reference": REFERENCE, "reference_window": window})
    yield vector("plan-reference-twice", "other data, and a window as well", "plan", {"document": both}, "leave one out")
    for name, about, path, new, reject in REFERENCES:
        yield vector(f"plan-{name}", about, "plan", {"document": document(reference(path, new))}, reject)
    other = {"plan": "other"}
    good = published("plan", "other", document({**reference(["events"], 1000), **other}), "plan.json")
    yield vector("registry-plan-with-reference", "it fits contract and slices", "registry-entry", good)
    for name, about, path, new, reject in MISFITS:
        entry = published("plan", "other", document({**reference(path, new), **other}), "plan.json")
        yield vector(f"registry-plan-{name}", about, "registry-entry", entry, reject)


def broken_json():
    """The same faults of form for each kind: what JSON libraries let through."""
    for kind, base in [("contract", CONTRACT), ("plan", PLAN), ("roster-entry", SITE_A), ("trust", TRUST)]:
        text = document(base)
        first = next(iter(base))
        twice = "{" + f"{json.dumps(first)}:{json.dumps(base[first])}," + text[1:]
        cases = [
            ("twice", "a key stands twice", {"document": twice}, "duplicate field"),
            ("trailing", "something after the document", {"document": text + "{}"}, "trailing characters"),
            ("cut", "the end is missing", {"document": text[:-3]}, "malformed: "),
            ("comma", "a comma too many", {"document": text[:-2] + ",}\n"}, "malformed: "),
            ("list", "a list where an object stands", {"document": "[]"}, "malformed: "),
            ("latin-1", "not UTF-8", {"document_hex": text.replace("a", "\xe4", 1).encode("latin-1").hex()}, "malformed: "),
            ("mark", "a byte order mark", {"document_hex": ("\ufeff" + text).encode().hex()}, "malformed: "),
        ]
        for name, about, source, reject in cases:
            yield vector(f"{kind}-json-{name}", about, kind, source, reject)
    aggregator = document(AGGREGATOR)
    yield vector("roster-entry-of-aggregator", "the centre's keys", "roster-entry", {"document": aggregator})


def envelopes():
    """DSSE: frames and signatures. `keys` names the keys asked for, `threshold` how many of them must have signed."""
    claim = {"contract": {"name": "loan", "version": 1, "replaces": None}}
    payload = statement(claim, [("contract.json", CONTRACT_TEXT)])
    second, stranger = KEYS["governance-2"], KEYS["stranger"]

    def case(name, about, text, reject=None, keys=("governance",), threshold=1):
        source = {"envelope": text, "keys": list(keys), "threshold": threshold}
        return vector(f"envelope-{name}", about, "envelope", source, reject)

    good = json.loads(seal(payload, GOVERNANCE))

    def plain(value):
        return json.dumps(value, separators=(",", ":"))

    def with_(path, new):
        return plain(changed(good, path, new))

    sig = base64.b64decode(good["signatures"][0]["sig"])
    flipped = b64(bytes([sig[0] ^ 1]) + sig[1:])
    both = ("governance", "governance-2")
    yield case("good", "as published", plain(good))
    yield case("url-safe", "the other base64 alphabet (DSSE)",
               with_(["payload"], good["payload"].replace("+", "-").replace("/", "_")))
    yield case("stranger-beside", "signatures by others are ignored", seal(payload, stranger, GOVERNANCE))
    yield case("two-of-two", "both signed", seal(payload, GOVERNANCE, second), None, both, 2)
    yield case("one-of-two", "one did not sign", seal(payload, GOVERNANCE), "signer: expected 2 of the keys", both, 2)
    yield case("one-twice", "one key signed twice", seal(payload, GOVERNANCE, GOVERNANCE), "envelope: expected each key id once", both, 2)
    yield case("stranger", "signed by another key", seal(payload, stranger), "signer: ")
    yield case("unsigned", "no signature", seal(payload), "signer: ")
    yield case("flipped", "one bit of the signature", with_(["signatures", 0, "sig"], flipped), "signature: ")
    yield case("cut-signature", "63 bytes", with_(["signatures", 0, "sig"], b64(sig[:63])), "signature: ")
    yield case("borrowed-keyid", "another's signature under this key's id",
               with_(["signatures", 0, "sig"], json.loads(seal(payload, stranger))["signatures"][0]["sig"]), "signature: ")
    yield case("bare", "the payload was signed, not its encoding with its type",
               with_(["signatures", 0, "sig"], b64(GOVERNANCE.sign(payload.encode()))), "signature: ")
    yield case("other-payload", "the payload was exchanged",
               with_(["payload"], b64(payload.replace('"version":1', '"version":2').encode())), "signature: ")
    yield case("payload-type", "another payload type", seal(payload, GOVERNANCE, payload_type="application/json"),
               "envelope: expected application/vnd.in-toto+json")
    yield case("unknown-key", "a key that nobody reads", with_(["note"], ""), "unknown field `note`")
    yield case("no-keyid", "a signature without key id", with_(["signatures", 0, "keyid"], DELETE), "missing field `keyid`")
    yield case("keyid-uppercase", "hexadecimal is lowercase",
               with_(["signatures", 0, "keyid"], GOVERNANCE.id.upper()), "envelope: expected a keyid")
    yield case("payload-unpadded", "base64 without its padding", with_(["payload"], good["payload"].rstrip("=")[:-1]),
               "envelope: expected base64")
    yield case("payload-newline", "base64 in lines", with_(["payload"], good["payload"][:76] + "\n" + good["payload"][76:]),
               "envelope: expected base64")
    yield case("trailing", "something after the envelope", plain(good) + "x", "envelope: expected a DSSE envelope")
    twice = plain(good).replace('{"payload"', '{"payload":"","payload"', 1)
    yield case("twice", "a key stands twice", twice, "duplicate field `payload`")
    large = statement(claim, [("contract.json", CONTRACT_TEXT)], predicate={"seen": {
        "origin": "x" * 50_000, "size": 1, "root": "0" * 64}})
    yield case("large", "more than 65,535 bytes", seal(large, GOVERNANCE), "envelope: expected at most 65535 bytes")


def payloads():
    """Signed well, but no statement of ours."""
    claim = {"contract": {"name": "loan", "version": 1, "replaces": None}}
    files = [("contract.json", CONTRACT_TEXT)]
    good = statement(claim, files)
    cases = [
        ("type", "another statement type", statement(claim, files, _type="https://in-toto.io/Statement/v0.1"),
         "statement: expected https://in-toto.io/Statement/v1"),
        ("predicate-type", "the type of a plan over the claim of a contract",
         statement(claim, files, "urn:fedaudit:plan:v1"), "statement: expected urn:fedaudit:contract:v1"),
        ("format-2", "a later format", statement(claim, files, predicate={"format": 2}), "version: expected format 1"),
        ("unknown-key", "a key that nobody reads", statement(claim, files, predicate={"note": ""}), "unknown field `note`"),
        ("claim-unknown", "a claim of a later version",
         statement({"verdict": {}}, files, "urn:fedaudit:verdict:v1"), "unknown variant `verdict`"),
        ("claims-two", "two claims", good.replace('"claim":{', '"claim":{"plan":{},', 1), "statement: "),
        ("twice", "a key stands twice", good.replace('"format":1', '"format":1,"format":1', 1), "duplicate field `format`"),
        ("trailing", "something after the statement", good + " {}", "statement: expected an in-toto statement"),
        ("sha512", "a digest of another kind", good.replace('{"sha256":', '{"sha512":"","sha256":', 1),
         "unknown field `sha512`"),
        ("time", "a time with an offset", statement(claim, files, predicate={"issued_at": "2025-12-01T01:00:00+01:00"}),
         "must be written"),
        ("text", "no JSON", "contract", "statement: expected an in-toto statement"),
    ]
    for name, about, payload, reject in cases:
        source = {"envelope": seal(payload, GOVERNANCE), "keys": ["governance"], "threshold": 1}
        yield vector(f"statement-{name}", about, "envelope", source, reject)


WINDOW = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


def registry():
    """The next entry of the world's registry."""

    def case(name, about, entry, reject=None):
        return vector(f"registry-{name}", about, "registry-entry", entry, reject)

    site_b = document(SITE_B)
    good = published("roster", "site-b", site_b, "roster-entry.json")
    yield case("site", "a site is enrolled", good)
    next_contract = document(changed(CONTRACT, ["version"], 2))
    yield case("next-contract", "a later version names the one it replaces", published(
        "contract", "loan", next_contract, "contract.json", version=2, replaces=digest_of(CONTRACT_ENTRY)))
    yield case("replaces-nothing", "a later version names none", published(
        "contract", "loan", next_contract, "contract.json", version=2), "contract: ")
    yield case("same-version", "a version twice", published(
        "contract", "loan", document(changed(CONTRACT, ["title"], "Loans")), "contract.json",
        replaces=digest_of(CONTRACT_ENTRY)), "contract: expected a version above 1")
    yield case("claimed-version", "the claim says another version", published(
        "contract", "loan", next_contract, "contract.json", version=3, replaces=digest_of(CONTRACT_ENTRY)), "contract: ")
    yield case("plan-of-nothing", "a plan over a contract that is not there", published(
        "plan", "other", document({**PLAN, "plan": "other", "contract_digest": "0" * 64}), "plan.json"),
        "contract: expected the digest of a contract in the registry")
    yield case("plan-attribute", "a plan cuts by what the contract lacks", published(
        "plan", "other", document(changed({**PLAN, "plan": "other"}, ["slice", 0, "attributes", 0], "age")), "plan.json"),
        "the contract has gender, home")
    yield case("plan-reference", "a reference group that is none", published(
        "plan", "other", document(changed({**PLAN, "plan": "other"}, ["slice", 0, "reference", 0], "x")), "plan.json"),
        "it must be one of f, m")
    yield case("plan-replaces", "a later plan replaces another one", published(
        "plan", "parity", document({**PLAN, "version": 2}), "plan.json", version=2, replaces="0" * 64), "plan: ")
    yield case("plan-next", "a later plan", published(
        "plan", "parity", document({**PLAN, "version": 2}), "plan.json", version=2, replaces=digest_of(PLAN_ENTRY)))
    yield case("site-again", "a site is enrolled twice", published(
        "roster", "site-a", document(SITE_A), "roster-entry.json"), "roster: expected version 2, found Site(site-a) again, as version 1")
    shared = changed(SITE_B, ["keys", 1, "key"], KEYS["site-a-note"].text)
    yield case("shared-key", "a key that another party has", published(
        "roster", "site-b", document(shared), "roster-entry.json"), "roster: expected keys that no other party has")
    yield case("by-a-site", "signed by a site", published(
        "roster", "site-b", site_b, "roster-entry.json", KEYS["site-a-attest"]), "signer: ")
    yield case("other-federation", "of another federation", published(
        "roster", "site-b", site_b, "roster-entry.json", predicate={"federation": "alien"}), "federation: expected fed")
    yield case("other-artifact", "the file is another", {**good, "artifact": site_b.replace("site-b", "site-c")}, "artifact: ")
    broken = changed(SITE_B, ["format"], 2)
    yield case("broken-artifact", "signed, but no valid document", published(
        "roster", "site-b", document(broken), "roster-entry.json"), "artifact: expected a valid document")
    claim = {"roster": {"name": "site-b", "version": 1, "replaces": None}}
    none = seal(statement(claim, []), GOVERNANCE)
    yield case("no-subject", "a statement about nothing", {"envelope": none, "artifact": site_b}, "statement: expected subjects")
    two = seal(statement(claim, [("roster-entry.json", site_b), ("b.json", site_b)]), GOVERNANCE)
    yield case("two-subjects", "a statement about two files", {"envelope": two, "artifact": site_b}, "statement: expected subjects")
    report = {"report": {"plan": "0" * 64, "windows": [WINDOW], "log_size": 0, "registry_size": 0, "method": "1",
                         "number": 0, "supersedes": None}}
    stray = seal(statement(report, [("report.json", "{}"), ("report.html", "{}")]), GOVERNANCE)
    yield case("report", "a report does not belong here", {"envelope": stray, "artifact": "{}"}, "artifact: expected 2 files")
    for name, about, claim in [
        ("claim-name", "the claim names another party than the file", {"name": "site-z", "version": 1, "replaces": None}),
        ("claim-replaces", "an entry replaces nothing yet", {"name": "site-b", "version": 1, "replaces": "0" * 64}),
    ]:
        entry = seal(statement({"roster": claim}, [("roster-entry.json", site_b)]), GOVERNANCE)
        yield case(name, about, {"envelope": entry, "artifact": site_b}, "roster: ")
    named = changed(SITE_B, ["party"], {"site": "aggregator"})
    yield case("site-aggregator", "a site with the aggregator's name", published(
        "roster", "aggregator", document(named), "roster-entry.json"), "choose another name")
