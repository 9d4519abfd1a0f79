"""Vectors of disputes, and of the numbers of reports, in a plan's log."""

from absences import ABSTENTION_CLAIM, abstained
from encode import b64, checkpoint, digest, document, seal
from releases import ATTEST, NEXT, WINDOW, attested
from world import KEYS, PLAN_ENTRY, changed, digest_of, said, vector

ORIGIN = f"fed/plan/{digest_of(PLAN_ENTRY)}"
REPORT = {
    "plan": digest_of(PLAN_ENTRY),
    "windows": [WINDOW],
    "log_size": 1,
    "registry_size": 5,
    "method": "1",
    "number": 0,
    "supersedes": None,
}


def reported(key=KEYS["aggregator-attest"], more={}, **changes):
    files = [("report.json", "{}"), ("report.html", "<p>")]
    return {"envelope": seal(said({"report": {**REPORT, **changes}}, files, **more), key), "artifact": "{}"}


def receipt(index=0, origin=ORIGIN, key=KEYS["aggregator-log"]):
    """A tlog-proof. Whether its hashes lead to the root is for whoever has the log to say."""
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{b64(bytes(32))}\n\n" + checkpoint(origin, 2, key)


FIRST, SEEN = attested(), reported()
DISPUTE = {
    "format": 1,
    "site": "site-a",
    "plan": digest_of(PLAN_ENTRY),
    "report": digest(SEEN["envelope"]),
    "release": digest(FIRST["envelope"]),
    "window": WINDOW,
    "what": "missing",
    "receipt": receipt(),
}
CLAIM = {"site": "site-a", "plan": digest_of(PLAN_ENTRY), "sequence": 1, "previous": digest(FIRST["envelope"])}


def disputed(text=None, claim=CLAIM, key=ATTEST, file="dispute.json", **more):
    text = document(text or DISPUTE)
    return {"envelope": seal(said({"dispute": claim}, [(file, text)], **more), key), "artifact": text}


def vectors():
    yield from disputes()
    yield from orders()
    yield from numbers()


def case(name, about, entry, reject=None, after=(FIRST, SEEN)):
    return vector(f"dispute-{name}", about, "dispute", {**entry, "after": list(after)}, reject)


def disputes():
    yield case("good", "a report leaves out a release that it was to name", disputed())
    texts = [
        ("altered-word", "named as something else", ["what"], "altered", None),
        ("unused", "not used", ["what"], "unused", None),
        ("what", "a word of a later version", ["what"], "lost", "unknown variant `lost`"),
        ("unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
        ("format-2", "a later format", ["format"], 2, "`format` is 2; this program knows 1"),
        ("site", "the document names another site", ["site"], "site-b", "dispute: "),
        ("plan", "the document names another plan", ["plan"], "0" * 64, "dispute: "),
        ("receipt-empty", "no receipt", ["receipt"], "", "`receipt` has 0 bytes"),
        ("receipt-none", "a text that is no receipt", ["receipt"], "receipt", "dispute: expected a receipt of fed/plan/"),
        ("receipt-other-log", "of another log", ["receipt"], receipt(origin="fed/registry"), "dispute: expected a receipt"),
        ("receipt-stranger", "signed by another key", ["receipt"], receipt(key=KEYS["stranger"]),
         "dispute: expected a receipt"),
        ("receipt-index", "of another place", ["receipt"], receipt(1), "dispute: expected the receipt of a document"),
        ("report-unknown", "no report of this log", ["report"], "1" * 64, "dispute: expected a report in this log"),
        ("release-unknown", "no document of this log", ["release"], "1" * 64, "dispute: expected the receipt of a document"),
        ("release-report", "about a report", ["release"], digest(SEEN["envelope"]),
         "dispute: expected the receipt of a document"),
    ]
    for name, about, path, new, reject in texts:
        yield case(name, about, disputed(changed(DISPUTE, path, new)), reject)
    claims = [
        ("site-other", "another site's name", ["site"], "site-b", "signer: "),
        ("sequence", "a number too far", ["sequence"], 2, "sequence: expected 1"),
        ("previous", "none before it", ["previous"], None, "previous: "),
        ("claim-unknown-key", "a key that nobody reads", ["window"], WINDOW, "unknown field `window`"),
    ]
    for name, about, path, new, reject in claims:
        yield case(name, about, disputed(claim=changed(CLAIM, path, new)), reject)
    for name, key in [("by-note-key", "site-a-note"), ("by-stranger", "stranger")]:
        yield case(name, f"signed by {key}", disputed(key=KEYS[key]), "signer: expected an attest key in the roster")
    yield case("by-aggregator", "signed by the aggregator", disputed(key=KEYS["aggregator-attest"]), "signer: ")
    yield case("seen-none", "it says nothing of what it had seen", disputed(predicate={"seen": None}), "seen: ")
    other = {**disputed(), "artifact": document({**DISPUTE, "what": "unused"})}
    yield case("altered", "the file is not the one that was signed", other, "artifact: ")
    yield case("file", "another file name", disputed(file="release.json"), "statement: expected subjects")


def orders():
    """`after` holds what stands in the log before."""
    good = disputed()
    behind = {**CLAIM, "sequence": 2, "previous": digest(good["envelope"])}
    again = disputed({**DISPUTE, "what": "unused"}, behind)
    yield case("again", "a second one about both", again, "dispute: expected one dispute", [FIRST, SEEN, good])
    yield case("early", "before the report", good, "dispute: expected a report in this log", [FIRST])
    late = disputed({**DISPUTE, "receipt": receipt(1)})
    yield case("late", "a release that was logged behind the report", late,
               "dispute: expected the receipt of a document of site-a before entry 0", [SEEN, FIRST])
    second = reported(number=1, supersedes=digest(SEEN["envelope"]))
    about = disputed({**DISPUTE, "report": digest(second["envelope"])}, behind)
    yield case("next-report", "the next report as well", about, None, [FIRST, SEEN, good, second])
    gone = abstained()
    number = {"previous": digest(gone["envelope"])}
    about = disputed({**DISPUTE, "release": digest(gone["envelope"])}, {**CLAIM, **number})
    yield case("abstention", "an abstention is not named", about, None, [gone, SEEN])
    numbered = abstained(claim={**ABSTENTION_CLAIM, **behind, "window": WINDOW})
    yield vector("abstention-after-dispute", "a dispute takes a number, and leaves the window as it is", "abstention",
                 {**numbered, "after": [FIRST, SEEN, good]}, "window: ")


def numbers():
    def numbered(name, about, entry, after, reject=None):
        return vector(f"report-{name}", about, "report", {**entry, "after": after}, reject)

    again = {"number": 1, "supersedes": digest(SEEN["envelope"])}
    yield numbered("first", "the first over its windows", SEEN, [])
    yield numbered("seen-none", "it says nothing of what it had seen", reported(more={"predicate": {"seen": None}}), [], "seen: ")
    yield numbered("second", "the next over these windows", reported(**again), [SEEN])
    yield numbered("other-windows", "the first over others", reported(windows=[NEXT]), [SEEN])
    bad = "report-number: expected report "
    yield numbered("again", "a number twice", reported(log_size=2), [SEEN], bad)
    yield numbered("gap", "a number left out", reported(**{**again, "number": 2}), [SEEN], bad)
    yield numbered("none-before", "it names none before it", reported(number=1), [SEEN], bad)
    yield numbered("other-before", "it names another", reported(number=1, supersedes="1" * 64), [SEEN], bad)
    yield numbered("not-first", "the first claims one before it", reported(**again), [], bad)
