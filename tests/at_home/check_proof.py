"""Checks a proof of `journal prove` without any code of this project: C2SP tlog-proof, RFC 6962, a signed note."""

import base64
import hashlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def hash_leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def hash_node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_from(leaf, index, size, proof):
    """RFC 9162, section 2.1.3.2."""
    node, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            sys.exit("the proof is too long")
        if index & 1 or index == last:
            node = hash_node(sibling, node)
            while index & 1 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hash_node(node, sibling)
        index, last = index >> 1, last >> 1
    if last:
        sys.exit("the proof is too short")
    return node


text = open(sys.argv[1], encoding="utf-8").read()
head, checkpoint = text.split("\n\n", 1)
first, extra, index, *hashes = head.split("\n")
assert first == "c2sp.org/tlog-proof@v1", first
record = base64.b64decode(extra.removeprefix("extra "), validate=True)
body, signatures = checkpoint.split("\n\n", 1)
origin, size, root = body.split("\n")
note_key = b"\1" + bytes.fromhex(open(sys.argv[2], encoding="utf-8").read())
# The note key of a site signs for all of its logs, each under the log's own name.
signature = base64.b64decode(signatures.strip().split(" ")[2])
key_id = hashlib.sha256(origin.encode() + b"\n" + note_key).digest()[:4]
assert signature[:4] == key_id, "the note is signed under another name or key"
Ed25519PublicKey.from_public_bytes(note_key[1:]).verify(signature[4:], (body + "\n").encode())
proof = [base64.b64decode(line, validate=True) for line in hashes]
found = root_from(hash_leaf(record), int(index.removeprefix("index ")), int(size), proof)
if found != base64.b64decode(root):
    sys.exit("the record does not lead to the root")
