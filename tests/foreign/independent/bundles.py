"""bundle.zip: names, order of indices, completeness. From schemas/documents.md."""

import io
import re
import zipfile
import zlib

from independent.base import Refused, want

CODE = "bundle"
FILES, BYTES, INDICES = 1_000_000, 4 << 30, 1_000_000
NEEDED = ["report.json", "report.html", "report.dsse.json"]
NEEDED += [f"{log}/{file}" for log in ("registry", "plan") for file in ("checkpoint", "policy")]


def unpack(data):
    """The files of a bundle by path."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        listed = archive.infolist()
        want(len(listed) <= FILES and sum(info.file_size for info in listed) <= BYTES, CODE, "too much")
        names = [info.orig_filename for info in listed]
        want(len(set(names)) == len(names), CODE, "a path stands twice")
        for name in names:
            path(name)
        files = {info.orig_filename: archive.read(info) for info in listed}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Refused(CODE, f"not a ZIP archive: {error}") from error
    for name in NEEDED:
        want(name in files, CODE, f"no {name}")
    for log in ("registry", "plan"):
        entries(log, files)
    return files


def path(name):
    parts = name.split("/")
    want(all(part not in ("", ".", "..") for part in parts), CODE, f"{name!r} leads elsewhere")
    want("\\" not in name and ":" not in name and "\0" not in name, CODE, f"{name!r} is no path of a bundle")


def entries(log, files):
    """Indices from 0 without a gap, entries not empty, artifacts by digest."""
    indices = []
    for name, data in files.items():
        if name.startswith(f"{log}/entries/"):
            match = re.fullmatch(rf"{log}/entries/(0|[1-9][0-9]*)\.dsse\.json", name, re.ASCII)
            want(match and int(match[1]) < INDICES, CODE, f"{name} is no entry")
            want(data, CODE, f"{name} is empty")
            indices.append(int(match[1]))
        if name.startswith(f"{log}/artifacts/"):
            want(re.fullmatch(rf"{log}/artifacts/[0-9a-f]{{64}}\.json", name, re.ASCII), CODE, f"{name} is no artifact")
    want(sorted(indices) == list(range(len(indices))), CODE, f"an entry of {log} is missing")
