"""Vectors of bundle.zip: what unpacking accepts. What the files say is checked afterwards, by whole-system tests."""

import io
import warnings
import zipfile

from encode import digest
from world import vector

FILES = [
    ("report.json", "{}"),
    ("report.html", "<p>"),
    ("report.dsse.json", "{}"),
    ("registry/checkpoint", "c"),
    ("registry/policy", "p"),
    ("registry/entries/0.dsse.json", "{}"),
    (f"registry/artifacts/{digest('a')}.json", "a"),
    ("plan/checkpoint", "c"),
    ("plan/policy", "p"),
    ("plan/entries/0.dsse.json", "{}"),
    ("plan/entries/1.dsse.json", "{}"),
    ("keys/a.pem", "k"),
]


def packed(files):
    """A ZIP archive of stored files, all of the year 1980."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, text in files:
            archive.writestr(zipfile.ZipInfo(path), text)
    return out.getvalue()


def vectors():
    def case(name, about, archive, reject=None):
        return vector(f"bundle-{name}", about, "bundle", {"archive_hex": archive.hex()}, reject)

    good = packed(FILES)
    yield case("good", "all that must be there", good)
    yield case("unordered", "files in another order", packed(FILES[::-1]))
    yield case("no-archive", "no ZIP file", b"report", "bundle: expected a ZIP file")
    yield case("cut", "the directory is cut off", good[:-40], "bundle: expected a ZIP file")
    for missing in ["report.json", "report.dsse.json", "registry/checkpoint", "plan/policy"]:
        files = [file for file in FILES if file[0] != missing]
        name = "without-" + missing.replace("/", "-").replace(".", "-")
        yield case(name, f"no {missing}", packed(files), f"bundle: expected a file {missing}")
    gap = [file for file in FILES if file[0] != "plan/entries/0.dsse.json"]
    yield case("gap", "an entry is missing", packed(gap), "bundle: expected a file plan/entries/0.dsse.json")
    more = [
        ("twice", "a path twice", ("report.json", "[]"), "twice"),
        ("parent", "a path that leads outside", ("../report.json", "{}"), "expected relative paths inside the bundle"),
        ("absolute", "a path from the root", ("/report.json", "{}"), "expected relative paths inside the bundle"),
        ("inner-parent", "a path that leads out and in", ("a/../report.json", "{}"), "expected relative paths"),
        ("drive", "a path with a drive", ("c:report.json", "{}"), "expected relative paths inside the bundle"),
        ("backslash", "a separator of other systems", ("a\\b", "{}"), "expected relative paths inside the bundle"),
        ("index-zero", "an index with a leading zero", ("plan/entries/02.dsse.json", "{}"), "entries/<index>.dsse.json"),
        ("index-plus", "an index with a sign", ("plan/entries/+2.dsse.json", "{}"), "entries/<index>.dsse.json"),
        ("index-huge", "an index beyond the limit", ("plan/entries/1000000.dsse.json", "{}"), "entries/<index>.dsse.json"),
        ("index-text", "an entry of another name", ("plan/entries/2.json", "{}"), "entries/<index>.dsse.json"),
        ("entry-empty", "an entry without bytes", ("plan/entries/2.dsse.json", ""), "plan/entries/2.dsse.json"),
        ("artifact-name", "an artifact not named by its digest", ("plan/artifacts/a.json", "a"), "artifacts/<sha256>.json"),
        ("artifact-uppercase", "a digest in uppercase", (f"plan/artifacts/{digest('a').upper()}.json", "a"),
         "artifacts/<sha256>.json"),
    ]
    for name, about, file, reject in more:
        yield case(name, about, packed([*FILES, file]), reject)
