"""Makes the vectors of this folder: cosignatures of witnesses (C2SP tlog-cosignature) and requests to them (tlog-witness).

Shares no code with the program. Keys are seeds of one byte, 32 times; they must never sign anything else.

    python generate.py FOLDER
"""

import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FOLDER = Path(sys.argv[1])
ROOT = hashlib.sha256(b"\x00entry").digest()


def b64(data):
    return base64.b64encode(data).decode()


class Key:
    def __init__(self, name, seed, kind=4):
        self.name, self.kind = name, kind
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def id(self):
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def vkey(self, id=None, kind=None, public=None):
        data = bytes([self.kind if kind is None else kind]) + (self.public if public is None else public)
        return f"{self.name}+{(id or self.id()).hex()}+{b64(data)}"

    def line(self, data, name=None, id=None):
        return f"\u2014 {name or self.name} {b64((id or self.id()) + data)}\n"

    def sign(self, text):
        return self.line(self.private.sign(text.encode()))

    def cosign(self, text, time, said=None, header="cosignature/v1", digits=None, name=None, id=None):
        message = f"{header}\ntime {digits or time}\n{text}".encode()
        return self.line(struct.pack(">Q", time if said is None else said) + self.private.sign(message), name, id)


LOG = Key("fed.example/registry", 1, kind=1)
W1, W2, W3 = Key("witness.example/w1", 2), Key("witness.example/w2", 3), Key("other.example", 4)
TEXT = f"fed.example/registry\n1\n{b64(ROOT)}\n"
OTHER = f"fed.example/registry\n2\n{b64(hashlib.sha256(b'other').digest())}\n"
AT = 1679315147
SHOWN = "2023-03-20T12:25:47Z"
WRITTEN = set()


def write(name, vector):
    assert name not in WRITTEN, name
    WRITTEN.add(name)
    (FOLDER / f"{name}.json").write_text(json.dumps(vector, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def reject(error):
    return {"verdict": "reject", "error": error}


def note(name, about, lines, expect, keys=(W1, W2), text=TEXT):
    if isinstance(expect, list):
        expect = {"verdict": "accept", "cosigned": [[key.vkey(), shown] for key, shown in expect]}
    vector = {"check": "cosignature", "about": about, "keys": [key.vkey() for key in keys]}
    write(f"note-{name}", {**vector, "note": text + "\n" + "".join(lines), "expect": expect})


def notes():
    log, good = LOG.sign(TEXT), W1.cosign(TEXT, AT)
    bad = reject("bad_signature")
    note("good", "one witness", [log, good], [(W1, SHOWN)])
    note("two", "two witnesses, in the order of their lines", [log, W2.cosign(TEXT, AT), good], [(W2, SHOWN), (W1, SHOWN)])
    note("none", "no witness", [log], [])
    note("unknown", "an unknown witness is ignored, whatever its line holds", [log, W3.cosign(TEXT, AT), W3.line(b"x")], [])
    note("known-and-unknown", "the known one counts", [W3.cosign(OTHER, AT), good, log], [(W1, SHOWN)])
    note("again", "one witness at two times", [log, good, W1.cosign(TEXT, AT + 60)], [(W1, SHOWN), (W1, "2023-03-20T12:26:47Z")])
    note("without-log", "who signed for the log is not looked at here", [good], [(W1, SHOWN)])
    note("epoch", "time 0", [log, W1.cosign(TEXT, 0)], [(W1, "1970-01-01T00:00:00Z")])
    note("other-text", "of another size", [log, W1.cosign(OTHER, AT)], bad)
    note("other-time", "another time than was signed", [log, W1.cosign(TEXT, AT, said=AT + 1)], bad)
    note("other-header", "another domain", [log, W1.cosign(TEXT, AT, header="cosignature/v2")], bad)
    note("leading-zero", "the signed time has a leading zero", [log, W1.cosign(TEXT, AT, digits=f"0{AT}")], bad)
    note("milliseconds", "signed in milliseconds", [log, W1.cosign(TEXT, AT, digits=f"{AT}000")], bad)
    note("little-endian", "the time in little endian", [log, W1.cosign(TEXT, AT, said=int.from_bytes(struct.pack("<Q", AT), "big"))], bad)
    note("plain", "a plain signature under the id of a cosignature", [log, W1.line(W1.private.sign(TEXT.encode()))], bad)
    note("plain-with-time", "a time, and a signature over the text alone", [log, W1.line(struct.pack(">Q", AT) + W1.private.sign(TEXT.encode()))], bad)
    note("by-another", "by the key of another witness", [log, W2.cosign(TEXT, AT, name=W1.name, id=W1.id())], bad)
    note("short", "a byte short", [log, W1.line(struct.pack(">Q", AT) + bytes(63))], bad)
    note("long", "a byte more", [log, W1.line(base64.b64decode(good.split()[2])[4:] + b"\0")], bad)
    note("only-time", "a time and no signature", [log, W1.line(struct.pack(">Q", AT))], bad)
    note("four-bytes", "less than a time", [log, W1.line(b"1234")], bad)
    note("far-future", "after 2262, which no time here can hold", [log, W1.cosign(TEXT, 9_300_000_000)], bad)
    note("beyond-63-bits", "above 2^63 - 1", [log, W1.cosign(TEXT, 2**63)], bad)
    note("one-bad-of-two", "a good one does not make up for a bad one", [log, good, W2.cosign(OTHER, AT)], bad)
    note("bad-then-good", "nor a second line of the same witness", [log, W1.cosign(OTHER, AT), good], bad)
    note("type-1", "a note signature by a key of that name is of another type", [log, Key(W1.name, 2, kind=1).sign(TEXT)], [])
    note("other-name", "the key under another name", [log, Key("witness.example/w9", 2).cosign(TEXT, AT)], [])
    note("no-lines", "no signature lines", [], reject("malformed"))
    note("bad-base64", "not base64", [log, "\u2014 witness.example/w1 !!!!\n"], reject("malformed"))
    note("no-newline", "cut off", [log, good.rstrip("\n")], reject("malformed"))
    note("carriage-return", "CR LF", [log, good.replace("\n", "\r\n")], reject("malformed"))
    note("hyphen", "a hyphen for the dash", [log, good.replace("\u2014", "-")], reject("malformed"))


def key(name, about, text, good=False):
    expect = {"verdict": "accept"} if good else reject("malformed")
    write(f"key-{name}", {"check": "cosigner", "about": about, "key": text, "expect": expect})


def keys():
    key("good", "a witness", W1.vkey(), True)
    key("other", "another", W3.vkey(), True)
    key("type-1", "a note key", Key(W1.name, 2, kind=1).vkey())
    key("type-6", "ML-DSA-44, which this program does not know", W1.vkey(kind=6))
    key("id-of-type-1", "the id of the note key", W1.vkey(id=Key(W1.name, 2, kind=1).id()))
    key("id-of-another", "the id of another key", W1.vkey(id=W2.id()))
    key("capitals", "an id in capitals", W1.vkey().replace(W1.id().hex(), W1.id().hex().upper()))
    key("short", "31 bytes", W1.vkey(public=W1.public[:31]))
    key("long", "33 bytes", W1.vkey(public=W1.public + b"\0"))
    key("small-order", "a point of small order", W1.vkey(public=bytes([1]) + bytes(31)))
    key("no-name", "no name", W1.vkey()[len(W1.name):])
    key("space", "a space in the name", "a b" + W1.vkey()[len(W1.name):])
    key("line", "a line of a note", W1.cosign(TEXT, AT))


def request(name, about, body, expect=None):
    if expect is not None:
        expect = {"verdict": "accept", "old": expect[0], "proof": [hash.hex() for hash in expect[1]]}
    write(f"request-{name}", {"check": "request", "about": about, "body": body, "expect": expect or reject("malformed")})


def requests():
    checkpoint = TEXT + "\n" + LOG.sign(TEXT)
    hashes = [hashlib.sha256(bytes([at])).digest() for at in range(64)]
    lines = [b64(hash) + "\n" for hash in hashes]
    request("first", "from nothing", f"old 0\n\n{checkpoint}", (0, []))
    request("proof", "two hashes", f"old 5\n{lines[0]}{lines[1]}\n{checkpoint}", (5, hashes[:2]))
    request("most", "63 hashes", "old 5\n" + "".join(lines[:63]) + f"\n{checkpoint}", (5, hashes[:63]))
    request("too-many", "64 hashes", "old 5\n" + "".join(lines) + f"\n{checkpoint}")
    request("no-blank", "no blank line", "old 0\n" + lines[0])
    request("no-old", "no size", f"{lines[0]}\n{checkpoint}")
    request("old-leading-zero", "a leading zero", f"old 05\n\n{checkpoint}")
    request("old-minus", "a sign", f"old -5\n\n{checkpoint}")
    request("old-huge", "2^64", f"old {2**64}\n\n{checkpoint}")
    request("old-capital", "another word", f"Old 5\n\n{checkpoint}")
    request("old-spaces", "two spaces", f"old  5\n\n{checkpoint}")
    request("hash-short", "31 bytes", f"old 5\n{b64(hashes[0][:31])}\n\n{checkpoint}")
    request("hash-hex", "a hash in hexadecimal", f"old 5\n{hashes[0].hex()}\n\n{checkpoint}")
    request("carriage-return", "CR LF", f"old 5\r\n\r\n{checkpoint}")
    request("empty", "nothing", "")


notes()
keys()
requests()
