"""What is postcard: journal records, frames, requests, responses, tokens, joins. From schemas/wire.md and journal.md."""

import hashlib
import hmac
import re

from independent import keys
from independent.base import Refused, is_name, want

BAD = "malformed"
RECORD_FORMAT = 3
ABSENT = 255


class Reader:
    """Strict postcard: nothing over-long, nothing left over."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        want(count <= len(self.data) - self.at, BAD, "cut off")
        self.at += count
        return self.data[self.at - count : self.at]

    def end(self):
        want(self.at == len(self.data), BAD, "bytes after the end")

    def uint(self, bits):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            want(value < 1 << bits, BAD, "an integer out of range")
            if byte < 0x80:
                want(byte or not shift, BAD, "an over-long integer")
                return value
            shift += 7

    def u32(self):
        return self.uint(32)

    def u64(self):
        return self.uint(64)

    def u16(self):
        return self.uint(16)

    def u8(self):
        return self.take(1)[0]

    def i64(self):
        value = self.uint(64)
        return value >> 1 ^ -(value & 1)

    def blob(self):
        return self.take(self.uint(64))

    def text(self):
        try:
            return self.blob().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(BAD, f"no text: {error}") from error

    def name(self):
        text = self.text()
        want(is_name(text), BAD, f"{text!r} is no name")
        return text

    def flag(self):
        return self.variant(2)

    def digest(self):
        return self.take(32)

    def salt(self):
        return self.take(16)

    def variant(self, count):
        value = self.uint(32)
        want(value < count, BAD, f"variant {value} of {count}")
        return value

    def option(self, inner):
        return inner() if self.variant(2) else None

    def list(self, inner):
        return [inner() for _ in range(self.bounded())]

    def bounded(self):
        """A length: every item has a byte at least."""
        count = self.uint(64)
        want(count <= len(self.data) - self.at, BAD, "more items than bytes")
        return count

    def fields(self, *inner):
        return [read() for read in inner]


def whole(data, read):
    reader = Reader(data)
    found = read(reader)
    reader.end()
    return found


# Records.

TALLIES = 13


def record(data):
    want(len(data) > 16, BAD, "no record is so short")
    want(data[16] == RECORD_FORMAT, BAD, f"format {data[16]}")
    whole(data[17:], lambda r: (lambda *_: None, prediction, outcome, ledger, tally)[r.variant(5)](r))


def prediction(r):
    r.fields(r.salt, r.i64, r.u32)
    r.option(r.u32), r.option(r.u32)
    r.u32(), r.u8()
    r.option(r.u64), r.option(r.u64)
    r.list(lambda: r.fields(r.u32, r.u64))
    r.list(r.u16), r.list(r.u16)
    r.option(r.digest), r.option(r.salt)
    for _ in range(4):
        r.option(r.u64)


def outcome(r):
    r.fields(r.u64, r.u64, r.i64, r.u32)
    r.option(r.u64)


def tally(r):
    r.i64()
    r.variant(TALLIES)
    r.i64()


def ledger(r):
    """The ledger's entries by number, their fields in order."""
    plan, window, by, at = r.digest, lambda: r.fields(r.i64, r.i64), r.text, r.i64
    entries = [
        (r.name, r.name, r.u32),
        (r.u32, r.text, r.text, lambda: r.option(r.digest), lambda: r.option(r.digest)),
        (r.digest, r.u64, r.u64, r.u64, r.u64),
        (plan, r.flag, by, at),
        (plan, r.text, by, at),
        (plan, window, r.u64, r.digest, r.salt),
        (plan, window, r.u64, r.digest),
        (plan, window, by, at),
        (r.u32, r.text),
        (r.u32, r.u32, r.digest),
        (r.u32, r.u64, r.u64),
        (r.u32, lambda: r.list(lambda: r.fields(r.text, r.u64, r.digest))),
        (r.u32, lambda: r.list(lambda: r.fields(r.text, r.digest))),
        (r.u32, r.flag),
        (r.text,),
        (r.text,),
        (at, r.u64),
        (plan, window, r.digest, r.u64, r.u64, r.u32, r.u32, lambda: r.option(lambda: r.fields(r.digest, r.text)), at),
        (plan, window, r.digest, r.u32, by, at),
        (plan, window, r.digest, r.text, by, at),
        (plan, window, r.digest, r.text, at),
        (plan, window, by, at),
        (r.u64, lambda: r.list(r.text), r.u32, lambda: r.option(lambda: r.fields(r.text, r.text, r.u32)), at),
        (r.digest,),
        (plan, window, r.text, lambda: r.variant(2), r.text, r.u64, lambda: r.list(r.i64)),
        (r.digest, lambda: r.list(lambda: r.fields(r.u32, r.u32, r.u32, lambda: r.variant(4)))),
        (plan, window, by, at),
        (plan, window, r.u64, r.digest),
        (r.u32, r.digest, lambda: r.list(lambda: r.fields(r.text, r.u64))),
        (r.digest,),
    ]
    r.fields(*entries[r.variant(len(entries))])


# Frames, requests, responses.


def frame(data, limit):
    want(len(data) >= 4, BAD, "cut off")
    size = int.from_bytes(data[:4], "big")
    want(size <= limit, BAD, "longer than allowed")
    want(len(data) - 4 >= size, BAD, "cut off")
    want(len(data) - 4 == size, BAD, "bytes follow")


def roster_keys(r):
    def one():
        use, raw = r.variant(5), r.digest()
        want(keys.sound(raw), BAD, "a key of small order")
        return use, raw

    return r.list(one)


def join_fields(r):
    federation, site, listed = r.name(), r.name(), roster_keys(r)
    return federation, site, listed, r.list(r.blob), r.digest()


def request(data):
    def digests(r):
        return lambda: r.list(r.digest)

    def proofs(r):
        return lambda: r.list(lambda: r.fields(r.text, r.u64, r.u64, digests(r)))

    def submit(r):
        return r.fields(r.blob, r.blob, proofs(r), r.u64)

    def read(r):
        kinds = [
            lambda: join_fields(r),
            lambda: r.fields(r.u32, r.name, r.text, lambda: r.list(r.text)),
            lambda: r.u64(),
            lambda: submit(r),
            lambda: r.fields(r.digest, r.u64, r.u64),
            lambda: submit(r),
            lambda: r.fields(lambda: r.list(lambda: r.fields(r.digest, r.u64, r.u64)), r.u64, r.u64),
            lambda: r.fields(r.blob, r.blob),
        ]
        return kinds[r.variant(len(kinds))]()

    return whole(data, read)


def response(data):
    def read(r):
        digests = lambda: r.list(r.digest)  # noqa: E731
        mine = lambda: r.fields(lambda: r.option(r.digest), r.blob, r.blob, r.text, digests)  # noqa: E731
        kinds = [
            lambda: r.blob(),
            lambda: r.fields(r.u32, r.text, r.text, lambda: r.list(r.text)),
            lambda: r.fields(r.text, r.u64, lambda: r.list(lambda: r.fields(r.blob, r.blob))),
            lambda: r.fields(r.text, digests),
            lambda: r.fields(lambda: r.variant(5), r.text, r.text, r.text, r.text),
            lambda: r.option(lambda: r.fields(r.blob, r.blob, r.text, digests)),
            lambda: r.option(mine),
            lambda: r.u64(),
        ]
        return kinds[r.variant(len(kinds))]()

    return whole(data, read)


# Joining.


def token(text):
    match = re.fullmatch("fedaudit-join-1-((?:[0-9a-f]{2})*)", text.strip())
    want(match, BAD, "no token")
    data = bytes.fromhex(match[1])
    want(len(data) > 4 and hashlib.sha256(data[:-4]).digest()[:4] == data[-4:], BAD, "mistyped")
    whole(data[:-4], lambda r: r.fields(r.name, r.name, r.digest, r.text, r.digest, r.i64, r.salt))


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def blob(data):
    return varint(len(data)) + data


def join(data, secret):
    federation, site, listed, proofs, mac = whole(data, join_fields)
    message = b"".join(blob(text.encode()) for text in ("fedaudit join v1", federation, site))
    message += varint(len(listed)) + b"".join(varint(use) + raw for use, raw in listed)
    want(len(proofs) == len(listed), "possession", "a signature by each key")
    for (_, raw), signature in zip(listed, proofs):
        want(keys.verifies(raw, signature, message), "possession", "not a signature of this key")
    said = blob(message) + varint(len(proofs)) + b"".join(map(blob, proofs))
    want(hmac.compare_digest(hmac.digest(secret, said, "sha256"), mac), "secret", "another secret")
