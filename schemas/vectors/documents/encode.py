"""Encodings of the specification, written from it and not from the program: postcard, DSSE, signed notes, fixed keys."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


class Key:
    """A test key: its seed is one byte, 32 times. Never use it for anything else."""

    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.spki = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(self.spki).hexdigest()
        self.text = b64(self.spki)

    def sign(self, message):
        return self.private.sign(message)


def b64(data):
    return base64.b64encode(data).decode()


def digest(text):
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def document(value):
    """A document. The program indents what it publishes; no reader asks for that."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"


# DSSE v1.0.2 and in-toto Statement v1.


def pae(payload, payload_type=PAYLOAD_TYPE):
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def statement(claim, files, predicate_type=None, **changes):
    """The payload of an attestation: `claim` is {kind: {...}}, `files` are (name, text)."""
    kind = next(iter(claim))
    named = {"roster": "roster-entry"}.get(kind, kind)
    predicate = {
        "format": 1,
        "federation": "fed",
        "issued_at": "2025-12-01T00:00:00Z",
        "seen": None,
        "claim": claim,
    }
    predicate.update(changes.pop("predicate", {}))
    value = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest(text)}} for name, text in files],
        "predicateType": predicate_type or f"urn:fedaudit:{named}:v1",
        "predicate": predicate,
    }
    value.update(changes)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def seal(payload, *keys, payload_type=PAYLOAD_TYPE):
    """The envelope of a payload, signed by `keys`."""
    body = payload.encode()
    signatures = [{"keyid": key.id, "sig": b64(key.sign(pae(body, payload_type)))} for key in keys]
    envelope = {"payload": b64(body), "payloadType": payload_type, "signatures": signatures}
    return json.dumps(envelope, separators=(",", ":"))


# C2SP signed-note and tlog-checkpoint.


def note_key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n\x01" + key.raw).digest()[:4]


def verifier_key(name, key):
    return f"{name}+{note_key_id(name, key).hex()}+{b64(bytes([1]) + key.raw)}"


def cosigner_key(name, key):
    """A witness's verifier key (tlog-cosignature: type 4)."""
    kind = bytes([4])
    id = hashlib.sha256(name.encode() + b"\n" + kind + key.raw).digest()[:4]
    return f"{name}+{id.hex()}+{b64(kind + key.raw)}"


def checkpoint(origin, size, key, root=None):
    """A signed checkpoint; the root of a log that nobody looks into is any digest."""
    root = root or hashlib.sha256(b"" if size == 0 else origin.encode()).digest()
    text = f"{origin}\n{size}\n{b64(root)}\n"
    signature = note_key_id(origin, key) + key.sign(text.encode())
    return f"{text}\n\u2014 {origin} {b64(signature)}\n"


def with_line(note, origin, key, signature=None):
    """A signed checkpoint with one signature line more, of `key`."""
    text = note.split("\n\n")[0] + "\n"
    data = note_key_id(origin, key) + (signature or key.sign(text.encode()))
    return f"{note}\u2014 {origin} {b64(data)}\n"


# postcard (https://postcard.jamesmunns.com/wire-format).


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def signed(value):
    """i64: zigzag, then varint."""
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def blob(value):
    return varint(len(value)) + value


def string(value):
    return blob(value.encode())


def option(value):
    return b"\0" if value is None else b"\1" + value


def sequence(items):
    items = list(items)
    return varint(len(items)) + b"".join(items)


KEY_USES = ["governance", "attest", "note", "log", "transport"]
BLAMES = ["site", "network", "aggregator", "operator", "input"]


def roster_key(use, key):
    return varint(KEY_USES.index(use)) + (key if isinstance(key, bytes) else key.raw)


def record(kind, body=b"", salt=bytes(range(16)), form=3):
    """A journal record: salt, format, postcard."""
    return salt + bytes([form, kind]) + body


def optional(value, encode=varint):
    return option(None if value is None else encode(value))


def codes(items):
    return sequence(map(varint, items))


def prediction(token, at_ns, version, decision, score_q, attributes, **more):
    """`more`: what most events leave out, by the names of the specification."""
    outputs = sequence(varint(code) + varint(confidence) for code, confidence in more.pop("outputs", []))
    fields = [
        token,
        signed(at_ns),
        varint(version),
        optional(more.pop("caller", None)),
        optional(more.pop("risk_tier", None)),
        varint(more.pop("tier", 0)),
        bytes([decision]),
        optional(score_q),
        optional(more.pop("threshold_q", None)),
        outputs,
        codes(attributes),
        codes(more.pop("features", [])),
        option(more.pop("feature_hmac", None)),
        option(more.pop("subject", None)),
        optional(more.pop("latency_us", None)),
        optional(more.pop("cost_micros", None)),
        optional(more.pop("tokens_in", None)),
        optional(more.pop("tokens_out", None)),
    ]
    assert not more, more
    return b"".join(fields)


def outcome(position, label, at_ns, weight=1, previous=None):
    return varint(position) + varint(label) + signed(at_ns) + varint(weight) + optional(previous)


def frame(body):
    return len(body).to_bytes(4, "big") + body


def token_body(site="site-a", secret=bytes(range(16)), **changes):
    fields = {
        "federation": string("fed"),
        "site": string(site),
        "governance": hashlib.sha256(b"governance").digest(),
        "address": string("audit.example:4433"),
        "transport": hashlib.sha256(b"transport").digest(),
        "expires": signed(1_800_000_000),
        "secret": secret,
    }
    fields.update(changes)
    return b"".join(fields.values())


def token_text(body):
    return "fedaudit-join-1-" + (body + hashlib.sha256(body).digest()[:4]).hex()


def join_bytes(keys, federation="fed", site="site-b"):
    listed = sequence(roster_key(use, key) for use, key in keys)
    return string("fedaudit join v1") + string(federation) + string(site) + listed


def join_request(keys, secret, proofs=None):
    message = join_bytes(keys)
    proofs = proofs or [key.sign(message) for _, key in keys]
    listed = sequence(blob(proof) for proof in proofs)
    mac = hmac.new(secret, blob(message) + listed, hashlib.sha256).digest()
    plain = string("fed") + string("site-b") + sequence(roster_key(use, key) for use, key in keys)
    return plain + listed + mac
