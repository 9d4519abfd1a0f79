"""The vectors of logs: note, cosignature, merkle, log."""

import base64
import hashlib

from independent import keys, merkle, notes, tiles
from independent.base import want

PLAIN = "malformed"


def digests(values):
    return [bytes.fromhex(value) for value in values]


def note(vector):
    data = bytes.fromhex(vector["note_hex"]) if "note_hex" in vector else vector["note"]
    text, seen = notes.opened(data, [notes.Verifier(key) for key in vector["keys"]])
    return {"text": text, "signers": [key.text for key in seen]}


def checkpoint(vector):
    verifier = notes.of_key(vector["origin"], base64.b64decode(vector["key"]))
    size, root = notes.signed_checkpoint(vector["note"], verifier)
    return {"size": size, "root": root.hex()}


def proof(vector):
    verifier = notes.of_key(vector["origin"], base64.b64decode(vector["key"]))
    index, size, root = notes.proven(vector["proof"], bytes.fromhex(vector["entry_hex"]), verifier)
    want(index < size, PLAIN, "outside")
    return {"size": size, "root": root.hex()}


def key(vector):
    notes.Verifier(vector["key"])
    return {}


def cosigner(vector):
    notes.Verifier(vector["key"], 4)
    return {}


def cosignature(vector):
    return {"cosigned": notes.cosigned(vector["note"], [notes.Verifier(key, 4) for key in vector["keys"]])}


def request(vector):
    old, hashes = notes.request(vector["body"])
    return {"old": old, "proof": [hash_.hex() for hash_ in hashes]}


def root(vector):
    found = merkle.root([merkle.leaf(leaf) for leaf in digests(vector["leaves"])])
    want(found.hex() == vector["root"], PLAIN, "another root")


def inclusion(vector):
    leaf, root_ = digests([vector["leaf"], vector["root"]])
    proof_ = digests(vector["proof"])
    want(merkle.included(leaf, vector["index"], vector["size"], proof_, root_), PLAIN, "not included")


def consistency(vector):
    old, new = digests([vector["old_root"], vector["new_root"]])
    proof_ = digests(vector["proof"])
    want(merkle.consistent(vector["old_size"], old, vector["new_size"], new, proof_), PLAIN, "not consistent")


def path(vector):
    level, index, width = vector["level"], vector["index"], vector["width"]
    want(tiles.path(level, index, width) == vector["tile"], PLAIN, "another path")
    want(tiles.path("entries", index, width) == vector["entries"], PLAIN, "another path of entries")


def files(vector):
    found, root_ = tiles.files([b"entry %d" % index for index in range(vector["size"])])
    want(root_.hex() == vector["root"] and len(found) == vector["count"], PLAIN, "another root, or other files")
    for name, digest in vector["sha256"].items():
        want(hashlib.sha256(found[name]).hexdigest() == digest, PLAIN, name)


def bundle(vector):
    return {"entries_hex": [entry.hex() for entry in tiles.unbundle(bytes.fromhex(vector["bytes_hex"]))]}


def signature(vector):
    public, message, signature_ = (bytes.fromhex(vector[f"{part}_hex"]) for part in ("public", "message", "signature"))
    want(keys.verifies(public, signature_, message), PLAIN, "no signature of this key")


CHECKS = {
    "note": (note, checkpoint, proof, key),
    "cosignature": (cosignature, cosigner, request),
    "merkle": (root, inclusion, consistency),
    "log": (path, files, bundle),
    "ed25519": (signature,),
}
