"""Vectors of what stands in the place of a release: abstentions in a plan's log, waivers in the registry."""

from encode import digest, document, seal
from releases import ATTEST, CLAIM, NEXT, RELEASE, WINDOW, attested
from world import DELETE, KEYS, PLAN_ENTRY, SEEN, changed, digest_of, published, said, vector

ABSTENTION = {
    "format": 1,
    "site": "site-a",
    "plan": digest_of(PLAN_ENTRY),
    "window": WINDOW,
    "reason": "the journal's disk failed",
}
ABSTENTION_CLAIM = {
    "site": "site-a",
    "plan": digest_of(PLAN_ENTRY),
    "window": WINDOW,
    "sequence": 0,
    "previous": None,
}
WAIVER = {
    "format": 1,
    "plan": digest_of(PLAN_ENTRY),
    "site": "site-a",
    "windows": [WINDOW, NEXT],
    "reason": "the site closed down",
}


def abstained(text=None, claim=ABSTENTION_CLAIM, key=ATTEST, file="abstention.json", **more):
    text = document(text or ABSTENTION)
    return {"envelope": seal(said({"abstention": claim}, [(file, text)], **more), key), "artifact": text}


def vectors():
    yield from abstentions()
    yield from orders()
    yield from waivers()


def case(name, about, entry, reject=None):
    return vector(f"abstention-{name}", about, "abstention", entry, reject)


def abstentions():
    yield case("good", "a site does not answer", abstained())
    texts = [
        ("unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
        ("no-reason", "it must say why", ["reason"], DELETE, "missing field `reason`"),
        ("reason-blank", "a reason of spaces", ["reason"], "  ", "`reason`"),
        ("reason-newline", "a control character", ["reason"], "a\nb", "without control characters"),
        ("reason-long", "4,097 characters", ["reason"], "a" * 4097, "at most 4096 characters"),
        ("format-2", "a later format", ["format"], 2, "`format` is 2; this program knows 1"),
        ("site", "the document names another site", ["site"], "site-b", "abstention: "),
        ("plan", "the document names another plan", ["plan"], "0" * 64, "abstention: "),
        ("window", "the document names another window", ["window"], NEXT, "abstention: "),
    ]
    for name, about, path, new, reject in texts:
        yield case(name, about, abstained(changed(ABSTENTION, path, new)), reject)
    claims = [
        ("site-other", "another site's name", ["site"], "site-b", "signer: "),
        ("plan-unknown", "no such plan", ["plan"], "1" * 64, "plan: expected the digest of a plan in the registry"),
        ("window-outside", "no window of the plan", ["window"], {**WINDOW, "end": NEXT["end"]}, "window: "),
        ("sequence-negative", "a negative number", ["sequence"], -1, "statement: "),
        ("claim-unknown-key", "a key that nobody reads", ["amends"], None, "unknown field `amends`"),
    ]
    for name, about, path, new, reject in claims:
        yield case(name, about, abstained(claim=changed(ABSTENTION_CLAIM, path, new)), reject)
    for name, key, reject in [
        ("by-note-key", "site-a-note", "signer: expected an attest key in the roster"),
        ("by-governance", "governance", "signer: expected an attest key in the roster"),
        ("by-stranger", "stranger", "signer: expected an attest key in the roster"),
        ("by-aggregator", "aggregator-attest", "signer: expected Aggregator"),
    ]:
        yield case(name, f"signed by {key}", abstained(key=KEYS[key]), reject)
    yield case("seen-none", "it says nothing of what it had seen", abstained(predicate={"seen": None}), "seen: ")
    other = {**abstained(), "artifact": document({**ABSTENTION, "reason": "another one"})}
    yield case("altered", "the file is not the one that was signed", other, "artifact: ")
    yield case("file", "another file name", abstained(file="release.json"), "statement: expected subjects")


def orders():
    """`after` holds what the site said before: releases and abstentions are numbered together."""
    first, released = abstained(), attested()
    number = {"sequence": 1, "previous": digest(first["envelope"])}
    behind = {"sequence": 1, "previous": digest(released["envelope"])}
    later = {**ABSTENTION, "window": NEXT}
    cases = [
        ("second", "the next window", abstained(later, {**ABSTENTION_CLAIM, **number, "window": NEXT}), first, None),
        ("window-again", "a window twice", abstained(claim={**ABSTENTION_CLAIM, **number}), first,
         "window: expected a window of site-a without an abstention"),
        ("number-again", "a number twice", abstained(later, {**ABSTENTION_CLAIM, "window": NEXT}), first,
         "sequence: expected 1"),
        ("no-previous", "none before it",
         abstained(later, {**ABSTENTION_CLAIM, "window": NEXT, "sequence": 1}), first, "previous: "),
        ("release-window", "a window that is released", abstained(claim={**ABSTENTION_CLAIM, **behind}), released,
         "window: expected a window of site-a without a release"),
        ("release-next", "the window after a release",
         abstained(later, {**ABSTENTION_CLAIM, **behind, "window": NEXT}), released, None),
    ]
    for name, about, entry, before, reject in cases:
        yield case(f"after-{name}", about, {**entry, "after": [before]}, reject)
    mind = attested(claim={**CLAIM, **number})
    yield vector("release-after-abstention", "the site changed its mind", "release", {**mind, "after": [first]})
    unnumbered = attested()
    yield vector("release-after-abstention-number", "an abstention takes a number", "release",
                 {**unnumbered, "after": [first]}, "sequence: expected 1")
    other = attested({**RELEASE, "window": NEXT}, {**CLAIM, **number, "window": NEXT})
    yield vector("release-after-abstention-next", "another window", "release", {**other, "after": [first]})


def waivers():
    """The next entry of the world's registry."""

    def entry(case_name, about, waiver, reject=None, **changes):
        text = document(waiver)
        made = published("waiver", changes.pop("name", "site-a"), text, "waiver.json", **changes)
        return vector(f"registry-waiver{case_name}", about, "registry-entry", made, reject)

    yield entry("", "governance does without a site", WAIVER)
    cases = [
        ("-unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
        ("-format-2", "a later format", ["format"], 2, "`format` is 2; this program knows 1"),
        ("-reason-blank", "it must say why", ["reason"], "", "`reason`"),
        ("-no-window", "about nothing", ["windows"], [], "`windows` holds 0"),
        ("-window-twice", "a window twice", ["windows", 1], WINDOW, "`windows` must ascend"),
        ("-windows-descend", "windows out of order", ["windows"], [NEXT, WINDOW], "`windows` must ascend"),
        ("-window-outside", "no window of the plan", ["windows"], [{**WINDOW, "end": NEXT["end"]}], "window: "),
        ("-plan-unknown", "no such plan", ["plan"], "0" * 64, "plan: expected the digest of a plan in the registry"),
    ]
    for name, about, path, new, reject in cases:
        yield entry(name, about, changed(WAIVER, path, new), reject)
    other = {**WAIVER, "site": "site-b"}
    yield entry("-not-required", "a site that the plan does not ask", other, "waiver: expected a site that plan parity",
                name="site-b")
    yield entry("-claim-name", "the claim names another site", WAIVER, "waiver: ", name="site-b")
    yield entry("-claim-version", "a waiver is never changed", WAIVER, "waiver: ", version=2)
    by_site = published("waiver", "site-a", document(WAIVER), "waiver.json", ATTEST)
    yield vector("registry-waiver-by-a-site", "signed by the site", "registry-entry", by_site, "signer: ")
    stray = abstained()
    signed = {**stray, "envelope": seal(said({"abstention": ABSTENTION_CLAIM}, [
        ("abstention.json", stray["artifact"])]), KEYS["governance"])}
    yield vector("registry-abstention", "an abstention does not belong here", "registry-entry", signed,
                 "registry: expected a contract, plan, roster entry, waiver or epoch")
    for name, about, log in [("entry-abstention", "an abstention", stray["envelope"])]:
        yield vector(name, about, "log-entry", {"envelope": log})
    waiver = published("waiver", "site-a", document(WAIVER), "waiver.json", KEYS["aggregator-attest"], predicate=SEEN)
    yield vector("entry-waiver", "a waiver does not belong here", "log-entry", {"envelope": waiver["envelope"]},
                 "statement: expected a release, an abstention, a dispute or a report")
