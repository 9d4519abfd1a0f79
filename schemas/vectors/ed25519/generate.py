"""Writes the vectors of this folder: python generate.py FOLDER. Ed25519 signatures, and what is not one.

The accepted ones are RFC 8032, section 7.1 (tests 1, 2, 3 and SHA(abc)), typed in here; each is made again from its secret key, so
that a typing error shows. The rejects follow from sections 5.1.3 (decoding), 5.1.7 (verifying), and from what strict readers add:
nobody's key is a point of small order, and no signature begins with one. Shares no code with the program.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

RFC = [
    (
        "test-1",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "test-2",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "test-3",
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "test-sha-abc",
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def times(n, a):
    found = (0, 1)
    while n:
        found, a, n = (add(found, a) if n & 1 else found), add(a, a), n >> 1
    return found


def root(u, v):
    """The x of x^2 = u / v, or None."""
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if v * x * x % P == u % P else None


def encode(a):
    return (a[1] | (a[0] & 1) << 255).to_bytes(32, "little")


def raw(y, sign=0):
    return (y | sign << 255).to_bytes(32, "little")


def base():
    y = 4 * pow(5, -1, P) % P
    x = root(y * y - 1, D * y * y + 1)
    return (x if x % 2 == 0 else P - x, y)


def small_orders():
    """Every encoding of a point of order 1, 2, 4 or 8 that some reader takes: the canonical ones first."""
    y = next(y for y in map(order_8, range(2, 200)) if y is not None)
    found = [("1", raw(1)), ("2", raw(P - 1)), ("4", raw(0)), ("4-sign", raw(0, 1))]
    found += [(f"8-{at}", raw(value, sign)) for at, (value, sign) in enumerate([(y, 0), (y, 1), (P - y, 0), (P - y, 1)])]
    found += [("1-sign", raw(1, 1)), ("2-sign", raw(P - 1, 1)), ("4-long", raw(P)), ("4-long-sign", raw(P, 1))]
    return found + [("1-long", raw(P + 1)), ("1-long-sign", raw(P + 1, 1))]


def order_8(y):
    """The y of L times a point that begins at `y`, if that has order 8."""
    x = root((y * y - 1) % P, (D * y * y + 1) % P)
    point = x is not None and times(L, (x, y))
    return point[1] if point and times(4, point) != (0, 1) else None


def secret(seed):
    h = bytearray(hashlib.sha512(seed).digest()[:32])
    h[0], h[31] = h[0] & 248, h[31] & 127 | 64
    return int.from_bytes(h, "little")


def challenge(r, public, message):
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def scalar(n):
    return n.to_bytes(32, "little")


def vectors():
    for name, seed, public, message, signature in RFC:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        assert key.public_key().public_bytes_raw().hex() == public, name
        assert key.sign(bytes.fromhex(message)).hex() == signature, name
        yield name, "RFC 8032, 7.1", public, message, signature, True
    _, seed, public, message, signature = RFC[2]
    r, s = signature[:64], int.from_bytes(bytes.fromhex(signature[64:]), "little")
    for name, about, changed in [
        ("s-plus-l", "S + L: the same scalar, written another way (5.1.7)", r + scalar(s + L).hex()),
        ("s-l", "S = L", r + scalar(L).hex()),
        ("s-huge", "S with all bits", r + "ff" * 32),
        ("s-negative", "L - S", r + scalar(L - s).hex()),
        ("cut", "the last byte is missing", signature[:-2]),
        ("long", "a byte more", signature + "00"),
        ("empty", "no bytes", ""),
        ("flipped-r", "one bit of R", format(int(signature[:2], 16) ^ 1, "02x") + signature[2:]),
        ("flipped-s", "one bit of S", signature[:64] + format(int(signature[64:66], 16) ^ 1, "02x") + signature[66:]),
        ("r-off", "R is on no curve", raw(2).hex() + signature[64:]),
        ("zeros", "nothing but zeros", "00" * 64),
        ("exchanged", "S before R", signature[64:] + signature[:64]),
        ("of-test-2", "the signature of another key", RFC[1][4]),
    ]:
        yield name, about, public, message, changed, False
    yield "other-message", "another message", public, "af83", signature, False
    yield "no-message", "no message", public, "", signature, False
    yield "longer-message", "a byte more", public, message + "00", signature, False
    yield "other-key", "another key", RFC[1][2], message, signature, False
    yield "key-cut", "31 bytes of a key", public[:-2], message, signature, False
    yield "key-long", "33 bytes of a key", public + "00", message, signature, False
    yield "key-off", "a key on no curve", raw(2).hex(), message, signature, False
    yield "key-sign", "the sign of the key's x", public[:-2] + format(int(public[-2:], 16) ^ 0x80, "02x"), message, signature, False
    yield from weak(bytes.fromhex(message), secret(bytes.fromhex(seed)), bytes.fromhex(public))


def weak(message, a, public):
    """What holds by the equation, and says nothing about who signed."""
    for name, key in small_orders():
        # S B = R + k A holds with R = S B where k A = 0, for one S in eight or more.
        s = next(s for s in range(1, 500) if challenge(encode(times(s, base())), key, message) % 8 == 0)
        yield f"small-order-{name}", "a key of small order, which everybody can sign with", key.hex(), message.hex(), (
            encode(times(s, base())) + scalar(s)).hex(), False
    for name, r in [("1", raw(1)), ("1-long", raw(P + 1))]:
        s = challenge(r, public, message) * a % L
        yield f"small-order-r-{name}", "R is nothing: S gives the key away", public.hex(), message.hex(), (r + scalar(s)).hex(), False


def main():
    (folder,) = map(Path, sys.argv[1:])
    for name, about, public, message, signature, good in vectors():
        vector = {
            "check": "signature",
            "about": about,
            "public_hex": public,
            "message_hex": message,
            "signature_hex": signature,
            "expect": "accept" if good else "reject",
        }
        (folder / f"{name}.json").write_text(json.dumps(vector, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
