"""What all readers share: refusals, strict JSON, base64, the JSON Schemas, times. Written from schemas/README.md."""

import base64
import binascii
import datetime
import functools
import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"


class Refused(Exception):
    """Bytes that do not say what they ought to, with the code of schemas/checks.md."""

    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code = code


class Unjudged(Exception):
    """Every rule that is written down here holds; the document stands under more of them."""


def want(condition, code, why):
    if not condition:
        raise Refused(code, why)


# JSON: UTF-8 without a mark, each key once, nothing but white space behind it, no number beyond all bounds.


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


def finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return number


def parse(data, code):
    """The JSON in bytes, or a refusal under `code`."""
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise ValueError("a byte order mark")
        # JSON's white space only: Python would strip more nowhere else either.
        return json.loads(text, object_pairs_hook=once, parse_constant=no_constant, parse_float=finite)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Refused(code, f"not JSON of ours: {error}") from error


def unbase64(text, code, url=False):
    """Standard base64, padded and canonical; with `url` also the other alphabet."""
    if url:
        text = text.replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(code, f"not base64: {error}") from error
    want(base64.b64encode(data).decode() == text, code, "not canonical base64")
    return data


# JSON Schema, three points stricter than Python: `$` ends the text, 5.0 is no integer, and true is no number.


def pattern(_, regex, instance, __):
    if isinstance(instance, str) and not re.search(regex.replace("$", r"\Z"), instance, re.ASCII if "\\s" not in regex else 0):
        yield ValidationError(f"{instance!r} does not match {regex!r}")


def integer(_, value):
    return isinstance(value, int) and not isinstance(value, bool)


STRICT = validators.extend(
    Draft202012Validator,
    {"pattern": pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", integer),
)


@functools.cache
def neighbours():
    found = []
    for path in sorted(SCHEMAS.glob("*.schema.json")):
        resource = Resource.from_contents(json.loads(path.read_bytes()), default_specification=DRAFT202012)
        found.append((path.name, resource))
    return Registry().with_resources(found)


@functools.cache
def schema(name):
    return STRICT(json.loads((SCHEMAS / f"{name}.schema.json").read_bytes()), registry=neighbours())


def keep(name, value, code, others=()):
    """Holds a value against a schema, and every time in it against the calendar. What breaks a rule of more than type in a
    member of `others` is refused under the code that it has there."""
    error = best_match(schema(name).iter_errors(without_nulls(value)))
    if error is not None and error.validator != "type":
        code = next((other for member, other in others if member in error.absolute_path), code)
    want(error is None, code, f"{name}: {error and error.json_path}: {error and error.message[:200]}")
    for text in texts(value):
        if TIME.match(text):
            instant(text, code)


def without_nulls(value, key=None):
    """`null` for a key that may be absent is read as absent; these may not, and are null by their schema."""
    kept = ("seen", "replaces", "previous", "amends", "supersedes", "logged", "registry")
    if isinstance(value, dict):
        return {k: without_nulls(v, k) for k, v in value.items() if v is not None or k in kept}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def texts(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z\Z")
EPOCH = datetime.datetime(1970, 1, 1)


def instant(text, code):
    """Nanoseconds since 1970."""
    want(TIME.match(text), code, f"{text} is no time")
    whole, _, fraction = text[:-1].partition(".")
    try:
        at = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise Refused(code, f"{text}: {error}") from error
    want(1678 <= at.year <= 2261, code, f"{text} is outside the years")
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,62}\Z")


def is_name(text):
    return bool(NAME.match(text))
