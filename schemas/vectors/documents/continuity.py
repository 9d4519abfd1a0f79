"""Vectors of what keeps a journal and its keys one thing: heartbeats, epochs, registries that were seen, keys that ended."""

from encode import document, seal
from releases import ATTEST, CLAIM, attested
from world import KEYS, REGISTRY, SITE_A, changed, digest_of, journal, published, root, said, vector

HEARTBEAT = {
    "format": 1,
    "site": "site-a",
    "epoch": 1,
    "journal": journal(logs=("ledger", "predictions/loan/1")),
}
HEARTBEAT_CLAIM = {"site": "site-a", "epoch": 1, "sequence": 0, "previous": None}


def beat(text=HEARTBEAT, claim=HEARTBEAT_CLAIM, key=ATTEST, **more):
    text = document(text)
    return {"envelope": seal(said({"heartbeat": claim}, [("heartbeat.json", text)], **more), key), "artifact": text}


def vectors():
    yield from heartbeats()
    yield from epochs_and_registries()
    yield from keys()


def heartbeats():
    yield vector("heartbeat-seen-none", "it says nothing of what it had seen", "heartbeat", beat(predicate={"seen": None}), "seen: ")
    yield vector("heartbeat-good", "where the journal stands", "heartbeat", beat())
    later = {**HEARTBEAT, "epoch": 2, "journal": journal(origin="fed/site-a/2", logs=("ledger",))}
    for name, about, entry, reject in [
        ("unknown-key", "a key that nobody reads", beat(changed(HEARTBEAT, ["note"], "")), "unknown field `note`"),
        ("order", "logs that do not ascend", beat(changed(HEARTBEAT, ["journal"], HEARTBEAT["journal"][::-1])), "heartbeat: "),
        ("site", "the document names another site", beat(changed(HEARTBEAT, ["site"], "site-b")), "heartbeat: "),
        ("claim-epoch", "the claim names another epoch", beat(claim={**HEARTBEAT_CLAIM, "epoch": 2}), "heartbeat: "),
        ("epoch-later", "an epoch that governance did not let begin", beat(later, {**HEARTBEAT_CLAIM, "epoch": 2}), "epoch: "),
        ("journal-other", "another site's log", beat(changed(HEARTBEAT, ["journal"], sorted(journal(origin="fed/site-b/1")))), "journal: "),
        ("by-note-key", "signed by a key for other things", beat(key=KEYS["site-a-note"]), "signer: "),
    ]:
        yield vector(f"heartbeat-{name}", about, "heartbeat", entry, reject)


def seen(size, of, origin="fed/registry"):
    return attested(predicate={"seen": {"origin": origin, "size": size, "root": of}})


def epochs_and_registries():
    whole = len(REGISTRY)
    for name, about, entry, reject in [
        ("seen", "signed with this registry at hand", seen(whole, root(REGISTRY)), None),
        ("seen-root", "another registry of the same size", seen(whole, "0" * 64), "seen: "),
        ("seen-before-signer", "before the roster had named the signer", seen(2, root(REGISTRY[:2])), "seen: "),
        ("seen-none", "a signer that says nothing of what it had seen", attested(predicate={"seen": None}), "seen: "),
        ("seen-other-log", "a checkpoint of another log", seen(whole, root(REGISTRY), "fed/heartbeats"), "seen: "),
        ("seen-beyond", "a larger registry than is known", seen(whole + 1, "0" * 64), "missing: "),
        ("epoch-later", "an epoch that governance did not let begin", attested(claim={**CLAIM, "epoch": 2}), "epoch: "),
    ]:
        yield vector(f"release-{name}", about, "release", entry, reject)


def keys():
    """`registry` in the input holds what stands behind the world's registry."""
    site_b = {key["use"]: KEYS[f"site-b-{key['use']}"] for key in SITE_A["keys"]}

    def ended(reason={}, **until):
        text = {
            **reason,
            **SITE_A,
            "version": 2,
            "keys": [{"use": use, "key": key.text} for use, key in site_b.items()],
            "ended": [{"key": KEYS[f"site-a-{use}"].id, "why": "revoked", **until} for use in site_b],
        }
        return published("roster", "site-a", document(text), "roster-entry.json", version=2, replaces=digest_of(REGISTRY[3]))

    last = [{"plan": CLAIM["plan"], "sequence": 0}]
    for name, about, entry, reject in [
        ("key-ended", "the site's keys ended before it", ended(), "key: "),
        ("key-ended-why", "the entry says what happened", ended({"reason": "a laptop was stolen"}), "key: "),
        ("key-ended-later", "the keys ended behind this number", ended(last=last), None),
    ]:
        yield vector(f"release-{name}", about, "release", {"registry": [entry], **attested()}, reject)
    blank = ended({"reason": " "})
    yield vector("registry-why-blank", "keys ended for a reason that says nothing", "registry-entry", blank, "artifact: expected a valid document")
