"""Ed25519, strictly: RFC 8032 by `cryptography` (OpenSSL), and by explicit code what that leaves open.

OpenSSL refuses S >= L, but takes keys and points R of small order, which sign anything for anybody, and encodings of a
point that are not the canonical one. A strict reader takes none of these.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from independent.base import Refused, unbase64, want

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SPKI = bytes.fromhex("302a300506032b6570032100")


def point(raw):
    """The point of 32 bytes, or None: RFC 8032, 5.1.3, canonical encodings only."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(raw) != 32 or y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x, y)


def add(a, b):
    """The complete addition law of the curve."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - t, -1, P)
    return x % P, y % P


def small_order(a):
    for _ in range(3):
        a = add(a, a)
    return a == (0, 1)


def sound(raw):
    """Whether 32 bytes are a point that one may trust."""
    found = point(raw)
    return found is not None and not small_order(found)


def verifies(raw, signature, message):
    if len(signature) != 64 or not sound(raw) or not sound(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def spki(text, code):
    """The 32 bytes of a key as documents hold it: base64 of its SubjectPublicKeyInfo (RFC 8410)."""
    data = unbase64(text, code)
    want(data[:12] == SPKI and len(data) == 44 and sound(data[12:]), code, "not an Ed25519 public key")
    return data[12:]


def key_id(raw):
    return hashlib.sha256(SPKI + raw).hexdigest()


__all__ = ["Refused", "key_id", "sound", "spki", "verifies"]
