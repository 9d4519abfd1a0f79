"""What sites and the aggregator say in logs: each document by itself, then its place behind those before it."""

from independent import governed, notes, releases
from independent import keys as ed25519
from independent.base import Refused, keep, parse, want
from independent.envelopes import Envelope
from independent.registry import span

BLOCK = 1024
SITES = ("release", "abstention", "dispute", "heartbeat")


class Said:
    """A signed document: who signed it under which key, and what it claims."""

    def __init__(self, data, registry):
        self.envelope = Envelope(data)
        self.envelope.exact()
        known = [name for name in registry.parties if self.named(registry, name)]
        want(known, "signer", "no attest key of the roster")
        (self.party,) = known
        self.key = self.named(registry, self.party)[0]
        # And those of its journal's checkpoints, once they are read.
        self.keys = [self.key]
        want(self.envelope.signed_by(registry.raw(self.key)), "signer", "not signed")
        statement = self.statement = self.envelope.statement()
        statement.of(registry.federation)
        self.kind, self.claim = statement.kind, statement.claim
        want(self.kind in (*SITES, "report"), "statement", f"a {self.kind} stands in no such log")
        signer = self.claim["site"] if self.kind in SITES else "aggregator"
        want(self.party == signer, "signer", f"signed by {self.party}")
        registry.seen(statement.seen, self.key)

    def named(self, registry, party):
        return [id_ for id_ in registry.held("attest", party) if id_ in self.envelope.signatures]

    def held(self, registry, key, origin, index):
        """Whether a key held where this stands."""
        end = registry.ends.get(key)
        number = end and end["last"].get(self.claim.get("plan"), -1)
        good = end is None or index < end["logs"].get(origin, 0) or self.claim.get("sequence", 2**63) <= number
        want(good, "key", "the key had ended")

    def journal(self, notes_, logs, registry, epoch):
        """Signed checkpoints of the site's journal."""
        prefix = registry.origin(f"{self.party}/{epoch}")
        keys = [registry.raw(id_) for id_ in registry.held("note", self.party)]
        found = {}
        for note in notes_:
            origin = note.split("\n")[0]
            want(origin.startswith(f"{prefix}/"), "journal", "another journal")
            try:
                size, root, raw = any_of(note, [notes.of_key(origin, raw) for raw in keys])
            except Refused as refused:
                raise Refused("journal", str(refused)) from refused
            want(size % BLOCK == 0, "journal", "not a block boundary")
            found[origin] = (size, root)
            self.keys.append(ed25519.key_id(raw))
        want(logs is None or list(found) == [f"{prefix}/{log}" for log in logs], "journal", "other logs")
        return found


def any_of(note, verifiers):
    want(len(notes.split(note)[1]) == 1, "journal", "not one signature line")
    text, (verifier,) = notes.opened(note, verifiers)
    origin, size, root = notes.checkpoint(text)
    want(origin == verifiers[0].name, "origin", origin)
    return size, root, verifier.raw


def document(said, name, artifact):
    """The artifact, if it says what the claim says."""
    said.statement.about(artifact)
    value = parse(artifact, name)
    keep(name, value, name)
    for key in {"site", "plan", "window", "epoch"} & set(value) & set(said.claim):
        want(value[key] == said.claim[key], name, f"`{key}` is not the claim's")
    return value


def plan_of(said, registry):
    plan = registry.plans.get(said.claim["plan"])
    want(plan, "plan", "no plan of the registry")
    return plan


def in_plan(window, plan):
    want(span(window, "window") in governed.windows(plan, "plan"), "window", "not a window of the plan")


def release(said, artifact, registry):
    said.statement.about(artifact)
    plan = plan_of(said, registry)
    want(said.claim["contract"] == plan["contract_digest"], "contract", "another contract")
    contract = registry.contracts[said.claim["contract"]]
    in_plan(said.claim["window"], plan)
    epoch = registry.epoch_of(said.party, said.statement.seen)
    want(said.claim["epoch"] == epoch, "epoch", f"the journal was in epoch {epoch}")
    name = f"{contract['contract']}/{contract['version']}"
    logs = [f"predictions/{name}", f"outcomes/{name}"]
    said.checkpoints = said.journal(said.claim["journal"], logs, registry, epoch)
    value = parse(artifact, "release")
    releases.check(value, plan, contract)
    for key in ("site", "plan", "window"):
        want(value[key] == said.claim[key], "release", f"`{key}` is not the claim's")


def abstention(said, artifact, registry):
    in_plan(said.claim["window"], plan_of(said, registry))
    document(said, "abstention", artifact)


def dispute(said, artifact, registry):
    plan = plan_of(said, registry)
    value = said.value = document(said, "dispute", artifact)
    in_plan(value["window"], plan)
    log = registry.parties["aggregator"].keys["log"]
    verifier = notes.of_key(registry.origin(f"plan/{said.claim['plan']}"), log)
    try:
        said.index, _, note = notes.proof(value["receipt"])
        notes.signed_checkpoint(note, verifier)
    except Refused as refused:
        raise Refused("dispute", str(refused)) from refused


def report(said, _, registry):
    listed = [span(window, "window") for window in said.claim["windows"]]
    found = governed.windows(plan_of(said, registry), "plan")
    first = found.index(listed[0]) if listed[0] in found else len(found)
    want(found[first : first + len(listed)] == listed, "window", "not consecutive windows of the plan")


def heartbeat(said, artifact, registry):
    value = document(said, "heartbeat", artifact)
    origins = [note.split("\n")[0] for note in value["journal"]]
    want(origins == sorted(set(origins)), "heartbeat", "logs ascend")
    epoch = registry.epoch_of(said.party, said.statement.seen)
    want(value["epoch"] == epoch, "epoch", f"the journal was in epoch {epoch}")
    said.checkpoints = said.journal(value["journal"], None, registry, epoch)


CHECKS = {check.__name__: check for check in (release, abstention, dispute, report, heartbeat)}


class Log:
    """A plan's log: what its order asks for."""

    def __init__(self, registry):
        self.registry, self.entries, self.reports = registry, [], []

    def append(self, data, artifact):
        said = Said(data, self.registry)
        CHECKS[said.kind](said, artifact, self.registry)
        plan = said.claim["plan"]
        said.held(self.registry, said.key, self.registry.origin(f"plan/{plan}"), len(self.entries))
        mine = [e for e in self.entries if e.claim["plan"] == plan]
        if said.kind == "report":
            self.number(said, [e for e in mine if e.kind == "report"])
        else:
            self.order(said, [e for e in mine if e.kind != "report" and e.party == said.party])
        self.entries.append(said)

    def number(self, said, reports):
        before = [e for e in reports if e.claim["windows"] == said.claim["windows"]]
        wanted = len(before), before[-1].envelope.digest if before else None
        want((said.claim["number"], said.claim.get("supersedes")) == wanted, "report-number", f"{wanted} is next")

    def order(self, said, before):
        if said.kind != "dispute":
            self.window(said, before)
        want(said.claim["sequence"] == len(before), "sequence", f"{len(before)} is next")
        previous = before[-1].envelope.digest if before else None
        want(said.claim["previous"] == previous, "previous", f"{previous} is before it")
        if said.kind == "dispute":
            self.disputed(said)

    def window(self, said, before):
        window = [e for e in before if e.kind != "dispute" and e.claim["window"] == said.claim["window"]]
        released = [e for e in window if e.kind == "release"]
        if said.kind == "abstention":
            want(not window, "window", "it has a release or an abstention")
            return
        amends = said.claim["amends"] and said.claim["amends"]["envelope"]
        private = "privacy" in self.registry.plans[said.claim["plan"]]["disclosure"]
        want(not (private and (amends or released)), "noise", "a window is released once")
        want(amends == (released[-1].envelope.digest if released else None), "window", "it amends the latest one")
        for earlier in before:
            for origin, (size, root) in getattr(earlier, "checkpoints", {}).items():
                now = said.checkpoints.get(origin)
                want(now is None or now[0] != size or now[1] == root, "journal", "two histories")

    def disputed(self, said):
        value, entries = said.value, self.entries
        at = [i for i, e in enumerate(entries) if e.kind == "report" and e.envelope.digest == value["report"]]
        want(at, "dispute", "no report of this log")
        about = entries[said.index] if said.index < at[0] else None
        good = about and about.kind in ("release", "abstention") and about.party == said.party
        want(good and about.envelope.digest == value["release"], "dispute", "no document of the site before the report")
        want(about.claim["window"] == value["window"], "dispute", "another window")
        again = [e for e in entries if e.kind == "dispute" and
                 (e.value["report"], e.value["release"]) == (value["report"], value["release"])]
        want(not again, "dispute", "one for both")
