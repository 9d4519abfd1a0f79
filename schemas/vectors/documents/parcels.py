"""Vectors of parcels: what is carried by file, and evidence that a site contradicted itself."""

import hashlib

from absences import ABSTENTION, ABSTENTION_CLAIM, abstained
from continuity import HEARTBEAT, HEARTBEAT_CLAIM, beat
from disputes import disputed
from encode import b64, checkpoint, digest, document, join_request
from releases import CLAIM, NEXT, RELEASE, attested
from succession import LIMITS, ROTATED, USES, ended, follows
from wire import SECRET, SITE_B
from world import DELETE, KEYS, REGISTRY, TRUST, changed, journal, vector


def root(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def signed(entry):
    """An envelope and its artifact, as parcels hold them."""
    return {"envelope": b64(entry["envelope"].encode()), "artifact": b64(entry["artifact"].encode())}


def parcel(content, **changes):
    return {"format": 1, "federation": "fed", "content": content, **changes}


JOIN = b64(join_request(SITE_B, SECRET))
ROOT = root([entry["envelope"].encode() for entry in REGISTRY])
WHOLE = {
    "trust": TRUST,
    "address": "audit.example:4433",
    "checkpoint": checkpoint("fed/registry", len(REGISTRY), KEYS["aggregator-log"], ROOT),
    "entries": [signed(entry) for entry in REGISTRY],
    "joins": [JOIN],
}
FIRST = attested()
PROOF = {"origin": "fed/site-a/1/predictions/loan/1", "old": 1024, "new": 2048, "hashes": ["0" * 64]}
OUTBOX = {"site": "site-a", "seen": [WHOLE["checkpoint"]], "releases": [signed(FIRST)], "proofs": [PROOF]}
REASON = {
    "blame": "site",
    "check": "window",
    "expected": "a release that amends the logged one",
    "found": "one that amends none",
    "hint": "the site's operator must explain",
}
RECEIPT = {"receipt": {"proof": "c2sp.org/tlog-proof@v1\n", "from": 3, "consistency": ["0" * 64]}}


def answers(result):
    answer = {"envelope": digest(FIRST["envelope"]), "result": result}
    return {"receipts": {"site": "site-a", "seen": journal(), "answers": [answer]}}


def vectors():
    yield from parcels()
    yield from conflicts()


def parcels():
    def case(name, about, value, reject=None):
        text = value if isinstance(value, str) else document(value)
        return vector(f"parcel-{name}", about, "parcel", {"document": text}, reject)

    good = parcel({"registry": WHOLE})
    yield case("registry", "the registry, with a join that waits", good)
    yield case("join", "a site asks to join", parcel({"join": {"request": JOIN}}))
    yield case("governance", "signed documents", parcel({"governance": {"documents": WHOLE["entries"][1:3]}}))
    yield case("outbox", "a release on its way", parcel({"outbox": OUTBOX}))
    with_beat = {**OUTBOX, "heartbeat": signed(beat())}
    yield case("heartbeat", "a heartbeat on its way beside it", parcel({"outbox": with_beat}))
    yield case("receipt", "it is received", parcel(answers(RECEIPT)))
    yield case("refusal", "it is refused", parcel(answers({"refused": REASON})))
    yield case("both", "received and refused at once", parcel(answers({**RECEIPT, "refused": REASON})), "parcel: ")
    yield case("kind", "a kind of a later version", parcel({"orders": {}}), "parcel: ")
    yield case("kinds", "two kinds", parcel({"join": {"request": JOIN}, "registry": WHOLE}), "parcel: ")
    yield case("empty", "no kind", parcel({}), "parcel: ")
    yield case("format-2", "a later format", parcel({"outbox": OUTBOX}, format=2), "`format` is 2")
    yield case("unknown-key", "a key that nobody reads", parcel({"outbox": OUTBOX}, note=""), "unknown field `note`")
    inner = changed(parcel({"outbox": OUTBOX}), ["content", "outbox", "note"], "")
    yield case("inner-key", "a key that nobody reads, further in", inner, "unknown field `note`")
    text = document(good).replace('"address"', '"joins":[],"address"', 1)
    yield case("twice", "a key stands twice", text, "duplicate field `joins`")
    yield case("trailing", "something after the document", document(good) + "{}", "trailing characters")
    yield case("cut", "the end is missing", document(good)[:-3], "parcel: ")
    yield case("other", "the registry of another federation", parcel({"registry": WHOLE}, federation="other"), "`federation` is other")
    unpadded = changed(parcel({"join": {}}), ["content", "join", "request"], "AAE")
    yield case("unpadded", "base64 without its padding", unpadded, "not base64")
    url = changed(parcel({"join": {}}), ["content", "join", "request"], "__8=")
    yield case("url", "the other alphabet of base64", url, "not base64")
    logs = {**WHOLE, "logs": [WHOLE["checkpoint"], checkpoint("fed/heartbeats", 3, KEYS["aggregator-log"])]}
    yield case("registry-logs", "with the checkpoints of all logs", parcel({"registry": logs}))
    ended = {"registry": {**logs, "entries": []}}
    yield case("registry-empty", "nobody is enrolled yet", parcel(ended))
    for name, about, path, new, reject in [
        ("logs-text", "a text where a list stands", ["registry", "logs"], WHOLE["checkpoint"], "parcel: "),
        ("logs-number", "a size and no checkpoint", ["registry", "logs", 0], 5, "parcel: "),
        ("trust-format", "a trust file of a later format", ["registry", "trust", "format"], 2, "parcel: "),
        ("trust-threshold", "more signatures than keys", ["registry", "trust", "governance", "threshold"], 2, "parcel: "),
        ("trust-other", "the trust file of another log", ["registry", "trust", "registry"],
         TRUST["registry"].replace("fed/", "alien/"), "parcel: "),
        ("entry-key", "a key that nobody reads, in an entry", ["registry", "entries", 0, "index"], 0, "unknown field `index`"),
        ("entry-bare", "an entry without its file", ["registry", "entries", 0, "artifact"], DELETE, "missing field `artifact`"),
        ("entry-large", "more than an entry holds", ["registry", "entries", 0, "envelope"], b64(bytes(65_536)), "parcel: "),
    ]:
        yield case(name, about, changed(parcel({"registry": logs}), ["content", *path], new), reject)
    received = parcel(answers(RECEIPT))
    for name, about, path, new, reject in [
        ("receipt-negative", "a size below 0", ["from"], -1, "parcel: "),
        ("receipt-digest", "a hash of 31 bytes", ["consistency", 0], "0" * 62, "parcel: "),
        ("receipt-none", "no proof", ["proof"], DELETE, "missing field `proof`"),
        ("receipt-key", "a key that nobody reads", ["index"], 3, "unknown field `index`"),
    ]:
        place = ["content", "receipts", "answers", 0, "result", "receipt", *path]
        yield case(name, about, changed(received, place, new), reject)
    yield case("join-large", "more than a stranger may send", parcel({"join": {"request": b64(bytes(16_385))}}), "parcel: ")
    both = {**RECEIPT, "refused": REASON}
    yield case("receipt-and-refusal", "two answers to one release", parcel(answers(both)), "parcel: ")
    yield case("refusal-blame", "a blame of a later version", parcel(answers({"refused": {**REASON, "blame": "fate"}})), "parcel: ")
    yield case("outbox-site", "a site without a name", parcel({"outbox": {**OUTBOX, "site": ""}}), "parcel: ")
    yield case("outbox-hash", "a hash in base64", parcel({"outbox": changed(OUTBOX, ["proofs", 0, "hashes", 0], b64(bytes(32)))}), "parcel: ")
    negative = changed(parcel({"outbox": OUTBOX}), ["content", "outbox", "proofs", 0, "old"], -1)
    yield case("negative", "a size below 0", negative, "parcel: ")
    absent = changed(good, ["content", "registry", "trust"], DELETE)
    yield case("no-trust", "a registry without its trust file", absent, "missing field `trust`")


def conflicts():
    def case(name, about, value, verdict=0, reject=None):
        text = value if isinstance(value, str) else document(value)
        return vector(f"conflict-{name}", about, "conflict", {"document": text, "verdict": verdict}, reject)

    def conflict(refused, logged=FIRST, **changes):
        inner = {
            "at": "2026-03-02T00:00:00Z",
            "site": "site-a",
            "reason": REASON,
            "refused": signed(refused),
            "logged": logged and signed(logged),
            "registry": WHOLE,
        }
        return parcel({"conflict": {**inner, **changes}})

    def release(window=None, **claim):
        text = changed(RELEASE, ["window"], window) if window else RELEASE
        claim = {**CLAIM, **claim, **({"window": window} if window else {})}
        return attested(text, claim)

    first = digest(FIRST["envelope"])
    good = release(raw="1" * 64)
    yield case("window", "two answers for one window", conflict(good))
    yield case("sequence", "two releases with one number", conflict(release(NEXT)))
    yield case("previous", "the next number, and not behind the first", conflict(release(NEXT, sequence=1, previous="2" * 64)))
    yield case("number", "behind the first, and not the next number", conflict(release(NEXT, sequence=2, previous=first)))
    other = [checkpoint(note.split("\n")[0], 1024, KEYS["site-a-note"], bytes(range(32))) for note in journal()]
    yield case("journal", "two histories of the journal", conflict(release(NEXT, sequence=1, previous=first, journal=other)))
    yield case("alone", "a second release with none before it", conflict(release(sequence=1), None))
    undecidable = "contradiction: both may hold"
    gap = release(NEXT, sequence=2, previous="2" * 64)
    yield case("gap", "a number is left out", conflict(gap), 2, undecidable)
    grown = release(NEXT, sequence=1, previous=first, journal=journal(2048))
    yield case("grown", "a longer journal, and no proof", conflict(grown), 2, undecidable)
    amends = release(sequence=1, previous=first, amends={"envelope": first, "reason": "a late file"})
    yield case("amendment", "the second answer amends the first", conflict(amends), 2, undecidable)
    yield case("same", "one release, twice", conflict(FIRST), 2, undecidable)
    spaced = {**FIRST, "envelope": FIRST["envelope"].replace(":", ": ")}
    yield case("spaced", "one release, and the same with white space in its envelope", conflict(spaced), 3, "release: envelope")
    yield case("single", "one release that is right", conflict(FIRST, None), 2, "contradiction: one document")

    def abstention(window=None, reason=None, **claim):
        text = {**ABSTENTION, **({"window": window} if window else {}), **({"reason": reason} if reason else {})}
        return abstained(text, {**ABSTENTION_CLAIM, **claim, **({"window": window} if window else {})})

    silent = abstention()
    silence = digest(silent["envelope"])
    late = abstention(sequence=1, previous=first)
    yield case("unsaid", "an abstention for a window that is released", conflict(late))
    yield case("unsaid-far", "the same, and a number in between", conflict(abstention(sequence=3, previous="2" * 64)))
    yield case("abstention-sequence", "a release and an abstention with one number", conflict(abstention(NEXT)))
    yield case("release-sequence", "the same, with the abstention logged", conflict(release(NEXT), silent))
    other = abstention(reason="the other disk failed")
    yield case("abstention-bytes", "two abstentions with one number", conflict(other, silent))
    second = abstention(sequence=2, previous="2" * 64)
    yield case("abstention-window", "two abstentions for one window", conflict(second, silent))
    behind = release(NEXT, sequence=1, previous="2" * 64)
    yield case("abstention-previous", "the next number, and not behind the abstention", conflict(behind, silent))
    yield case("abstention-alone", "an abstention with none before it", conflict(abstention(sequence=1), None))
    changed_mind = release(sequence=1, previous=silence)
    yield case("changed-mind", "a release behind the abstention", conflict(changed_mind, silent), 2, undecidable)
    far = abstention(NEXT, sequence=2, previous="2" * 64)
    yield case("abstention-gap", "a number is left out before an abstention", conflict(far), 2, undecidable)
    tampered = {**late, "artifact": late["artifact"] + " "}
    yield case("abstention-altered", "another reason than was signed", conflict(tampered), 1, "abstention: artifact")
    yield case("abstention-accused", "another site is accused", conflict(late, site="site-b"), 1, "abstention: abstention")
    said = disputed()
    yield case("dispute-sequence", "a release and a dispute with one number", conflict(said, release(sequence=1, previous=first)))
    disputed_other = {**said, "artifact": said["artifact"] + " "}
    yield case("dispute-altered", "another dispute than was signed", conflict(disputed_other), 1, "dispute: artifact")
    yield case("dispute-accused", "another site is accused", conflict(said, site="site-b"), 1, "dispute: dispute")
    grown = {**HEARTBEAT, "journal": journal(2048, logs=("ledger", "predictions/loan/1"))}
    yield case("heartbeat-sequence", "two heartbeats with one number", conflict(beat(grown), beat()))
    behind = beat(grown, {**HEARTBEAT_CLAIM, "sequence": 1, "previous": "2" * 64})
    yield case("heartbeat-previous", "the next number, and not behind the first", conflict(behind, beat()))
    yield case("heartbeat-same", "one heartbeat, twice", conflict(beat(), beat()), 2, undecidable)
    altered = {**beat(), "artifact": beat()["artifact"] + " "}
    yield case("heartbeat-altered", "another heartbeat than was signed", conflict(altered, beat()), 1, "heartbeat: artifact")
    yield case("heartbeat-accused", "another site is accused", conflict(beat(grown), beat(), site="site-b"), 1, "heartbeat: heartbeat")
    yield from keys(case, conflict, good, beat(grown))
    forged = attested(claim={**CLAIM, "raw": "1" * 64}, key=KEYS["stranger"])
    yield case("stranger", "signed by nobody that is known", conflict(forged), 2, "release: signer")
    altered = {**good, "artifact": good["artifact"] + " "}
    yield case("altered", "another file than was signed", conflict(altered), 1, "release: artifact")
    yield case("accused", "another site is accused", conflict(good, site="site-b"), 1, "release: release")
    yield case("no-registry", "nothing to check signatures with", conflict(good, registry=None), 2, "registry: missing")
    cut = {**WHOLE, "entries": WHOLE["entries"][:3]}
    yield case("registry-cut", "an entry of the registry is missing", conflict(good, registry=cut), 1, "registry: checkpoint")
    yield case("other-kind", "no evidence", parcel({"outbox": OUTBOX}), 3, "parcel: ")
    yield case("cut", "the end is missing", document(conflict(good))[:-3], 3, "parcel: ")


def keys(case, conflict, second, beat_):
    """Evidence by keys that ended; the registry that it brings says so."""

    def ended_as(why, *uses, **until):
        last = [ended(f"site-a-{use}", why if use in uses else "rotated", **until) for use in USES]
        behind = [*REGISTRY, follows({**ROTATED, "ended": last})]
        note = checkpoint("fed/registry", len(behind), KEYS["aggregator-log"], root([of["envelope"].encode() for of in behind]))
        return {**WHOLE, "checkpoint": note, "entries": [signed(of) for of in behind]}

    both = ("attest", "note")
    taken = "key: "
    yield case("key-revoked", "the keys were revoked: a thief may have signed it", conflict(second, registry=ended_as("revoked", *both)), 2, taken)
    yield case("key-lost", "the keys were lost: the site numbers anew", conflict(second, registry=ended_as("lost", *both)), 2, taken)
    yield case("key-note", "a note key that was revoked", conflict(second, registry=ended_as("revoked", "note")), 2, taken)
    yield case("key-rotated", "the keys were rotated: they were the site's", conflict(second, registry=ended_as("rotated")))
    yield case("key-within", "the keys were revoked behind this number", conflict(second, registry=ended_as("revoked", *both, **LIMITS)))
    logs = {"logs": [{"origin": "fed/heartbeats", "size": 9}]}
    yield case("key-heartbeat", "nothing shows where a heartbeat is logged",
               conflict(beat_, beat(), registry=ended_as("revoked", *both, **logs)), 2, taken)
