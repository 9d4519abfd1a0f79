"""The vectors of documents, by kind."""

import hashlib
import hmac
from decimal import Decimal

from independent import bundles, governed, parcels, said, wire
from independent.base import Refused, Unjudged, parse, want
from independent.envelopes import Envelope
from independent.registry import Registry

WORLD = {}


def data(source, key):
    return bytes.fromhex(source[f"{key}_hex"]) if f"{key}_hex" in source else source[key].encode()


def begin(world):
    """Trust, and the registry that the other vectors stand on."""
    source = world["input"]
    WORLD["trust"] = governed.trust(data(source, "trust"), "trust")
    WORLD["registry"] = Registry(WORLD["trust"])
    for entry in source["registry"]:
        WORLD["registry"].apply(data(entry, "envelope"), data(entry, "artifact"))



def contract(vector):
    governed.contract(data(vector["input"], "document"), "document")


def plan(vector):
    governed.plan(data(vector["input"], "document"), "document")


def roster_entry(vector):
    governed.roster(data(vector["input"], "document"), "document")


def trust(vector):
    governed.trust(data(vector["input"], "document"), "document")


def envelope(vector):
    """`keys` are seeds of one byte, 32 times."""
    source = vector["input"]
    opened = Envelope(data(source, "envelope"))
    opened.signed([SEEDS[name] for name in source["keys"]], source["threshold"])
    opened.statement()


def public(seed):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw()


SEEDS = {"governance": public(1), "governance-2": public(12)}


def going_on(source):
    registry = WORLD["registry"].copy()
    for entry in source.get("registry", []):
        registry.apply(data(entry, "envelope"), data(entry, "artifact"))
    return registry


def registry_entry(vector):
    source = vector["input"]
    going_on(source).apply(data(source, "envelope"), data(source, "artifact"))


def logged(vector, kind):
    source = vector["input"]
    log = said.Log(going_on(source))
    for before in source.get("after", []):
        log.append(data(before, "envelope"), data(before, "artifact"))
    log.append(data(source, "envelope"), data(source, "artifact"))
    want(log.entries[-1].kind == kind, "statement", f"not a {kind}")


def release(vector):
    logged(vector, "release")
    raise Unjudged


def abstention(vector):
    logged(vector, "abstention")


def dispute(vector):
    logged(vector, "dispute")


def report(vector):
    logged(vector, "report")


def heartbeat(vector):
    source = vector["input"]
    registry = going_on(source)
    one = said.Said(data(source, "envelope"), registry)
    want(one.kind == "heartbeat", "statement", "not a heartbeat")
    said.heartbeat(one, data(source, "artifact"), registry)


def log_entry(vector):
    one = said.Said(data(vector["input"], "envelope"), WORLD["registry"])
    want(one.kind != "heartbeat", "statement", "not in a plan's log")


def bundle(vector):
    bundles.unpack(data(vector["input"], "archive"))


def parcel(vector):
    parcels.read(data(vector["input"], "document"))


def conflict(vector):
    source, code = vector["input"], 0
    try:
        parcels.conflict(data(source, "document"), WORLD["trust"])
    except parcels.Verdict as verdict:
        code, refused = verdict.code, Refused(verdict.check, str(verdict))
    want(code == source["verdict"], "verdict", f"{code}, expected {source['verdict']}")
    if code:
        raise refused


def record(vector):
    wire.record(data(vector["input"], "record"))


def token(vector):
    wire.token(vector["input"]["text"])


def frame(vector):
    wire.frame(data(vector["input"], "frame"), vector["input"]["limit"])


def request(vector):
    wire.request(data(vector["input"], "body"))


def response(vector):
    wire.response(data(vector["input"], "body"))


def join(vector):
    wire.join(data(vector["input"], "request"), data(vector["input"], "secret"))


# Features: schemas/features.md.


def features(vector):
    source = vector["input"]
    listed = governed.contract(data(source, "contract"), "document")["feature"]
    values = parse(data(source, "features"), "document")
    codes = [code(feature, values.get(feature["name"])) for feature in listed]
    want(codes == source["codes"], "document", f"codes {codes}")
    form = b"".join(line(values.get(feature["name"])) for feature in listed)
    want(form == data(source, "canonical"), "document", f"the form is {form}")
    key = data(source, "salt") + data(source, "subject_key")
    mac = hmac.digest(key, hashlib.sha256(form).digest(), "sha256")
    want(mac == data(source, "hmac"), "document", "another HMAC")


def code(feature, value):
    bins, kind = governed.feature_bins(feature), feature["type"]
    if value is None:
        return bins if feature.get("missing") else bins + 1
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "boolean" and isinstance(value, bool):
        return int(value)
    if kind == "text" and isinstance(value, str):
        return 0
    if kind == "category" and value in feature["categories"]:
        return feature["categories"].index(value)
    if kind in ("number", "integer") and number and feature["min"] <= value <= feature["max"]:
        if kind == "number" or value == int(value):
            return sum(edge < value for edge in feature.get("edges", []))
    return bins + 1


def line(value):
    if value is None:
        return b"-\n"
    if isinstance(value, bool):
        return b"b %d\n" % value
    if isinstance(value, str):
        return b"t %d %s\n" % (len(value.encode()), value.encode())
    if value == int(value) and -(2**63) <= value < 2**63:
        return b"i %d\n" % value
    # Python's repr is the shortest decimal that reads back, of several the nearest.
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text = "".join(map(str, digits))
    rest = f".{text[1:]}" if len(text) > 1 else ""
    return f"n {'-' * sign}{text[0]}{rest}e{exponent + len(text) - 1}\n".encode()


CHECKS = (
    contract, plan, roster_entry, trust, envelope, registry_entry, release, abstention, dispute, report, heartbeat,
    log_entry, bundle, parcel, conflict, record, token, frame, request, response, join, features,
)  # fmt: skip
