#!/usr/bin/env python3
"""Hands one prediction over to a site's agent, with nothing but Python's standard library.

    python3 record_prediction.py --url http://127.0.0.1:7070 --token-file agent-home/keys/intake.token \\
        --event-id request-17 --model-version 2026-05-01 --decision 1 --score 0.75 --attribute gender=Female

When `Sender.send` returns, the events are durable. It sends the same events again after an error that may pass: the
agent knows an event by its id, so that nothing counts twice. One sender holds one connection; give each thread its own.
"""

import argparse
import datetime
import http.client
import json
import pathlib
import sys
import time
import urllib.parse


class Refused(Exception):
    """The agent did not take events, and would not if they came again."""


class Sender:
    """A connection to the agent's intake."""

    def __init__(self, url, token, attempts=10, timeout_s=10.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url} is not http://HOST:PORT")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        self._attempts = attempts

    def send(self, events):
        """Sends events; what the agent answers: counts of taken and duplicates, and the lines that it rejected."""
        body = "".join(json.dumps(event, allow_nan=False) + "\n" for event in events).encode()
        for attempt in range(self._attempts):
            try:
                self._connection.request("POST", "/v1/predictions", body, self._headers)
                response = self._connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                trouble, pause_s = error, 0.1 * 2**attempt
            else:
                if response.status in (200, 422):
                    return json.loads(answer)
                if response.status not in (408, 500, 503):
                    raise Refused(f"{response.status}: {answer.decode(errors='replace')}")
                trouble, pause_s = answer.decode(errors="replace"), float(response.headers.get("Retry-After", 1))
            if attempt + 1 < self._attempts:
                time.sleep(min(pause_s, 5.0))
        raise Refused(f"after {self._attempts} attempts: {trouble}")


def main():
    parser = argparse.ArgumentParser(description="Hands one prediction over to a site's agent.")
    parser.add_argument("--url", required=True, help="where the agent listens: http://127.0.0.1:7070")
    parser.add_argument("--token-file", required=True, type=pathlib.Path, help="keys/intake.token of the agent's home")
    parser.add_argument("--contract", help="may be left out where the site knows one only")
    parser.add_argument("--event-id", required=True)
    parser.add_argument("--model-version", required=True)
    parser.add_argument("--decision")
    parser.add_argument("--score", type=float)
    parser.add_argument("--subject", help="the person concerned, as the site calls them")
    parser.add_argument("--attribute", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()

    event = {
        "event_id": given.event_id,
        "occurred_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "model_version": given.model_version,
        "attributes": dict(attribute.split("=", 1) for attribute in given.attribute),
    }
    for name in ("contract", "decision", "score", "subject"):
        if getattr(given, name) is not None:
            event[name] = getattr(given, name)
    try:
        answer = Sender(given.url, given.token_file.read_text(encoding="ascii").strip()).send([event])
    except (Refused, OSError, ValueError) as error:
        sys.exit(f"not recorded: {error}")
    for rejected in answer["rejected"]:
        sys.exit(f"not recorded: line {rejected['line']}: {rejected['reason']}")
    print(f"taken {answer['taken']}, duplicates {answer['duplicates']}")


if __name__ == "__main__":
    main()
