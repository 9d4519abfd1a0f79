"""Attestations: DSSE v1.0.2, in-toto Statement v1, and what schemas/documents.md says of both."""

import base64
import hashlib
import json

from independent import keys
from independent.base import keep, parse, unbase64, want

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENTRY_BYTES = 65_535
FILES = {
    "contract": ["contract.json"],
    "plan": ["plan.json"],
    "roster": ["roster-entry.json"],
    "waiver": ["waiver.json"],
    "epoch": ["epoch.json"],
    "transport": ["transport-key.json"],
    "release": ["release.json"],
    "abstention": ["abstention.json"],
    "heartbeat": ["heartbeat.json"],
    "dispute": ["dispute.json"],
    "report": ["report.json", "report.html"],
}
TYPES = {"roster": "roster-entry", "transport": "transport-key"}


class Envelope:
    """A DSSE envelope as it came; nothing in it is believed yet."""

    def __init__(self, data):
        want(len(data) <= ENTRY_BYTES, "envelope", "more bytes than an entry has")
        value = parse(data, "envelope")
        shape = isinstance(value, dict) and set(value) == {"payload", "payloadType", "signatures"}
        want(shape and isinstance(value["payload"], str), "envelope", "not a DSSE envelope")
        want(value["payloadType"] == PAYLOAD_TYPE, "envelope", "another payload type")
        want(isinstance(value["signatures"], list), "envelope", "no list of signatures")
        self.data, self.digest = data, hashlib.sha256(data).hexdigest()
        self.payload = unbase64(value["payload"], "envelope", url=True)
        self.signatures = {}
        for signature in value["signatures"]:
            shape = isinstance(signature, dict) and set(signature) == {"keyid", "sig"}
            want(shape and all(isinstance(text, str) for text in signature.values()), "envelope", "not a signature")
            id_ = signature["keyid"]
            want(len(id_) == 64 and set(id_) <= set("0123456789abcdef"), "envelope", "a keyid is 64 hexadecimal digits")
            want(id_ not in self.signatures, "envelope", "a key id stands twice")
            self.signatures[id_] = unbase64(signature["sig"], "envelope", url=True)

    def exact(self):
        """What one party signs has one signature, and its envelope one form."""
        want(len(self.signatures) == 1, "envelope", f"{len(self.signatures)} signatures")
        signatures = [{"keyid": id_, "sig": base64.b64encode(sig).decode()} for id_, sig in self.signatures.items()]
        payload = base64.b64encode(self.payload).decode()
        form = {"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures}
        want(json.dumps(form, separators=(",", ":")).encode() == self.data, "envelope", "not the form that is written")

    def signed_by(self, raw):
        """Whether a key signed; under its id nothing else may stand."""
        signature = self.signatures.get(keys.key_id(raw))
        if signature is None:
            return False
        kind = PAYLOAD_TYPE.encode()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)
        want(keys.verifies(raw, signature, message), "signature", "not a signature of this key")
        return True

    def signed(self, raws, threshold):
        count = sum(self.signed_by(raw) for raw in raws)
        want(count >= threshold, "signer", f"{count} of {threshold} keys signed")

    def statement(self):
        return Statement(self.payload)


class Statement:
    """What a signed payload says."""

    def __init__(self, payload):
        value = parse(payload, "statement")
        want(isinstance(value, dict), "statement", "not a statement")
        predicate = value.get("predicate")
        if isinstance(predicate, dict) and isinstance(predicate.get("format"), int):
            want(predicate["format"] == 1, "version", "another format")
        # A claim that is well-formed and breaks a rule of releases is refused as the release is.
        keep("statement", value, "statement", [("journal", "journal"), ("reason", "release")])
        ((self.kind, self.claim),) = predicate["claim"].items()
        name = TYPES.get(self.kind, self.kind)
        want(value["predicateType"] == f"urn:fedaudit:{name}:v1", "statement", "claim and type differ")
        names = [subject["name"] for subject in value["subject"]]
        want(names == FILES[self.kind], "statement", f"subjects {names}")
        self.digests = [subject["digest"]["sha256"] for subject in value["subject"]]
        self.federation, self.seen, self.issued_at = predicate["federation"], predicate.get("seen"), predicate["issued_at"]

    def of(self, federation):
        want(self.federation == federation, "federation", self.federation)

    def about(self, artifact):
        want([hashlib.sha256(artifact).hexdigest()] == self.digests, "artifact", "not the files that were signed")
