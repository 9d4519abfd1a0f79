"""Vectors of features: contracts that list them, and the codes, canonical form and HMAC of values."""

import hashlib
import hmac
import json
from decimal import Decimal

from encode import document
from world import CONTRACT, DELETE, changed, vector

FEATURES = [
    {"name": "age", "type": "integer", "min": 18, "max": 120, "edges": [30, 50]},
    {"name": "income", "type": "number", "min": 0.0, "max": 1e6, "edges": [2e4, 5e4], "missing": True},
    {"name": "purpose", "type": "category", "categories": ["car", "home"]},
    {"name": "first", "type": "boolean"},
    {"name": "remark", "type": "text", "missing": True},
]
BASE = {**CONTRACT, "feature": FEATURES}
SALT = bytes(range(16))
KEY = bytes(range(16, 32))


def vectors():
    yield vector("contract-features", "a feature of each type", "contract", {"document": document(BASE)})
    for name, about, path, new, reject in CONTRACTS:
        base = changed(BASE, ["score"], DELETE) if name == "threshold-without-score" else BASE
        text = document(changed(base, path, new)).replace('"INFINITE"', "1e999")
        yield vector(f"contract-{name}", about, "contract", {"document": text}, reject)
    for name, about, values, codes in VALUES:
        form = canonical([values.get(feature["name"]) for feature in FEATURES])
        mac = hmac.new(SALT + KEY, hashlib.sha256(form).digest(), hashlib.sha256).digest()
        source = {
            "contract": document(BASE),
            "features": json.dumps(values, ensure_ascii=False),
            "codes": codes,
            "canonical_hex": form.hex(),
            "salt_hex": SALT.hex(),
            "subject_key_hex": KEY.hex(),
            "hmac_hex": mac.hex(),
        }
        yield vector(f"features-{name}", about, "features", source)


def canonical(values):
    return b"".join(map(line, values))


def line(value):
    if value is None:
        return b"-\n"
    if isinstance(value, bool):
        return b"b %d\n" % value
    if isinstance(value, str):
        return b"t %d %s\n" % (len(value.encode()), value.encode())
    if value == int(value) and -(2**63) <= value < 2**63:
        return b"i %d\n" % value
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = "." if len(text) > 1 else ""
    return f"n {'-' * sign}{text[0]}{point}{text[1:]}e{exponent + len(text) - 1}\n".encode()


GOOD = {"age": 41, "income": 30500.5, "purpose": "home", "first": True, "remark": "none"}

VALUES = [
    ("good", "a value of each type", GOOD, [1, 1, 1, 1, 0]),
    ("order", "members in another order", dict(reversed(GOOD.items())), [1, 1, 1, 1, 0]),
    ("surplus", "what the contract does not list is no part of it", {**GOOD, "shoe": 44}, [1, 1, 1, 1, 0]),
    ("edges", "bins are right-closed", {**GOOD, "age": 30, "income": 50000}, [0, 1, 1, 1, 0]),
    ("ends", "both ends are inside", {**GOOD, "age": 18, "income": 1e6}, [0, 2, 1, 1, 0]),
    ("whole", "41.0 is 41", {**GOOD, "age": 41.0, "income": 3e4}, [1, 1, 1, 1, 0]),
    ("zero", "there is one zero", {**GOOD, "income": -0.0}, [1, 0, 1, 1, 0]),
    ("small", "far below one", {**GOOD, "income": 2.5e-7}, [1, 0, 1, 1, 0]),
    ("tenth", "the shortest decimal that reads back", {**GOOD, "income": 0.1 + 0.2}, [1, 0, 1, 1, 0]),
    ("large", "beyond 64 bits, outside the range", {**GOOD, "income": 1.5e300}, [1, 4, 1, 1, 0]),
    ("outside", "below and above the ranges", {**GOOD, "age": 17, "income": -41.5}, [4, 4, 1, 1, 0]),
    ("integer-large", "an integer that no 64-bit number holds", {**GOOD, "age": 2**53 + 1}, [4, 1, 1, 1, 0]),
    ("unlisted", "a category that is not listed", {**GOOD, "purpose": "Home"}, [1, 1, 3, 1, 0]),
    ("types", "other types than the contract's",
     {"age": "41", "income": True, "purpose": 1, "first": 1, "remark": 0.5}, [4, 4, 3, 3, 2]),
    ("fraction", "a fraction where an integer stands", {**GOOD, "age": 41.5}, [4, 1, 1, 1, 0]),
    ("missing", "absent where that is allowed, null likewise", {**GOOD, "income": None, "remark": None}, [1, 3, 1, 1, 1]),
    ("nothing", "absent everywhere", {}, [4, 3, 3, 3, 1]),
    ("text", "a text of several lines and bytes", {**GOOD, "remark": "été\n-\nt 1 x"}, [1, 1, 1, 1, 0]),
    ("text-empty", "a text of nothing is a text", {**GOOD, "remark": ""}, [1, 1, 1, 1, 0]),
]

CONTRACTS = [
    ("threshold", "the score from which on the decision is the second", ["decision", "threshold"], 0.5, None),
    ("threshold-outside", "above every score", ["decision", "threshold"], 1.5, "`decision.threshold` is 1.5"),
    ("threshold-without-score", "nothing to hold against it", ["decision", "threshold"], 0.5,
     "`decision.threshold` needs a `[score]`"),
    ("currency", "what costs are counted in", ["currency"], "EUR", None),
    ("currency-blank", "a text of nothing", ["currency"], "", "`currency`"),
    ("feature-of-attribute", "an event carries both", ["feature", 3, "name"], "gender", None),
    ("feature-twice", "two features of one name", ["feature", 1, "name"], "age", "feature `age` stands twice"),
    ("feature-type", "a type of a later version", ["feature", 0, "type"], "date", "unknown variant `date`"),
    ("feature-no-type", "a key is missing", ["feature", 0, "type"], DELETE, "missing field `type`"),
    ("feature-name-blank", "no name", ["feature", 0, "name"], " ", "`feature.name`"),
    ("feature-unknown-key", "a key that nobody reads", ["feature", 0, "unit"], "EUR", "unknown field `unit`"),
    ("feature-no-max", "half a range", ["feature", 0, "max"], DELETE, "feature `age` needs `min` and `max`"),
    ("feature-empty-range", "no room between the ends", ["feature", 0, "max"], 18, "must be below `max` 18"),
    ("feature-infinite", "beyond 64-bit floating point", ["feature", 1, "max"], "INFINITE", "number out of range"),
    ("feature-edges-descend", "edges out of order", ["feature", 0, "edges"], [50, 30], "30 does not"),
    ("feature-edge-twice", "an edge twice", ["feature", 0, "edges"], [30, 30], "30 does not"),
    ("feature-edge-min", "an edge at the end of the range", ["feature", 0, "edges"], [18], "18 does not"),
    ("feature-edge-max", "an edge at the other end", ["feature", 0, "edges"], [120], "120 does not"),
    ("feature-edge-fraction", "an edge between integers", ["feature", 0, "edges"], [30.5], "30.5 is no integer"),
    ("feature-integer-large", "an integer that is not exact", ["feature", 0, "max"], 2**54, "beyond 2^53"),
    ("feature-edges-many", "1,001 edges", ["feature", 1, "edges"], list(range(1, 1002)), "1001 edges; at most 1000"),
    ("feature-category-none", "a category of nothing", ["feature", 2, "categories"], [], "has 0 categories"),
    ("feature-category-twice", "a category twice", ["feature", 2, "categories"], ["car", "car"], "lists `car` twice"),
    ("feature-boolean-range", "a range of booleans", ["feature", 3, "min"], 0, "has `min`, which its type does not know"),
    ("feature-text-edges", "bins of a text", ["feature", 4, "edges"], [1], "has `edges`"),
    ("feature-number-categories", "categories of a number", ["feature", 1, "categories"], ["a"], "has `categories`"),
    ("features-1001", "one feature too many", ["feature"],
     [{"name": f"f{n}", "type": "boolean"} for n in range(1001)], "1001 features; at most 1000"),
]
