"""Validates JSON documents against a JSON Schema (2020-12) with a library that nobody here wrote: jsonschema.

    python validate_schema.py SCHEMA DOCUMENT...

The schema itself is checked first. A `$ref` may name another file of SCHEMA's folder, by its file name or its `$id`; the
network is never asked. Prints `ok <document>`, or one line an error with the place in the document, and exits with 1
when anything was wrong (2: usage).
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def no_duplicates(pairs):
    """An object hook that refuses what json would silently overwrite."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same key twice")
    return members


def no_constant(name):
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{name} is not JSON")


def read(path):
    return json.loads(Path(path).read_bytes(), object_pairs_hook=no_duplicates, parse_constant=no_constant)


def validator(schema_path):
    """The schema, checked, with its neighbours at hand."""
    schema = read(schema_path)
    if not isinstance(schema, dict):
        raise ValueError("not a JSON object")
    if schema.get("$schema") != DIALECT:
        raise ValueError(f"$schema is {schema.get('$schema')!r}, not {DIALECT!r}")
    Draft202012Validator.check_schema(schema)
    resources = []
    for path in sorted(Path(schema_path).resolve().parent.glob("*.json")):
        try:
            contents = read(path)
        except ValueError:
            continue  # Not a schema; a reference to it will not resolve.
        if not isinstance(contents, dict) or contents.get("$schema") != DIALECT:
            continue
        resource = Resource.from_contents(contents, default_specification=DRAFT202012)
        resources.append((path.name, resource))
        if resource.id() is not None:
            resources.append((resource.id(), resource))
    registry = Registry().with_resources(resources)
    return Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def errors(check, path):
    """What is wrong with one document, as lines."""
    try:
        found = sorted(check.iter_errors(read(path)), key=lambda error: error.json_path)
    except (OSError, ValueError, Unresolvable) as error:
        return [f"{path}: {error}"]
    return [f"{path}: {error.json_path}: {error.message}" for error in found]


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    schema, *documents = arguments
    try:
        check = validator(schema)
    except (OSError, ValueError, SchemaError) as error:
        print(f"{schema}: {getattr(error, 'message', error)}")
        return 1
    failed = False
    for document in documents:
        lines = errors(check, document)
        failed = failed or bool(lines)
        for line in lines or [f"ok {document}"]:
            print(line)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
