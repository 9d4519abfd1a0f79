"""Vectors of bytes: journal records, join tokens, frames, requests, responses, join requests."""

import hashlib

from encode import (
    BLAMES,
    Key,
    blob,
    checkpoint,
    frame,
    join_request,
    option,
    outcome,
    prediction,
    record,
    roster_key,
    sequence,
    signed,
    string,
    token_body,
    token_text,
    varint,
)
from world import KEYS, vector

PAD, PREDICTION, OUTCOME, LEDGER, TALLY = range(5)
JOIN, HELLO, REGISTRY, SUBMIT, REPORTS, HEARTBEAT, MINE, TRANSPORT = range(8)
JOINED, WELCOME, PART, RECEIPT, REFUSED, REPORTED, FOUND, PUBLISHED = range(8)
SECRET = bytes(range(16))
SITE_B = [(use, KEYS[f"site-b-{use}"]) for use in ["attest", "note", "transport"]]
ABSENT = 255
TOKEN = bytes.fromhex("f0e1d2c3b4a5968778695a4b3c2d1e0f")
NOON = 1_767_268_800_000_000_000  # 2026-01-01T12:00:00Z

FULL = {
    "caller": 3,
    "risk_tier": 4,
    "tier": 1,
    "threshold_q": 1 << 31,
    "outputs": [(5, 3 << 30), (6, 1 << 30)],
    "features": [1, 0, 300],
    "feature_hmac": hashlib.sha256(b"hmac").digest(),
    "subject": bytes(range(16, 32)),
    "latency_us": 12_500,
    "cost_micros": 300,
    "tokens_in": 512,
    "tokens_out": 64,
}
TALLIES = [
    "paired",
    "request-only",
    "response-only",
    "conflicting",
    "sampled",
    "duplicate",
    "late",
    "out-of-order",
    "missing-sequence",
    "outcome-without-event",
    "changed-outcome",
    "refused",
    "silent-source",
]


def vectors():
    yield from records()
    yield from tokens()
    yield from frames()
    yield from requests()
    yield from responses()
    yield from joins()


def records():
    def case(name, about, data, reject=None):
        return vector(f"record-{name}", about, "record", {"record_hex": data.hex()}, reject)

    event = prediction(TOKEN, NOON, 0, 1, 3 << 30, [0, 3], **FULL)
    good = record(PREDICTION, event)
    yield case("prediction", "an event of which everything is known", good)
    yield case("prediction-bare", "an event of a file: score and attributes",
               record(PREDICTION, prediction(TOKEN, NOON, 0, 1, 3 << 30, [0, 3])))
    yield case("prediction-plain", "no decision, no score, no attributes",
               record(PREDICTION, prediction(TOKEN, NOON, 300, ABSENT, None, [])))
    yield case("prediction-class", "the eighth of several classes",
               record(PREDICTION, prediction(TOKEN, NOON, 0, 7, None, [0])))
    yield case("pad", "fills a block", record(PAD))
    yield case("outcome", "a label of prediction 7", record(OUTCOME, outcome(7, 1, NOON)))
    yield case("outcome-value", "a true value at the end of the range", record(OUTCOME, outcome(7, 1 << 32, NOON)))
    yield case("outcome-1969", "before 1970", record(OUTCOME, outcome(0, 0, -1)))
    yield case("outcome-changed", "a label that changes an earlier one and stands for 40 events",
               record(OUTCOME, outcome(7, 0, NOON, 40, 300)))
    for number, kind in enumerate(TALLIES):
        change = -1 if number % 2 else 1000
        yield case(f"tally-{kind}", f"tally {number}", record(TALLY, signed(NOON) + varint(number) + signed(change)))
    tally = signed(NOON) + varint(len(TALLIES)) + signed(1)
    yield case("tally-later", "a count of a later version", record(TALLY, tally), "malformed: ")
    digest = hashlib.sha256(b"x").digest()
    window = signed(NOON) + signed(NOON + 3_600_000_000_000)
    entries = [
        ("genesis", string("fed") + string("site-a") + varint(1)),
        ("model-version", varint(0) + string("scorecard") + string("v1") + option(digest) + option(None)),
        ("import", digest + b"".join(map(varint, [1000, 900, 3, 2]))),
        ("accepted", digest + b"\1" + string("steward-1") + signed(NOON)),
        ("refused", digest + string("k is below this site's floor") + string("steward-1") + signed(NOON)),
        ("released", digest + window + varint(0) + digest + TOKEN),
        ("abstained", digest + window + varint(0) + digest),
        ("withdrawn", digest + window + string("steward-1") + signed(NOON)),
        ("term", varint(3) + string("branch 12")),
        ("sampling", varint(1) + varint(20) + digest),
        ("gap", varint(3) + varint(1000) + varint(1009)),
        ("sealed", varint(1) + sequence([string("ledger") + varint(2048) + digest])),
        ("archived", varint(1) + sequence([string("model=scorecard/date=2026-01-01/1.parquet") + digest])),
        ("deleted", varint(1) + b"\0"),
        ("held", string("court order")),
        ("hold-lifted", string("case closed")),
        ("erased", signed(NOON) + varint(3)),
        ("drafted", digest + window + digest + varint(1500) + varint(0) + varint(1) + varint(2) + option(None) + signed(NOON)),
        ("approved", digest + window + digest + varint(2) + string("steward-1") + signed(NOON)),
        ("declined", digest + window + digest + string("one group is one ward") + string("steward-1") + signed(NOON)),
        ("dropped", digest + window + digest + string("its k is 5; this site's k_floor is 10") + signed(NOON)),
        ("reviewed", digest + window + string("steward-1") + signed(NOON)),
        ("policy", varint(10) + sequence([string("postcode")]) + varint(2) + option(string("4") + string("0.000001") + varint(365)) + signed(NOON)),
        ("noise-key", digest),
        ("spent", digest + window + string("scorecard") + b"\0" + string("0.5") + varint(7) + sequence([signed(3), signed(-12), signed(0)])),
        ("hid", digest + sequence([b"".join(map(varint, [0, 1, 3, 0])), b"".join(map(varint, [0, 1, 5, 1]))])),
        ("abstains", digest + window + string("steward-1") + signed(NOON)),
        ("disputed", digest + window + varint(6) + digest),
        ("epoch", varint(2) + digest + sequence([string("ledger") + varint(40)])),
        ("lost", digest),
    ]
    for number, (name, body) in enumerate(entries):
        yield case(f"ledger-{name}", f"ledger entry {number}", record(LEDGER, bytes([number]) + body))
    yield case("format-0", "format 0", record(PREDICTION, event, form=0), "record format 0; this program knows 3")
    yield case("format-2", "an earlier format", record(PREDICTION, event, form=2), "record format 2; this program knows 3")
    yield case("format-4", "a later format", record(PREDICTION, event, form=4), "record format 4; this program knows 3")
    yield case("trailing", "a byte after the record", good + b"\0", "malformed: 1 bytes after the end")
    yield case("cut", "the last byte is missing", good[:-1], "malformed: ")
    yield case("salt-only", "nothing after the salt", good[:16], "a record of 16 bytes")
    yield case("empty", "nothing", b"", "a record of 0 bytes")
    yield case("kind-5", "a kind of a later version", record(5), "malformed: ")
    yield case("kind-long", "the kind as an over-long integer", good[:17] + b"\x81\x00" + good[18:],
               "malformed: not the canonical encoding")
    long_position = record(OUTCOME, b"\x87\x00" + outcome(7, 1, NOON)[1:])
    yield case("position-long", "a position as an over-long integer", long_position, "malformed: not the canonical encoding")
    yield case("option-2", "an option that is neither there nor absent",
               record(PREDICTION, event.replace(b"\1\1" + varint(3 << 30), b"\1\2" + varint(3 << 30))), "malformed: ")
    amends = option(digest + string("late labels"))
    yield case("ledger-drafted-amends", "a draft that would replace a release",
               record(LEDGER, b"\x11" + digest + window + digest + varint(1500) + varint(900) + varint(1) + varint(2) + amends + signed(NOON)))
    yield case("ledger-accepted-2", "a plan that is neither reviewed nor not",
               record(LEDGER, b"\3" + digest + b"\2" + string("steward-1") + signed(NOON)), "malformed: ")
    yield case("ledger-spent-number", "what it costs as a number",
               record(LEDGER, b"\x18" + digest + window + string("scorecard") + b"\0" + varint(1) + varint(7) + sequence([])), "malformed: ")
    yield case("ledger-hid-4", "a rule of a later version",
               record(LEDGER, b"\x19" + digest + sequence([b"".join(map(varint, [0, 1, 3, 4]))])), "malformed: ")
    yield case("ledger-kind-30", "a ledger entry of a later version", record(LEDGER, b"\x1e"), "malformed: ")
    yield case("ledger-epoch-cut", "a log without its size", record(LEDGER, b"\x1c" + varint(2) + digest + sequence([string("ledger")])), "malformed: ")
    yield case("ledger-epoch-wide", "more epochs than 32 bits", record(LEDGER, b"\x1c" + varint(1 << 32) + digest + sequence([])), "malformed: ")
    yield case("ledger-lost-short", "31 bytes", record(LEDGER, b"\x1d" + digest[:31]), "malformed: ")
    yield case("name", "a name that is none", record(LEDGER, b"\0" + string("Fed") + string("a") + b"\1"), "malformed: ")


def tokens():
    def case(name, about, text, reject=None):
        return vector(f"token-{name}", about, "token", {"text": text}, reject)

    body = token_body()
    good = token_text(body)
    yield case("good", "as given out", good)
    yield case("spaces", "copied with a line end", f" {good}\n")
    yield case("prefix", "another version", good.replace("-1-", "-2-", 1), "a join token begins with fedaudit-join-1-")
    yield case("uppercase", "hexadecimal is lowercase", good[:16] + good[16:].upper(), "hexadecimal after its prefix")
    yield case("odd", "half a byte is missing", good[:-1], "hexadecimal after its prefix")
    yield case("cut", "the last byte is missing", good[:-2], "its checksum does not match")
    yield case("mistyped", "one digit", good[:40] + ("0" if good[40] != "0" else "1") + good[41:], "its checksum does not match")
    yield case("empty", "nothing but the prefix", "fedaudit-join-1-", "the join token is cut short")
    yield case("trailing", "a byte after the token", token_text(body + b"\0"), "malformed: 1 bytes after the end")
    yield case("site", "a name that is none", token_text(token_body(site="Site A")), "malformed: ")
    yield case("secret-short", "15 bytes of secret", token_text(body[:-1]), "malformed: ")
    late = b"\x80" + signed(1_800_000_000)
    yield case("expiry-long", "over-long", token_text(token_body(expires=signed(64)[:-1] + b"\x81\x00")), "canonical")
    yield case("expiry-cut", "an integer that does not end", token_text(token_body(expires=late * 3)), "malformed: ")


def frames():
    def case(name, about, data, limit, reject=None):
        return vector(f"frame-{name}", about, "frame", {"frame_hex": data.hex(), "limit": limit}, reject)

    good = frame(varint(REGISTRY) + varint(300))
    yield case("good", "a request for registry entries", good, 16_384)
    yield case("empty", "a frame without a body", frame(b""), 16)
    yield case("exact", "as long as allowed", frame(bytes(16)), 16)
    yield case("large", "longer than allowed", frame(bytes(17)), 16, "of which 16 are allowed")
    yield case("announced", "announces 4 GiB", b"\xff" * 4, 8_519_678, "4294967295 bytes")
    yield case("cut", "the last byte is missing", good[:-1], 16_384, "cut off")
    yield case("header-cut", "three bytes", good[:3], 16_384, "cut off")
    yield case("trailing", "a byte after the frame", good + b"\0", 16_384, "bytes follow the frame")
    yield case("nothing", "no bytes", b"", 16_384, "cut off")
    yield case("header-only", "a length and nothing behind it", good[:4], 16_384, "cut off")
    yield case("limit-zero", "no byte is allowed", frame(b"x"), 0, "of which 0 are allowed")
    yield case("two", "two frames", good + good, 16_384, "bytes follow the frame")
    yield case("unknown-peer", "a byte more than a stranger may send", (16_385).to_bytes(4, "big"), 16_384, "16385 bytes")
    yield case("little-endian", "the length the wrong way round", good[3::-1] + good[4:], 16_384, "of which 16384 are allowed")


def hello(protocol=1):
    note = checkpoint("fed/registry", 4, KEYS["aggregator-log"])
    return varint(protocol) + string("site-a") + string("vectors 1") + sequence([string(note)])


def submission():
    proof = string("fed/site-a/1/predictions/loan/1") + varint(1024) + varint(2048) + sequence([bytes(32)])
    return blob(b"{}") + blob(b"[]") + sequence([proof]) + varint(3)


def requests():
    def case(name, about, body, reject=None):
        return vector(f"request-{name}", about, "request", {"body_hex": body.hex()}, reject)

    yield case("join", "an agent asks to be enrolled", varint(JOIN) + join_request(SITE_B, SECRET))
    yield case("hello", "first on every connection", varint(HELLO) + hello())
    yield case("hello-later", "a later protocol is read and answered, not malformed", varint(HELLO) + hello(2))
    yield case("registry", "entries from 300 on", varint(REGISTRY) + varint(300))
    yield case("submit", "a release", varint(SUBMIT) + submission())
    yield case("empty", "nothing", b"", "malformed: ")
    yield case("unknown", "a request of a later version", b"\x63", "malformed: ")
    yield case("heartbeat", "where the journal stands", varint(HEARTBEAT) + submission())
    yield case("heartbeat-cut", "without the size seen", varint(HEARTBEAT) + submission()[:-1], "malformed: ")
    known = bytes(32) + varint(4) + varint(9)
    yield case("mine", "what the aggregator has of this site", varint(MINE) + sequence([known]) + varint(2) + varint(5))
    yield case("mine-none", "of no plan", varint(MINE) + sequence([]) + varint(0) + varint(0))
    yield case("mine-cut", "heartbeats without the size seen", varint(MINE) + sequence([known]) + varint(2), "malformed: ")
    yield case("mine-digest", "a plan of 31 bytes", varint(MINE) + sequence([known[1:]]) + varint(2) + varint(5), "malformed: ")
    yield case("transport", "the next transport key", varint(TRANSPORT) + blob(b"{}") + blob(b"{}"))
    yield case("transport-bare", "without its file", varint(TRANSPORT) + blob(b"{}"), "malformed: ")
    yield case("transport-length", "a file longer than the frame", varint(TRANSPORT) + blob(b"{}") + varint(1 << 40), "malformed: ")
    yield case("use", "a use of a later version", varint(JOIN) + string("fed") + string("site-b") + sequence([varint(5) + bytes(32)])
               + sequence([]) + bytes(32), "malformed: ")
    yield case("protocol-wide", "a version beyond 32 bits", varint(HELLO) + varint(1 << 32) + hello()[1:], "malformed: ")
    yield case("reports", "reports from entry 7 of a plan's log on", varint(REPORTS) + bytes(32) + varint(7) + varint(300))
    yield case("reports-cut", "without the size seen", varint(REPORTS) + bytes(32) + varint(7), "malformed: ")
    yield case("trailing", "a byte after the request", varint(REGISTRY) + b"\0\0", "malformed: 1 bytes after the end")
    yield case("cut", "the last byte is missing", (varint(HELLO) + hello())[:-1], "malformed: ")
    yield case("kind-long", "the kind as an over-long integer", b"\x82\0\0", "malformed: not the canonical encoding")
    yield case("index-long", "300 in three bytes", b"\2\xac\x82\0", "malformed: not the canonical encoding")
    yield case("index-wide", "more than 64 bits", b"\2" + b"\xff" * 9 + b"\2", "malformed: ")
    yield case("site", "a name that is none", (varint(HELLO) + hello()).replace(b"site-a", b"Site-A", 1), "malformed: ")
    yield case("utf-8", "a text that is none", (varint(HELLO) + hello()).replace(b"vectors", b"vect\xffrs", 1), "malformed: ")
    yield case("length", "more keys announced than there are", b"\0" + string("fed") + string("site-b") + b"\xff\xff\3", "malformed: ")
    weak = varint(JOIN) + string("fed") + string("site-b") + sequence([roster_key("attest", b"\1" + bytes(31))])
    yield case("weak-key", "a point of small order", weak + sequence([]) + bytes(32), "malformed: ")


def responses():
    def case(name, about, body, reject=None):
        return vector(f"response-{name}", about, "response", {"body_hex": body.hex()}, reject)

    registry = string(checkpoint("fed/registry", 4, KEYS["aggregator-log"]))
    welcome = varint(1) + string("vectors 1") + registry + sequence([])
    refusal = string("window") + string("a window of plan parity") + string("another")
    refused = varint(BLAMES.index("site")) + refusal + string("ask the site's operator")
    yield case("joined", "the request is kept", varint(JOINED) + blob(b"{}"))
    yield case("hello", "the link is up", varint(WELCOME) + welcome)
    yield case("registry", "two entries from 2 on", varint(PART) + registry + varint(2) + sequence(
        [blob(b"{}") + blob(b"a"), blob(b"{}") + blob(b"b")]))
    yield case("receipt", "a proof, and no consistency to show", varint(RECEIPT) + string("c2sp.org/tlog-proof@v1\n") + sequence([]))
    yield case("refused", "a release outside the plan", varint(REFUSED) + refused)
    yield case("blame", "a blame of a later version", varint(REFUSED) + b"\5" + refused[1:], "malformed: ")
    yield case("trailing", "a byte after the response", varint(JOINED) + blob(b"{}") + b"\0", "malformed: 1 bytes after the end")
    yield case("unknown", "a response of a later version", b"\x63", "malformed: ")
    logged = blob(b"{}") + blob(b"a") + string("c2sp.org/tlog-proof@v1\n") + sequence([bytes(32)])
    yield case("mine", "a document of the site", varint(FOUND) + b"\1" + option(bytes(32)) + logged)
    yield case("mine-heartbeat", "a heartbeat, which is of no plan", varint(FOUND) + b"\1" + option(None) + logged)
    yield case("mine-none", "it has them all", varint(FOUND) + b"\0")
    yield case("mine-cut", "without consistency", varint(FOUND) + b"\1" + option(None) + logged[:-33], "malformed: ")
    yield case("mine-option", "neither there nor absent", varint(FOUND) + b"\2", "malformed: ")
    yield case("published", "it stands in the registry", varint(PUBLISHED) + varint(300))
    yield case("published-long", "300 in three bytes", varint(PUBLISHED) + b"\xac\x82\0", "malformed: not the canonical encoding")
    yield case("published-bare", "at no index", varint(PUBLISHED), "malformed: ")
    yield case("receipt-cut", "a digest cut short", varint(RECEIPT) + string("") + sequence([bytes(32)])[:-1], "malformed: ")
    yield case("registry-count", "more entries announced than there are", varint(PART) + registry + varint(2) + varint(3), "malformed: ")
    yield case("reported", "a report", varint(REPORTED) + b"\1" + blob(b"{}") + blob(b"{}")
               + string("c2sp.org/tlog-proof@v1\n") + sequence([]))
    yield case("reported-none", "there are no more", varint(REPORTED) + b"\0")
    yield case("option", "a hash of 31 bytes", varint(RECEIPT) + string("") + sequence([bytes(31)]), "malformed: ")


def joins():
    """The aggregator checks possession; governance, who made the token, the secret."""

    def case(name, about, body, reject=None, secret=SECRET):
        source = {"request_hex": body.hex(), "secret_hex": secret.hex()}
        return vector(f"join-{name}", about, "join", source, reject)

    good = join_request(SITE_B, SECRET)
    yield case("good", "all keys signed, under the token's secret", good)
    yield case("other-secret", "whoever made it did not hold the token", good, "secret: ", bytes(16))
    yield case("other-mac", "one bit of the HMAC", good[:-1] + bytes([good[-1] ^ 1]), "secret: ")
    yield case("other-site", "another name after signing", good.replace(b"site-b", b"site-c", 1), "possession: ")
    strange = [(SITE_B[0][0], Key(99)), *SITE_B[1:]]
    stolen = join_request(strange, SECRET).replace(Key(99).raw, KEYS["site-a-attest"].raw)
    yield case("stolen-key", "a key that somebody else holds", stolen, "possession: ")
    few = join_request(SITE_B, SECRET, [KEYS["site-b-attest"].sign(b"")])
    yield case("one-proof", "a proof for one key of three", few, "possession: expected a signature by each key, found 1 for 3")
    wrong = join_request(SITE_B, SECRET, [key.sign(b"something else") for _, key in SITE_B])
    yield case("other-message", "signatures over something else", wrong, "possession: ")
