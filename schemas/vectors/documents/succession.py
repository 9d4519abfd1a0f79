"""Vectors of what follows in the registry: later roster entries, keys that end, transport keys, governance, epochs."""

from continuity import HEARTBEAT, HEARTBEAT_CLAIM, beat
from encode import Key, document, seal, statement, with_line
from releases import ATTEST, CLAIM, attested
from world import (
    AGGREGATOR,
    DELETE,
    GOVERNANCE,
    KEYS,
    REGISTRY,
    SITE_A,
    SITE_B,
    changed,
    digest_of,
    journal,
    published,
    root,
    seen,
    vector,
)

SITE, CENTRE = REGISTRY[3], REGISTRY[0]
PLAN = CLAIM["plan"]
NEW = {"attest": Key(21), "note": Key(22), "transport": Key(23), "log": Key(24), "governance": Key(25)}
SECOND = KEYS["governance-2"]
USES = ["attest", "note", "transport"]


def key(use, of):
    return {"use": use, "key": of.text}


def ended(name, why="rotated", **until):
    return {"key": (KEYS[name] if isinstance(name, str) else name).id, "why": why, **until}


def follows(text, replaces=SITE, keys=(GOVERNANCE,), **claim):
    """A roster entry: its claim follows from the text, but for what `claim` says."""
    party = text["party"]
    said = {
        "name": party if isinstance(party, str) else party["site"],
        "version": text.get("version", 1),
        "replaces": replaces and digest_of(replaces),
        **claim,
    }
    text = document(text)
    return {"envelope": seal(statement({"roster": said}, [("roster-entry.json", text)]), *keys), "artifact": text}


ROTATED = {
    **SITE_A,
    "version": 2,
    "keys": [key(use, NEW[use]) for use in USES],
    "ended": [ended(f"site-a-{use}") for use in USES],
}
REVOKED = {**SITE_A, "version": 2, "keys": [], "ended": [ended(f"site-a-{use}", "revoked") for use in USES]}
GOVERNED = {"format": 1, "party": "governance", "keys": [key("governance", GOVERNANCE), key("governance", SECOND)], "threshold": 2}
LIMITS = {"logs": [{"origin": f"fed/plan/{PLAN}", "size": 3}], "last": [{"plan": PLAN, "sequence": 4}]}


def vectors():
    yield from texts()
    yield from entries()
    yield from governances()
    yield from transports()
    yield from epochs()
    yield from behind()


def texts():
    """Roster entries by themselves."""

    def case(name, about, value, reject=None):
        return vector(f"roster-entry-{name}", about, "roster-entry", {"document": document(value)}, reject)

    yield case("rotated", "new keys for all uses", ROTATED)
    yield case("revoked", "a site that has no keys any more", REVOKED)
    yield case("limits", "up to where the keys before hold", changed(ROTATED, ["ended", 0], ended("site-a-attest", **LIMITS)))
    yield case("governance", "two of two sign from now on", GOVERNED)
    bad = "`version` begins with 1"
    for name, about, base, path, new, reject in [
        ("version-zero", "versions begin with 1", SITE_A, ["version"], 0, bad),
        ("version-negative", "a negative version", ROTATED, ["version"], -1, "malformed: "),
        ("version-text", "a version as text", ROTATED, ["version"], "2", "malformed: "),
        ("first-ends", "nothing has been before version 1", ROTATED, ["version"], 1, bad),
        ("first-empty", "a site that begins without keys", SITE_A, ["keys"], [], "`keys` must hold one key"),
        ("ended-twice", "a key ends once", ROTATED, ["ended", 1], ended("site-a-attest", "lost"), "`ended` must name each key once"),
        ("ended-and-kept", "a key that ended and goes on", ROTATED, ["keys", 0], key("attest", ATTEST), "`ended` must name each key once"),
        ("ended-why", "a reason of a later version", ROTATED, ["ended", 0, "why"], "expired", "unknown variant `expired`"),
        ("ended-no-why", "no reason", ROTATED, ["ended", 0, "why"], DELETE, "missing field `why`"),
        ("ended-key", "a key, and not its id", ROTATED, ["ended", 0, "key"], ATTEST.text, "malformed: "),
        ("ended-unknown-key", "a key that nobody reads", ROTATED, ["ended", 0, "until"], "2027", "unknown field `until`"),
        ("ended-log-negative", "fewer than no entries", changed(ROTATED, ["ended", 0], ended("site-a-attest", **LIMITS)),
         ["ended", 0, "logs", 0, "size"], -1, "malformed: "),
        ("ended-last-text", "a number as text", changed(ROTATED, ["ended", 0], ended("site-a-attest", **LIMITS)),
         ["ended", 0, "last", 0, "sequence"], "4", "malformed: "),
        ("threshold-of-site", "a site has no threshold", SITE_A, ["threshold"], 1, "`threshold` is for governance"),
        ("threshold-of-aggregator", "nor has the centre", AGGREGATOR, ["threshold"], 1, "`threshold` is for governance"),
        ("governance-no-threshold", "how many must sign?", GOVERNED, ["threshold"], DELETE, "`threshold` is"),
        ("governance-threshold-zero", "nobody need sign", GOVERNED, ["threshold"], 0, "`threshold` is 0"),
        ("governance-threshold-high", "more than there are keys", GOVERNED, ["threshold"], 3, "`threshold` is 3"),
        ("governance-no-keys", "nobody can sign", GOVERNED, ["keys"], [], "`threshold` is 2"),
        ("governance-key-twice", "one key, twice", GOVERNED, ["keys", 1], key("governance", GOVERNANCE), "different from the others"),
        ("governance-attest", "governance attests nothing", GOVERNED, ["keys", 1, "use"], "attest", "governance keys"),
        ("keys-17", "more keys than there may be", GOVERNED, ["keys"], [key("governance", Key(n)) for n in range(40, 57)], "`keys` holds 17"),
        ("site-called-governance", "a site with governance's name", SITE_A, ["party", "site"], "governance", "choose another name"),
        ("party-key", "a party with a key that nobody reads", SITE_A, ["party", "of"], "fed", "malformed: "),
    ]:
        yield case(name, about, changed(base, path, new), reject)


def case(name, about, entry, reject=None, registry=()):
    source = {**entry, "registry": list(registry)} if registry else entry
    return vector(f"registry-{name}", about, "registry-entry", source, reject)


def entries():
    """The next entry of a party. `registry` holds what stands behind the world's registry."""
    yield case("rotated", "new keys for all uses", follows(ROTATED))
    one = {**SITE_A, "version": 2, "keys": changed(SITE_A["keys"], [2], key("transport", NEW["transport"]))}
    yield case("rotated-one", "one key is new, the others stay", follows({**one, "ended": [ended("site-a-transport", "lost")]}))
    yield case("revoked", "a site is a party no more", follows(REVOKED))
    again = {**SITE_A, "version": 3, "keys": ROTATED["keys"]}
    yield case("revoked-again", "a revoked site comes back with new keys", follows(again, follows(REVOKED)), None, [follows(REVOKED)])
    centre = {**AGGREGATOR, "version": 2, "keys": [key(use, NEW[use]) for use in ["attest", "log", "transport"]],
              "ended": [ended(f"aggregator-{use}") for use in ["attest", "log", "transport"]]}
    yield case("rotated-aggregator", "the centre's keys, too", follows(centre, CENTRE))
    roster = "roster: "
    yield case("version-skipped", "version 3 behind version 1", follows({**ROTATED, "version": 3}), "roster: expected version 2")
    yield case("version-claimed", "the claim names another version", follows(ROTATED, version=3), roster)
    yield case("replaces-other", "it replaces another entry", follows(ROTATED, CENTRE), roster)
    yield case("replaces-none", "a later version that replaces nothing", follows(ROTATED, None), roster)
    yield case("forgotten", "a key that neither stays nor ends", follows(changed(ROTATED, ["ended", 1], DELETE)),
               "roster: expected an end of each key")
    yield case("ended-stranger", "an end of a key that it never had", follows(changed(ROTATED, ["ended", 3], ended("stranger"))),
               "roster: expected an end of each key")
    exchanged = changed(SITE_A["keys"], [0, "key"], KEYS["site-a-note"].text)
    exchanged = changed(exchanged, [1, "key"], ATTEST.text)
    yield case("other-use", "two keys change their uses", follows({**SITE_A, "version": 2, "keys": exchanged}), roster)
    back = {**SITE_A, "version": 3, "ended": [ended(NEW[use]) for use in USES]}
    yield case("ended-back", "a key that had ended", follows(back, follows(ROTATED)), roster, [follows(ROTATED)])
    taken = changed(SITE_B, ["keys", 0, "key"], ATTEST.text)
    yield case("ended-taken", "another site takes a key that had ended", follows(taken, None), roster, [follows(ROTATED)])
    for name, owner in [("governance-key", GOVERNANCE), ("aggregator-key", KEYS["aggregator-log"])]:
        yield case(f"site-with-{name}", "a site with a key of another party", follows(changed(SITE_B, ["keys", 0, "key"], owner.text), None), roster)
    other = changed(changed(AGGREGATOR, ["party"], {"site": "site-b"}), ["keys", 1, "use"], "note")
    yield case("site-of-aggregator", "a site with all of the centre's keys", follows(other, None), roster)
    yield case("rotated-by-site", "a site signs its own roster entry", follows(ROTATED, keys=[ATTEST]), "signer: ")
    whole = {"origin": "fed/registry", "size": len(REGISTRY), "root": root(REGISTRY)}
    for name, about, seen, reject in [
        ("seen", "signed with this registry at hand", {}, None),
        ("seen-root", "another registry of the same size", {"root": "0" * 64}, "seen: "),
        ("seen-beyond", "a larger registry than is known", {"size": len(REGISTRY) + 1}, "missing: "),
    ]:
        entry = published("roster", "site-b", document(SITE_B), "roster-entry.json", predicate={"seen": {**whole, **seen}})
        yield case(name, about, entry, reject)


def governances():
    first = follows(GOVERNED, None)
    both = (GOVERNANCE, SECOND)
    yield case("governance", "a second key, and both must sign", first)
    site_b = published("roster", "site-b", document(SITE_B), "roster-entry.json", *both)
    yield case("governance-two", "both signed", site_b, None, [first])
    yield case("governance-one-of-two", "one did not sign",
               published("roster", "site-b", document(SITE_B), "roster-entry.json"), "signer: ", [first])
    only = {"format": 1, "party": "governance", "keys": [key("governance", NEW["governance"])], "threshold": 1}
    yield case("governance-other", "another key in the place of trust.json's", follows(only, None))
    yield case("governance-before", "the key before signs no more",
               published("roster", "site-b", document(SITE_B), "roster-entry.json"), "signer: ", [follows(only, None)])
    taken = changed(SITE_B, ["keys", 0, "key"], GOVERNANCE.text)
    yield case("governance-before-taken", "a site takes the key that governance had",
               follows(taken, None, keys=[NEW["governance"]]), "roster: ", [follows(only, None)])
    next_ = {**only, "version": 2, "ended": [ended(GOVERNANCE), ended(SECOND)]}
    yield case("governance-next", "version 2 ends the keys of version 1", follows(next_, first, both), None, [first])
    yield case("governance-forgotten", "a key that neither stays nor ends",
               follows(changed(next_, ["ended", 1], DELETE), first, both), "roster: ", [first])
    yield case("governance-by-next", "signed by the next keys alone", follows(next_, first, [NEW["governance"]]), "signer: ", [first])
    yield case("governance-of-site", "a key of a site",
               follows(changed(only, ["keys", 0, "key"], ATTEST.text), None), "roster: ")
    yield case("governance-version-2", "it begins with 1", follows({**only, "version": 2}, None), "roster: ")


def transported(text=None, by=ATTEST, replaces=SITE, file="transport-key.json", **claim):
    text = document(text or TRANSPORT)
    said = {"name": "site-a", "version": 2, "replaces": replaces and digest_of(replaces), **claim}
    return {"envelope": seal(statement({"transport": said}, [(file, text)], "urn:fedaudit:transport-key:v1"), by), "artifact": text}


TRANSPORT = {"format": 1, "site": "site-a", "key": NEW["transport"].text}


def transports():
    good = transported()
    yield case("transport", "a site's own word for its transport key", good)
    again = transported({**TRANSPORT, "key": Key(31).text}, replaces=good, version=3)
    yield case("transport-again", "and the next one", again, None, [good])
    behind = {**ROTATED, "version": 3, "ended": [ended("site-a-attest"), ended("site-a-note"), ended(NEW["transport"])],
              "keys": changed(ROTATED["keys"], [2], key("transport", Key(32)))}
    yield case("transport-then-rotated", "a roster entry behind it replaces it", follows(behind, good), None, [good])
    yield case("transport-then-forgotten", "and knows the key", follows({**behind, "ended": ROTATED["ended"]}, good), "roster: ", [good])
    for name, about, entry, reject in [
        ("by-note-key", "signed by a key for other things", transported(by=KEYS["site-a-note"]), "signer: "),
        ("by-governance", "signed by governance", transported(by=GOVERNANCE), "signer: "),
        ("by-stranger", "signed by nobody known", transported(by=KEYS["stranger"]), "signer: "),
        ("by-aggregator", "signed by the centre", transported(by=KEYS["aggregator-attest"]), "signer: "),
        ("site", "the document names another site", transported({**TRANSPORT, "site": "site-b"}), "signer: "),
        ("name", "the claim names another site", transported(name="site-b"), "roster: "),
        ("version", "a version left out", transported(version=3), "roster: "),
        ("version-again", "the version of before", transported(version=1), "roster: "),
        ("replaces", "it replaces another entry", transported(replaces=CENTRE), "roster: "),
        ("replaces-none", "it replaces nothing", transported(replaces=None), "roster: "),
        ("same", "the key of before", transported({**TRANSPORT, "key": KEYS["site-a-transport"].text}), "roster: "),
        ("of-another", "a key of another party", transported({**TRANSPORT, "key": KEYS["aggregator-transport"].text}), "roster: "),
        ("of-governance", "governance's key", transported({**TRANSPORT, "key": GOVERNANCE.text}), "roster: "),
        ("attest", "the attest key", transported({**TRANSPORT, "key": ATTEST.text}), "roster: "),
        ("format-2", "a later format", transported({**TRANSPORT, "format": 2}), "artifact: expected a valid document"),
        ("unknown-key", "a key that nobody reads", transported({**TRANSPORT, "why": "lost"}), "artifact: expected a valid document"),
        ("weak", "a point of small order", transported({**TRANSPORT, "key": "MCowBQYDK2VwAyEAAQ" + "A" * 41 + "="}), "artifact: "),
        ("file", "another file name", transported(file="roster-entry.json"), "statement: expected subjects"),
        ("altered", "the file is not the one that was signed", {**good, "artifact": document({**TRANSPORT, "key": Key(31).text})}, "artifact: "),
    ]:
        yield case(f"transport-{name}", about, entry, reject)
    yield case("transport-revoked", "a site that was revoked", transported(replaces=follows(REVOKED), version=3), "signer: ", [follows(REVOKED)])


EPOCH = {
    "format": 1,
    "site": "site-a",
    "epoch": 2,
    "kept": [{"log": "ledger", "size": 40}, {"log": "predictions/loan/1", "size": 1000}],
    "reason": "the disk with the journal failed",
}


def begun(text=EPOCH, by=GOVERNANCE, **claim):
    said = {"name": text["site"], "version": text["epoch"], "replaces": None, **claim}
    text = document(text)
    return {"envelope": seal(statement({"epoch": said}, [("epoch.json", text)]), by), "artifact": text}


def epochs():
    good = begun()
    yield case("epoch", "a site begins again", good)
    yield case("epoch-nothing-kept", "nothing was kept", begun({**EPOCH, "kept": []}))
    yield case("epoch-third", "and once more", begun({**EPOCH, "epoch": 3}), None, [good])
    for name, about, path, new, reject in [
        ("skipped", "an epoch left out", ["epoch"], 3, "epoch: "),
        ("first", "the first needs no document", ["epoch"], 1, "artifact: expected a valid document"),
        ("negative", "a negative number", ["epoch"], -2, "statement: "),
        ("site-unknown", "a site that nobody enrolled", ["site"], "site-z", "signer: "),
        ("kept-order", "logs that do not ascend", ["kept"], EPOCH["kept"][::-1], "artifact: expected a valid document"),
        ("kept-twice", "a log twice", ["kept", 1, "log"], "ledger", "artifact: expected a valid document"),
        ("kept-negative", "fewer than no records", ["kept", 0, "size"], -1, "artifact: expected a valid document"),
        ("kept-unknown-key", "a key that nobody reads", ["kept", 0, "root"], "0" * 64, "artifact: expected a valid document"),
        ("reason-blank", "no reason", ["reason"], "", "artifact: expected a valid document"),
        ("reason-none", "not even an empty one", ["reason"], DELETE, "artifact: expected a valid document"),
        ("unknown-key", "a key that nobody reads", ["note"], "", "artifact: expected a valid document"),
        ("format-2", "a later format", ["format"], 2, "artifact: expected a valid document"),
    ]:
        yield case(f"epoch-{name}", about, begun(changed(EPOCH, path, new)), reject)
    yield case("epoch-again", "an epoch twice", good, "epoch: ", [good])
    yield case("epoch-by-site", "a site begins by itself", begun(by=ATTEST), "signer: ")
    yield case("epoch-claim-name", "the claim names another site", begun(name="site-b"), "epoch: ")
    yield case("epoch-claim-version", "the claim names another epoch", begun(version=3), "epoch: ")
    yield case("epoch-claim-replaces", "it replaces nothing", begun(replaces="0" * 64), "epoch: ")


def behind():
    """Releases and heartbeats behind an epoch, and behind keys that ended."""
    registry = [begun()]
    whole, before = seen(*registry), seen()
    second = {**CLAIM, "epoch": 2, "journal": journal(origin="fed/site-a/2")}
    for name, about, claim, predicate, reject in [
        ("second", "of the second epoch", second, whole, None),
        ("unseen", "signed before the site knew", CLAIM, before, None),
        ("first", "of the first epoch, which has ended", CLAIM, whole, "epoch: "),
        ("second-unseen", "of the second epoch, which it had not seen begin", second, before, "epoch: "),
        ("second-journal", "with checkpoints of the first", {**CLAIM, "epoch": 2}, whole, "journal: "),
    ]:
        yield vector(f"release-epoch-{name}", about, "release", {**attested(claim=claim, predicate=predicate), "registry": registry}, reject)
    rotated = [follows(changed(ROTATED, ["ended"], [ended("site-a-attest", **LIMITS), *ROTATED["ended"][1:]]))]
    rotated_all = [follows({**ROTATED, "ended": [ended(f"site-a-{use}", **LIMITS) for use in USES]})]
    claim = {**CLAIM, "journal": journal(key=NEW["note"])}
    new = attested(claim=claim, key=NEW["attest"], predicate=seen(*rotated_all))
    yield vector("release-key-new", "by the new keys", "release", {**new, "registry": rotated_all}, None)
    early = attested(claim=claim, key=NEW["attest"])
    yield vector("release-key-new-unseen", "signed before the registry had named the key", "release",
                 {**early, "registry": rotated_all}, "seen: ")
    mixed = attested(claim=claim)
    yield vector("release-key-within", "by a key that holds up to number 4", "release", {**mixed, "registry": rotated}, None)
    yield from lines(rotated_all)
    yield from heartbeats(registry)


def lines(rotated):
    """A checkpoint of the journal has one signature line, whatever key becomes known later."""

    def more(signature=None):
        return [with_line(note, note.split("\n")[0], NEW["note"], signature) for note in journal()]

    several = "journal: expected a checkpoint of fed/site-a/1/predictions/loan/1 signed by the site's note key, found malformed: expected one"
    for name, about, signature in [("keys", "signed by two note keys", None), ("lines", "a line of a key that comes later", bytes(64))]:
        entry = attested(claim={**CLAIM, "journal": more(signature)})
        yield vector(f"release-journal-two-{name}", about, "release", entry, several)
        yield vector(f"release-journal-two-{name}-later", "and that key is there", "release", {**entry, "registry": [rotated[0]]}, several)
    notes = [with_line(note, note.split("\n")[0], NEW["note"], bytes(64)) for note in HEARTBEAT["journal"]]
    yield vector("heartbeat-journal-two-lines", about, "heartbeat", beat({**HEARTBEAT, "journal": notes}), "journal: ")


def heartbeats(registry):
    later = {**HEARTBEAT, "epoch": 2, "journal": journal(origin="fed/site-a/2", logs=("ledger",))}
    claim = {**HEARTBEAT_CLAIM, "epoch": 2}
    second = {**beat(later, claim, predicate=seen(*registry)), "registry": registry}
    yield vector("heartbeat-epoch", "of the second epoch", "heartbeat", second)
    good = beat()
    short = journal(size=1000, logs=("ledger",))
    for name, about, entry, reject in [
        ("by-stranger", "signed by nobody known", beat(key=KEYS["stranger"]), "signer: "),
        ("by-aggregator", "signed by the centre", beat(key=KEYS["aggregator-attest"]), "signer: "),
        ("by-governance", "signed by governance", beat(key=GOVERNANCE), "signer: "),
        ("site-other", "another site's name", beat(claim={**HEARTBEAT_CLAIM, "site": "site-b"}), "signer: "),
        ("sequence-negative", "a negative number", beat(claim={**HEARTBEAT_CLAIM, "sequence": -1}), "statement: "),
        ("claim-unknown-key", "a key that nobody reads", beat(claim={**HEARTBEAT_CLAIM, "plan": PLAN}), "unknown field `plan`"),
        ("altered", "the file is not the one that was signed", {**good, "artifact": good["artifact"] + " "}, "artifact: "),
        ("format-2", "a later format", beat({**HEARTBEAT, "format": 2}), "`format` is 2"),
        ("trailing", "no such file was signed", {**good, "artifact": good["artifact"] + "{}"}, "artifact: "),
        ("no-journal", "no checkpoint", beat({**HEARTBEAT, "journal": []}), "`journal` holds 0 checkpoints"),
        ("journal-twice", "a log twice", beat({**HEARTBEAT, "journal": journal(logs=("ledger", "ledger"))}), "heartbeat: "),
        ("journal-within-block", "a size between blocks", beat({**HEARTBEAT, "journal": short}), "journal: expected a multiple of 1024"),
        ("journal-attest-key", "signed with the attest key", beat({**HEARTBEAT, "journal": journal(key=ATTEST, logs=("ledger",))}), "journal: "),
        ("journal-flipped", "a checkpoint whose size was changed",
         beat({**HEARTBEAT, "journal": [HEARTBEAT["journal"][0].replace("\n1024\n", "\n2048\n")]}), "journal: "),
        ("journal-text", "no signed note", beat({**HEARTBEAT, "journal": ["fed/site-a/1/ledger\n"]}), "journal: "),
        ("journal-origin", "no log of a journal", beat({**HEARTBEAT, "journal": journal(origin="fed/registry", logs=("x",))}), "journal: "),
    ]:
        yield vector(f"heartbeat-{name}", about, "heartbeat", entry, reject)
