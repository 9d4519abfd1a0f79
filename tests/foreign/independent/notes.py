"""Signed notes, checkpoints, proofs, cosignatures: C2SP signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature,
tlog-witness."""

import datetime
import hashlib
import re

from independent import keys, merkle
from independent.base import unbase64, want

BAD = "malformed"
SIGNATURES = 64
HASHES = 63


class Verifier:
    """`<name>+<id>+<key>`."""

    def __init__(self, text, kind=1):
        match = re.fullmatch(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text)
        want(match and is_key_name(match[1]), BAD, "not name, id and key")
        self.name, self.text = match[1], text
        data = unbase64(match[3], BAD)
        want(len(data) == 33 and data[0] == kind, BAD, f"not a key of type {kind}")
        self.raw = data[1:]
        want(keys.sound(self.raw), BAD, "a key of small order")
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        want(self.id.hex() == match[2], BAD, "another key's id")


def of_key(name, raw):
    """The note key of a raw public key."""
    data = b"\1" + raw
    verifier = Verifier.__new__(Verifier)
    verifier.name, verifier.raw = name, raw
    verifier.id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return verifier


def is_key_name(name):
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


def split(note):
    """Text, and (name, id, signature) of each line."""
    if isinstance(note, bytes):
        try:
            note = note.decode("utf-8")
        except UnicodeDecodeError as error:
            want(False, BAD, f"not UTF-8: {error}")
    want(all(c == "\n" or ord(c) >= 0x20 and c != "\x7f" for c in note), BAD, "a control character")
    at = note.rfind("\n\n")
    want(at > 0, BAD, "no blank line")
    text, lines = note[: at + 1], note[at + 2 :]
    want(lines.endswith("\n"), BAD, "no signature, or one that does not end its line")
    found = []
    for line in lines[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)", line)
        want(match and is_key_name(match[1]), BAD, "not a signature line")
        data = unbase64(match[2], BAD)
        want(len(data) > 4, BAD, "a signature without bytes")
        found.append((match[1], data[:4], data[4:]))
    want(len(found) <= SIGNATURES, BAD, "too many signatures")
    return text, found


def opened(note, verifiers):
    """The text, if a known key signed it and none of them signed it badly."""
    text, lines = split(note)
    seen = []
    for name, id_, signature in lines:
        for verifier in verifiers:
            if (verifier.name, verifier.id) != (name, id_):
                continue
            want(keys.verifies(verifier.raw, signature, text.encode()), "bad_signature", name)
            if verifier not in seen:
                seen.append(verifier)
    want(seen, "unknown_signer", "none of these keys signed it")
    return text, seen


def number(text, code=BAD):
    want(re.fullmatch("0|[1-9][0-9]{0,19}", text, re.ASCII) and int(text) < 2**64, code, f"{text!r} is no size")
    return int(text)


def checkpoint(text):
    """Origin, size and root; no extension lines."""
    lines = text.split("\n")
    want(len(lines) == 4 and lines[3] == "" and lines[0], BAD, "not origin, size and root")
    root = unbase64(lines[2], BAD)
    want(len(root) == 32, BAD, "a root has 32 bytes")
    size = number(lines[1])
    want(size or root == hashlib.sha256(b"").digest(), BAD, "an empty tree has another root")
    return lines[0], size, root


def signed_checkpoint(note, verifier):
    text, _ = opened(note, [verifier])
    origin, size, root = checkpoint(text)
    want(origin == verifier.name, "origin", origin)
    return size, root


def proof(text):
    """Index, hashes, and the signed checkpoint of a tlog-proof."""
    head, blank, note = text.partition("\n\n")
    want(blank and not note.startswith("\n"), BAD, "not one blank line")
    lines = head.split("\n")
    want(lines.pop(0) == "c2sp.org/tlog-proof@v1", BAD, "another header")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:], BAD)
    want(lines and lines[0].startswith("index "), BAD, "no index")
    index = number(lines.pop(0)[6:])
    hashes = [unbase64(line, BAD) for line in lines]
    want(all(len(hash_) == 32 for hash_ in hashes), BAD, "a hash has 32 bytes")
    want(len(hashes) <= HASHES, BAD, "too many hashes")
    return index, hashes, note


def proven(text, entry, verifier):
    """Index, size and root, if the log holds `entry`."""
    index, hashes, note = proof(text)
    size, root = signed_checkpoint(note, verifier)
    want(merkle.included(merkle.leaf(entry), index, size, hashes, root), "proof", "the proof does not lead there")
    return index, size, root


def cosigned(note, witnesses):
    """Who cosigned, and when, in the order of the lines; a bad line of a known witness spoils the note."""
    text, lines = split(note)
    found = []
    for name, id_, data in lines:
        for witness in witnesses:
            if (witness.name, witness.id) != (name, id_):
                continue
            want(len(data) == 72, "bad_signature", "not a time and a signature")
            time, signature = int.from_bytes(data[:8], "big"), data[8:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
            want(keys.verifies(witness.raw, signature, message), "bad_signature", name)
            # Times are nanoseconds in 63 bits (schemas/README.md).
            want(time < 2**63 // 10**9, "bad_signature", "after 2262")
            at = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=time)
            found.append([witness.text, at.strftime("%Y-%m-%dT%H:%M:%SZ")])
    return found


def request(body):
    """What a witness is asked for: the size before, the proof, the signed checkpoint."""
    head, blank, note = body.partition("\n\n")
    want(blank and note, BAD, "no blank line")
    lines = head.split("\n")
    want(lines[0].startswith("old "), BAD, "no size")
    old = number(lines.pop(0)[4:])
    hashes = [unbase64(line, BAD) for line in lines]
    want(all(len(hash_) == 32 for hash_ in hashes) and len(hashes) <= HASHES, BAD, "hashes of 32 bytes, 63 at most")
    return old, hashes
