"""The registry: what governance published, in order, and who is who. From schemas/documents.md."""

import copy
import hashlib

from independent import governed, merkle, notes
from independent import keys as ed25519
from independent.base import instant, keep, parse, want
from independent.envelopes import Envelope


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Party:
    """A party as it stands: version and digest of the last that was said, and its keys by use."""

    def __init__(self, version=0, digest=None):
        self.version, self.digest, self.keys = version, digest, {}


class Registry:
    def __init__(self, trust):
        self.trust, self.federation = trust, trust["federation"]
        self.since, self.leaves, self.contracts, self.plans, self.latest = {}, [], {}, {}, {}
        self.parties, self.owners, self.ends, self.waived, self.epochs = {}, {}, {}, set(), {}
        said = trust["governance"]
        self.threshold = said["threshold"]
        self.governance = {ed25519.key_id(raw): raw for raw in (ed25519.spki(key, "trust") for key in said["keys"])}
        self.governance_said = Party()
        self.owners.update(dict.fromkeys(self.governance, "governance"))

    def copy(self):
        return copy.deepcopy(self)

    def origin(self, name):
        return f"{self.federation}/{name}"

    def apply(self, data, artifact):
        """The next entry, or a refusal that changes nothing."""
        envelope = Envelope(data)
        statement = envelope.statement()
        self.signer = "governance"
        if statement.kind == "transport":
            envelope.exact()
            attest = {ed25519.key_id(of.keys["attest"]): name for name, of in self.parties.items() if "attest" in of.keys}
            self.signer = next((attest[id_] for id_ in envelope.signatures if id_ in attest), None)
            want(self.signer, "signer", "no attest key of the roster")
            envelope.signed([self.parties[self.signer].keys["attest"]], 1)
        else:
            envelope.signed(self.governance.values(), self.threshold)
        statement.of(self.federation)
        self.seen(statement.seen)
        statement.about(artifact)
        kinds = ("contract", "plan", "roster", "waiver", "epoch", "transport")
        want(statement.kind in kinds, "registry", f"a {statement.kind} does not belong here")
        getattr(self, statement.kind)(statement.claim, artifact)
        self.leaves.append(merkle.leaf(data))

    def published(self, kind, claim, value, digest):
        name, last = value[kind], self.latest.get((kind, value[kind]))
        want((claim["name"], claim["version"]) == (name, value["version"]), kind, "the claim says otherwise")
        want(claim["replaces"] == (last and last[1]), kind, "it replaces another one")
        want(not last or value["version"] > last[0], kind, "not a later version")
        self.latest[kind, name] = (value["version"], digest)

    def contract(self, claim, artifact):
        value, digest = governed.contract(artifact, "artifact"), sha256(artifact)
        self.published("contract", claim, value, digest)
        self.contracts[digest] = value

    def plan(self, claim, artifact):
        value, digest = governed.plan(artifact, "artifact"), sha256(artifact)
        contract = self.contracts.get(value["contract_digest"])
        want(contract, "contract", "no contract of the registry")
        governed.fits(value, contract, "plan")
        self.published("plan", claim, value, digest)
        self.plans[digest] = value

    def roster(self, claim, artifact):
        value = governed.roster(artifact, "artifact")
        party = value["party"]
        name = party if isinstance(party, str) else party["site"]
        before = self.governance_said if name == "governance" else self.parties.get(name, Party())
        version = value.get("version", 1)
        want(version == before.version + 1, "roster", f"version {before.version + 1} is next")
        said = (claim["name"], claim["version"], claim["replaces"])
        want(said == (name, version, before.digest), "roster", "the claim says otherwise")
        listed = [(key["use"], ed25519.spki(key["key"], "artifact")) for key in value["keys"]]
        ended = {end["key"]: end for end in value.get("ended", [])}
        held = {ed25519.key_id(raw): raw for raw in before.keys.values()}
        if name == "governance":
            # Those of trust.json sign no more, without an end, where version 1 does not list them.
            held = self.governance if before.version else {}
        stay = {ed25519.key_id(raw) for _, raw in listed} & set(held)
        want(set(held) == stay | set(ended), "roster", "each key before stays or has ended")
        for use, raw in listed:
            id_ = ed25519.key_id(raw)
            owner = self.owners.get(id_, name)
            want(owner == name and id_ not in self.ends, "roster", "a key that another party has, or that has ended")
            want(name == "governance" or id_ not in stay or before.keys.get(use) == raw, "roster", "another use")
        if name == "aggregator" and before.version == 0:
            log = notes.Verifier(self.trust["registry"]).raw
            want(log == dict(listed)["log"], "roster", "not the registry's key")
        self.take(name, listed, ended, held, Party(version, sha256(artifact)), value)

    def take(self, name, listed, ended, held, party, value):
        for use, raw in listed:
            self.owners[ed25519.key_id(raw)] = name
            self.since.setdefault(ed25519.key_id(raw), len(self.leaves))
        for id_, end in ended.items():
            self.ends[id_] = {
                "raw": held[id_],
                "why": end["why"],
                "logs": {log["origin"]: log["size"] for log in end.get("logs", [])},
                "last": {last["plan"]: last["sequence"] for last in end.get("last", [])},
            }
        if name == "governance":
            self.governance = {ed25519.key_id(raw): raw for _, raw in listed}
            self.threshold, self.governance_said = value["threshold"], party
            return
        party.keys = dict(listed)
        self.parties[name] = party

    def transport(self, claim, artifact):
        value = parse(artifact, "artifact")
        keep("transport-key", value, "artifact")
        raw = ed25519.spki(value["key"], "artifact")
        name, id_ = value["site"], ed25519.key_id(raw)
        want(name == self.signer, "signer", f"signed by {self.signer}")
        site = self.parties[name]
        said = (claim["name"], claim["version"], claim["replaces"])
        want(said == (name, site.version + 1, site.digest), "roster", "the claim says otherwise")
        want(id_ not in self.owners, "roster", "a key that somebody has or had")
        before = site.keys["transport"]
        self.owners[id_] = name
        self.ends[ed25519.key_id(before)] = {"raw": before, "why": "rotated", "logs": {}, "last": {}}
        site.keys["transport"], site.version, site.digest = raw, site.version + 1, sha256(artifact)

    def waiver(self, claim, artifact):
        value = parse(artifact, "artifact")
        keep("waiver", value, "artifact")
        listed = [span(window, "artifact") for window in value["windows"]]
        want(listed == sorted(set(listed)), "artifact", "windows ascend")
        said = (claim["name"], claim["version"], claim["replaces"])
        want(said == (value["site"], 1, None), "waiver", "the claim says otherwise")
        plan = self.plans.get(value["plan"])
        want(plan, "plan", "no plan of the registry")
        want(value["site"] in plan["required_sites"], "waiver", "the plan does not require it")
        want(set(listed) <= set(governed.windows(plan, "plan")), "window", "not windows of the plan")
        waived = {(value["plan"], value["site"], window) for window in listed}
        want(not waived & self.waived, "waiver", "waived already")
        self.waived |= waived

    def epoch(self, claim, artifact):
        value = parse(artifact, "artifact")
        keep("epoch", value, "artifact")
        logs = [kept["log"] for kept in value["kept"]]
        want(logs == sorted(set(logs)), "artifact", "logs ascend")
        name, begun = value["site"], self.epochs.get(value["site"], [])
        want(name in self.parties and name != "aggregator", "signer", "no such site")
        want(value["epoch"] == len(begun) + 2, "epoch", "not the next one")
        said = (claim["name"], claim["version"], claim["replaces"])
        want(said == (name, value["epoch"], None), "epoch", "the claim says otherwise")
        self.epochs.setdefault(name, []).append(len(self.leaves))

    # What others' documents are held against.

    def seen(self, seen, key=None):
        """A checkpoint of this very registry, not older than the entry that names the signer's key; governance may name none."""
        if seen is None and key is None:
            return
        want(seen, "seen", "none is named")
        want(seen["origin"] == self.origin("registry"), "seen", "another log")
        want(seen["size"] <= len(self.leaves), "missing", "a larger registry")
        want(merkle.root(self.leaves[: seen["size"]]).hex() == seen["root"], "seen", "another registry")
        want(key is None or seen["size"] > self.since[key], "seen", "older than the signer's key")

    def epoch_of(self, site, seen):
        """The epoch of a site's journal, as far as somebody had read who saw that much."""
        return 1 + sum(index < seen["size"] for index in self.epochs.get(site, []))

    def held(self, use, name):
        """All keys that a party has or had for a use, with how they ended. The use of an ended key is any."""
        party = self.parties.get(name)
        present = {ed25519.key_id(party.keys[use]): None} if party and use in party.keys else {}
        past = {id_: end for id_, end in self.ends.items() if self.owners.get(id_) == name}
        return {**present, **past}

    def raw(self, id_):
        for party in self.parties.values():
            for raw in party.keys.values():
                if ed25519.key_id(raw) == id_:
                    return raw
        return self.ends[id_]["raw"]


def span(window, code):
    found = instant(window["start"], code), instant(window["end"], code)
    want(found[0] < found[1], code, "a window ends behind its start")
    return found
