"""Writes the document vectors: python generate.py FOLDER. The output depends on nothing but the files beside this one.

A vector is {name, about, kind, input, expect}. `input` holds texts, and bytes in keys that end in `_hex`. `expect` is
"accept" or {"reject": a part of the message}. `world.json` is what the others stand on: trust, and a registry with the
aggregator, a contract, a plan and site-a. Keys are the seeds of `KEYS`, each byte repeated 32 times.
"""

import copy
import json
import sys
from pathlib import Path

import absences
import bundles
import continuity
import disputes
import features
import forms
import governance
import parcels
import private
import releases
import succession
import wire
from world import WORLD


def main():
    (folder,) = map(Path, sys.argv[1:])
    names = set()
    for module in (governance, features, releases, private, absences, continuity, succession, disputes, forms, bundles, wire, parcels):
        for vector in module.vectors():
            assert vector["name"] not in names, vector["name"]
            names.add(vector["name"])
            write(folder, vector)
    write(folder, WORLD)


def write(folder, vector):
    text = json.dumps(copy.deepcopy(vector), indent=2, ensure_ascii=True) + "\n"
    (folder / f"{vector['name']}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
