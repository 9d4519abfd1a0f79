"""Checks an attestation with libraries that nobody here wrote: securesystemslib (DSSE) and in-toto-attestation.

    python verify_attestation.py ENVELOPE --key PEM [--key PEM ...] [NAME=FILE ...]

ENVELOPE is a DSSE envelope in JSON; one signature by one of the keys is enough. Every subject of the statement needs
one NAME=FILE whose bytes have the subject's SHA-256, and every NAME must be a subject. Prints `ok <predicateType>` and
exits with 0, otherwise prints why not and exits with 1 (2: usage).
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Refused(Exception):
    """The attestation does not hold."""


def read_key(path):
    """A public key under our key id: lowercase hex SHA-256 of the SubjectPublicKeyInfo in DER."""
    public = load_pem_public_key(Path(path).read_bytes())
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(public, keyid=hashlib.sha256(spki).hexdigest())


def no_duplicates(pairs):
    """An object hook that refuses what json would silently overwrite."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("an object has the same key twice")
    return members


def verified_statement(envelope_path, key_paths):
    """The statement, parsed only after its signature held."""
    document = json.loads(Path(envelope_path).read_bytes(), object_pairs_hook=no_duplicates)
    envelope = Envelope.from_dict(document)
    envelope.verify([read_key(path) for path in key_paths], 1)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Refused(f"payload type is {envelope.payload_type!r}, not {PAYLOAD_TYPE!r}")
    json.loads(envelope.payload, object_pairs_hook=no_duplicates)
    statement = Statement.copy_from_pb(json_format.Parse(envelope.payload, StatementMessage()))
    statement.validate()
    return statement.pb


def check_subjects(statement, artifacts):
    """Every subject is one of the artifacts, by name and by digest, and no artifact is left over."""
    names = [subject.name for subject in statement.subject]
    if len(set(names)) != len(names):
        raise Refused(f"two subjects have one name: {names}")
    for name in artifacts.keys() - set(names):
        raise Refused(f"{name!r} is not a subject; the subjects are {names}")
    for subject in statement.subject:
        if subject.name not in artifacts:
            raise Refused(f"no artifact given for subject {subject.name!r}")
        if "sha256" not in subject.digest:
            raise Refused(f"subject {subject.name!r} has no sha256")
        actual = hashlib.sha256(Path(artifacts[subject.name]).read_bytes()).hexdigest()
        if actual != subject.digest["sha256"]:
            raise Refused(f"subject {subject.name!r}: sha256 is {actual}, the statement says {subject.digest['sha256']}")


def artifact(argument):
    """NAME=FILE as a pair."""
    name, equals, path = argument.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=FILE")
    return name, path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("envelope", metavar="ENVELOPE")
    parser.add_argument("--key", metavar="PEM", action="append", required=True)
    parser.add_argument("artifacts", metavar="NAME=FILE", nargs="*", type=artifact)
    arguments = parser.parse_intermixed_args()
    artifacts = dict(arguments.artifacts)
    if len(artifacts) != len(arguments.artifacts):
        parser.error("one NAME is given twice")
    try:
        statement = verified_statement(arguments.envelope, arguments.key)
        check_subjects(statement, artifacts)
    except Exception as error:  # The libraries raise a dozen kinds; each of them is a refusal.
        print(f"refused: {arguments.envelope}: {type(error).__name__}: {error}")
        return 1
    print(f"ok {statement.predicate_type}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
