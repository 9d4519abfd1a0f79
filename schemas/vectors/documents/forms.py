"""Vectors of the one form that an envelope of a site, or of a report, may have: whoever carries it changes no byte."""

import base64
import json

from absences import abstained
from continuity import beat
from disputes import FIRST, SEEN, disputed, reported
from encode import seal
from releases import CLAIM, attested
from succession import transported
from world import KEYS, vector


def url(text):
    return text.replace("+", "-").replace("/", "_")


def spaced(value):
    return json.dumps(value)


def ended(value):
    return plain(value) + "\n"


def turned(value):
    return plain(dict(reversed(value.items())))


def escaped(value):
    return plain(value).replace("/vnd.", "\\/vnd.")


def other_alphabet(value):
    return plain({**value, "payload": url(value["payload"])})


def other_alphabet_of_signature(value):
    (signature,) = value["signatures"]
    return plain({**value, "signatures": [{**signature, "sig": url(signature["sig"])}]})


def beside(value):
    """A stranger's signature behind the right one: what was signed stays the same."""
    payload = json.loads(seal(base64.b64decode(value["payload"]).decode(), KEYS["stranger"]))
    return plain({**value, "signatures": value["signatures"] + payload["signatures"]})


def unsigned(value):
    return plain({**value, "signatures": []})


def plain(value):
    return json.dumps(value, separators=(",", ":"))


FORMS = [
    ("spaced", "white space between its members", spaced),
    ("line", "a line feed behind it", ended),
    ("turned", "its members in another order", turned),
    ("escaped", "a slash written otherwise", escaped),
    ("url-safe", "the other base64 alphabet", other_alphabet),
    ("url-safe-sig", "the same in the signature", other_alphabet_of_signature),
    ("stranger-beside", "a signature by somebody else beside the site's", beside),
    ("unsigned", "no signature", unsigned),
]


def signed(make):
    """A document whose envelope both alphabets write differently."""
    for number in range(100):
        entry = make(number)
        value = json.loads(entry["envelope"])
        if url(value["payload"]) != value["payload"] and url(value["signatures"][0]["sig"]) != value["signatures"][0]["sig"]:
            return entry
    raise AssertionError("no such document")


def vectors():
    release = signed(lambda number: attested(claim={**CLAIM, "software": "vectors ???", "raw": f"{number:064}"}))
    entries = [
        ("release", "release", release, {}),
        ("abstention", "abstention", abstained(), {}),
        ("dispute", "dispute", disputed(), {"after": [FIRST, SEEN]}),
        ("heartbeat", "heartbeat", beat(), {}),
        ("report", "report", reported(), {"after": []}),
        ("registry-transport", "registry-entry", transported(), {}),
    ]
    for name, kind, entry, more in entries:
        for form, about, change in FORMS if kind == "release" else FORMS[:1]:
            envelope = change(json.loads(entry["envelope"]))
            assert envelope != entry["envelope"], form
            changed = {**entry, "envelope": envelope, **more}
            yield vector(f"{name}-form-{form}", about, kind, changed, "envelope: expected ")
