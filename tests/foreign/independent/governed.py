"""Rules of contract, plan, roster entry and trust that JSON Schema cannot say: schemas/documents.md and features.md."""

import datetime
from decimal import Decimal
from math import prod

from independent import notes
from independent import keys as ed25519
from independent.base import EPOCH, Refused, instant, keep, parse, want

HOUR = 3600 * 10**9
MOST = 2**32
WHOLE = 2**53


def unique(items, code, why):
    want(len({str(item) for item in items}) == len(items), code, f"{why} stands twice")


def contract(data, code):
    value = parse(data, code)
    keep("contract", value, code)
    decision, label, score = value["decision"], value.get("label"), value.get("score")
    task, values = value["task"], decision["values"]
    unique(values, code, "a decision")
    want(decision["favourable"] in values, code, "`favourable` is none of `values`")
    want(task != "multiclass" or 3 <= len(values) <= 20, code, "3 to 20 classes")
    want(task == "multiclass" or len(values) == 2, code, "two decisions")
    want(task == "multiclass" or not decision.get("ordered"), code, "`ordered` is for several classes")
    if label is not None:
        classes = label["values"]
        unique(classes, code, "a label")
        if task == "multiclass":
            want(classes == values and label["positive"] == decision["favourable"], code, "labels are the classes")
        else:
            want(len(classes) == 2 and label["positive"] == classes[1], code, "`positive` is the second label")
    want(task != "multiclass" or label is not None, code, "classes without labels")
    if score is not None:
        want(score["min"] < score["max"], code, "no room for a score")
        bins = score.get("bins", 1280)
        want(bins in [10 * 2**m for m in range(13)], code, f"{bins} bins")
    threshold = decision.get("threshold")
    if threshold is not None:
        want(score is not None and score["min"] <= threshold <= score["max"], code, "`threshold` is outside the score")
    want(task != "regression" or (score is not None and threshold is not None), code, "a regression parts at a threshold")
    attributes(value, code)
    features(value, code)
    return value


def attributes(value, code):
    unique([a["name"] for a in value.get("attribute", [])], code, "an attribute")
    for attribute in value.get("attribute", []):
        unique(attribute["categories"], code, "a category")
        want(not {"other", "unknown"} & set(attribute["categories"]), code, "`other` and `unknown` are always there")


def features(value, code):
    unique([f["name"] for f in value.get("feature", [])], code, "a feature")
    for feature in value.get("feature", []):
        unique(feature.get("categories", []), code, "a category")
        if feature["type"] not in ("number", "integer"):
            continue
        low, high, edges = feature["min"], feature["max"], feature.get("edges", [])
        want(low < high, code, "no room between `min` and `max`")
        ascending = all(a < b for a, b in zip([low, *edges], [*edges, high]))
        want(ascending or not edges, code, "edges ascend strictly between `min` and `max`")
        if feature["type"] == "integer":
            want(all(abs(n) <= WHOLE for n in (low, high)), code, "an integer that is not exact")


def groups(contract_, names):
    """How many groups a slice has."""
    sizes = {a["name"]: len(a["categories"]) + 2 for a in contract_.get("attribute", [])}
    return prod(sizes[name] for name in names)


# Plans.


def steps(start, end, every):
    """The windows of a plan, as (start, end) in nanoseconds."""
    if every is None:
        return [(start, end)]
    if every in ("hour", "day", "week"):
        length = {"hour": 1, "day": 24, "week": 168}[every] * HOUR
        # 1970-01-01 was a Thursday: weeks begin on Monday.
        offset = 4 * 24 * HOUR if every == "week" else 0
        if (start - offset) % length or (end - offset) % length:
            return []
        return [(at, at + length) for at in range(start, min(end, start + 10_002 * length), length)]
    found, at = [], start
    while at < end and len(found) <= 10_000:
        day = EPOCH + datetime.timedelta(hours=at // HOUR)
        if (day.day, day.hour) != (1, 0):
            return []
        after = (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1) - EPOCH
        found.append((at, after.days * 24 * HOUR))
        at = found[-1][1]
    return found if at == end else []


def windows(plan_, code):
    said = plan_["windows"]
    start, end = instant(said["start"], code), instant(said["end"], code)
    want(start < end, code, "a plan ends behind its start")
    found = steps(start, end, said.get("every"))
    want(found and len(found) <= 10_000, code, "whole windows, 10,000 at most")
    return found


def plan(data, code):
    value = parse(data, code)
    keep("plan", value, code)
    found = windows(value, code)
    digests = [named["version"] for named in value.get("model_digest", [])]
    unique(digests, code, "a version")
    want(set(digests) <= set(value["model_versions"]), code, "`model_versions` does not list it")
    slices = value.get("slice", [])
    unique([sorted(s["attributes"]) for s in slices], code, "a slice")
    for s in slices:
        want(len(s["attributes"]) == len(s["reference"]), code, "a category of each attribute")
    disclosure(value, code)
    if "reference" in value:
        reference(value["reference"], code)
    window = value.get("reference_window")
    if window is not None:
        want((instant(window["start"], code), instant(window["end"], code)) in found, code, "not a window of the plan")
    return value


def disclosure(value, code):
    said = value["disclosure"]
    privacy, step = said.get("privacy"), said.get("moment_step")
    if step is not None:
        want(Decimal("0.000001") <= Decimal(step) <= 1, code, "`moment_step` is 0.000001 to 1")
        want(said.get("k", 10) > 1 and privacy is None, code, "`moment_step` needs k above 1, and no noise")
    if privacy is None:
        return
    for key in ("packs", "model_digest", "reference", "reference_window"):
        want(not value.get(key), code, f"`{key}` needs exact counts")
    want(not said.get("hide_zeros"), code, "noise hides zeros by itself")
    epsilon, delta = Decimal(privacy["epsilon"]), privacy.get("delta")
    want(Decimal("0.001") <= epsilon <= 100, code, "epsilon is 0.001 to 100")
    want(epsilon.as_tuple().exponent >= -6, code, "epsilon has six decimals at most")
    gaussian = privacy["mechanism"] == "discrete_gaussian"
    want(gaussian == (delta is not None), code, "delta is for the Gaussian")
    want(delta is None or 0 < Decimal(delta) <= Decimal("0.01"), code, "delta is above 0, up to 0.01")


def reference(said, code):
    counted = [("decisions", said["decisions"])]
    counted += [(key, said[key]) for key in ("labels", "score") if key in said]
    counted += [("slice", s["counts"]) for s in said.get("slice", [])]
    counted += [("feature", [*f["counts"], f.get("missing", 0), f.get("violations", 0)]) for f in said.get("feature", [])]
    for key, counts in counted:
        want(1 <= sum(counts) <= said["events"], code, f"`{key}` adds up to {sum(counts)}")
    unique([s["attributes"] for s in said.get("slice", [])], code, "a slice")
    unique([f["name"] for f in said.get("feature", [])], code, "a feature")


def fits(plan_, contract_, code):
    """A plan over its contract."""
    want(plan_["contract"] == contract_["contract"], code, "another contract")
    categories = {a["name"]: a["categories"] for a in contract_.get("attribute", [])}
    for s in plan_.get("slice", []):
        for name, category in zip(s["attributes"], s["reference"]):
            want(name in categories and category in categories[name], code, f"no {name} = {category}")
        want(groups(contract_, s["attributes"]) <= 10_000, code, "too many groups")
    said = plan_.get("reference", {})
    if "score" in said:
        bins = contract_.get("score", {}).get("bins", 1280 if "score" in contract_ else 0)
        want(len(said["score"]) in halved(bins), code, "bins that halving does not reach")
    listed = [s["attributes"] for s in plan_.get("slice", [])]
    for s in said.get("slice", []):
        want(s["attributes"] in listed, code, "the plan has no such slice")
        want(len(s["counts"]) == groups(contract_, s["attributes"]), code, "a count for each group")
    known = {f["name"]: f for f in contract_.get("feature", [])}
    for f in said.get("feature", []):
        want(f["name"] in known, code, "the contract has no such feature")
        want(len(f["counts"]) == feature_bins(known[f["name"]]), code, "a count for each bin")
        want(known[f["name"]].get("missing") or not f.get("missing"), code, "the contract lets none be absent")


def halved(bins):
    found = []
    while bins >= 10:
        found.append(bins)
        if bins % 2:
            break
        bins //= 2
    return found


def feature_bins(feature):
    kind = feature["type"]
    if kind in ("number", "integer"):
        return len(feature.get("edges", [])) + 1
    return {"boolean": 2, "text": 1}.get(kind) or len(feature["categories"])


# Who is who.


def roster(data, code):
    value = parse(data, code)
    keep("roster-entry", value, code)
    listed = [ed25519.spki(key["key"], code) for key in value["keys"]]
    unique([raw.hex() for raw in listed], code, "a key")
    want(value.get("threshold", 0) <= len(listed) or value["party"] != "governance", code, "more than there are keys")
    ended = value.get("ended", [])
    unique([end["key"] for end in ended], code, "an ended key")
    want(not {ed25519.key_id(raw) for raw in listed} & {end["key"] for end in ended}, code, "a key that has ended")
    want(value.get("version", 1) > 1 or not ended, code, "nothing can have ended yet")
    for end in ended:
        unique([log["origin"] for log in end.get("logs", [])], code, "a log")
        unique([last["plan"] for last in end.get("last", [])], code, "a plan")
    site = isinstance(value["party"], dict) and value["party"]["site"]
    want(site not in ("aggregator", "governance"), code, "choose another name")
    return value


def trust(data, code):
    value = parse(data, code)
    keep("trust", value, code)
    try:
        log = notes.Verifier(value["registry"])
        witnesses = [notes.Verifier(key, 4) for key in value["witnesses"]["keys"]]
    except Refused as refused:
        raise Refused(code, str(refused)) from refused
    want(log.name == f"{value['federation']}/registry", code, "`registry` is of another log")
    governance = [ed25519.spki(key, code) for key in value["governance"]["keys"]]
    want(value["governance"]["threshold"] <= len(set(governance)), code, "more than there are keys")
    want(value["witnesses"]["threshold"] <= len(witnesses), code, "more than there are witnesses")
    unique([raw.hex() for raw in {*governance}] + [log.raw.hex()] + [w.raw.hex() for w in witnesses], code, "a key")
    return value
