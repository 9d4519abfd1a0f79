"""Holds exchanges against an OpenAPI 3.1 document: paths, methods, statuses, media types, headers, bodies.

An object that was taken must be valid by the request's schema; one that was refused for a key that is not known must
not be. Schemas of OpenAPI 3.1 are JSON Schema 2020-12, so the validator is jsonschema's.
"""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
document = given["document"]


def resolve(node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def errors(schema, value):
    # References are resolved from the document's root.
    return [e.message for e in Draft202012Validator({"components": document["components"], **schema}).iter_errors(value)]


def objects(sent):
    body = sent["body"]
    if sent["media"] != "application/json":
        return [(n, line) for n, line in enumerate(body.split("\n"), 1) if line.strip()]
    value = json.loads(body)
    return [(n, json.dumps(v)) for n, v in enumerate(value, 1)] if isinstance(value, list) else [(1, body)]


for name in document["components"]["schemas"]:
    Draft202012Validator.check_schema(document["components"]["schemas"][name])

missing = set(given["every_key"]) - set(document["components"]["schemas"]["Event"]["properties"])
assert not missing, f"the document does not know {missing}"
tested = set(given["every_key"]) | {"contract", "event_id", "occurred_at", "model_version", "decision", "score", "attributes", "subject"}
missing = set(document["components"]["schemas"]["Event"]["properties"]) - tested
assert not missing, f"no event that was sent has {missing}"

for seen in given["exchanges"]:
    operations = document["paths"][seen["path"]]
    # Another method is refused as any of the path's operations says.
    operation = operations.get(seen["method"]) or next(iter(operations.values()))
    response = resolve(operation["responses"][seen["status"]])
    where = f"{seen['method']} {seen['path']} {seen['status']}"
    present = {name for name, _ in seen["headers"]}
    for header in response.get("headers", {}):
        assert header.lower() in present, f"{where}: no {header}"
    schema = response["content"][seen["media"]]["schema"]
    body = json.loads(seen["body"]) if seen["media"] == "application/json" else seen["body"]
    assert not (found := errors(schema, body)), f"{where}: {found}"
    if seen["sent"] and seen["status"] in ("200", "422"):
        schema = operation["requestBody"]["content"][seen["sent"]["media"]]["schema"]
        schema = resolve(schema["oneOf"][0] if "oneOf" in schema else schema)
        rejected = {r["line"]: r["reason"] for r in body["rejected"]}
        for line, text in objects(seen["sent"]):
            if line not in rejected:
                assert not (found := errors(schema, json.loads(text))), f"{where} line {line}: {found}"
            elif "unknown key" in rejected[line]:
                assert errors(schema, json.loads(text)), f"{where} line {line}: the document allows it"
    if seen["sent"] and seen["status"] == "415":
        assert seen["sent"]["media"] not in operation["requestBody"]["content"], where
