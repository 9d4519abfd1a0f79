"""release.json under its plan and contract: the rules of schemas/documents.md that a reader can check.

Not all of them stand here: of `classes`, `ranks` and `moments` only who may see them, and `hide_zeros` not at all. Whoever
calls this cannot say that a release is good, only that it is not.
"""

from decimal import ROUND_CEILING, Decimal, getcontext
from fractions import Fraction

from independent import details
from independent.base import keep, want

MOST = 2**32
NOISY = 2**33
DETAILS = ("classes", "ranks", "moments", "label_weights", "subjects")
PUBLIC = ("intake", "quality", "operations")


def check(value, plan, contract):
    want(isinstance(value, dict), "release", "not a release")
    privacy = plan["disclosure"].get("privacy")
    if isinstance(value.get("rule"), str) and isinstance(value.get("format"), int):
        said = value["format"], value["rule"]
        want(said == (1, "noise-1" if privacy else "rungs-1"), "version", f"format and rule {said}")
    if privacy:
        want(not set(PUBLIC) & set(value), "noise", "nothing but counts leaves with noise")
        for count in noisy_counts(value):
            want(not isinstance(count, int) or abs(count) <= NOISY, "noise", "more than any noise gives")
    keep("release", value, "release")
    want(value["k"] == plan["disclosure"].get("k", 10), "release", "another k than the plan's")
    strata(value, plan, privacy)
    for stratum in value["strata"]:
        slices(stratum, plan, contract)
    if privacy:
        noise(value, plan, privacy)
        return
    want("noise" not in value, "noise", "the plan asks for none")
    want(value["outcomes"] <= value["events"] <= MOST, "release", "outcomes <= events <= 2^32")
    want(all(count <= MOST for count in value.get("intake", {}).values()), "release", "counts up to 2^32")
    for stratum in value["strata"]:
        exact(stratum, value, plan, contract)
    totals(value)
    details.quality(value, contract)
    details.operations(value)


def strata(value, plan, privacy):
    """Each model version in full, then its sampled tiers, ascending."""
    versions, tiers = [], {}
    for stratum in value["strata"]:
        version, tier = stratum["model_version"], stratum["tier"]
        if tier == "full":
            versions.append(version)
            continue
        want(not privacy, "release", "no tier leaves with noise")
        want(versions and versions[-1] == version, "release", "a tier stands behind its version in full")
        want(tier["sampled"] > tiers.get(version, 1), "release", "tiers ascend")
        tiers[version] = tier["sampled"]
        whole = details.Block(stratum["slices"][0]["groups"][0]["counts"])
        want(whole.n != 0, "release", "a tier without events")
    want(versions == plan["model_versions"], "release", "each model version in full")
    named = {model["version"] for model in plan.get("model_digest", [])}
    for stratum in value["strata"]:
        want(("identity" in stratum) == (stratum["model_version"] in named), "release", "the models that the plan names")


def slices(stratum, plan, contract):
    listed = [[], *(s["attributes"] for s in plan.get("slice", []))]
    want([s["attributes"] for s in stratum["slices"]] == listed, "release", "the slices of the plan")
    categories = {a["name"]: [*a["categories"], "other", "unknown"] for a in contract.get("attribute", [])}
    for s in stratum["slices"]:
        groups = [[]]
        for name in s["attributes"]:
            groups = [[*group, category] for group in groups for category in categories[name]]
        want([g["group"] for g in s["groups"]] == groups, "release", "all groups in order")


# Counts as they are.


def exact(stratum, value, plan, contract):
    k, whole = value["k"], None
    for s in stratum["slices"]:
        blocks = details.blocks(s, k)
        if whole is None:
            (whole,) = blocks
        all_full = all(details.Block(g["counts"]).cells for g in s["groups"])
        want(not all_full or whole.cells, "release", "all events in full where each group is")
        details.parts(blocks, whole, value["events"])
        details.scores(s, contract, plan, k, all_full)
        for key in DETAILS:
            shown = ["value" in g[key] for g in s["groups"] if key in g and g[key] != "suppressed"]
            want(not shown or (all_full and len(shown) == len(s["groups"])), "release", f"`{key}` of all groups, in full")
    detail(stratum, contract, k)
    details.histograms(stratum["slices"], plan)


def detail(stratum, contract, k):
    """Who may see the five parts, and two of these."""
    groups = [g for s in stratum["slices"] for g in s["groups"]]
    for key in DETAILS:
        want(len({key in g for g in groups}) == 1, "release", f"`{key}` in each group, or in none")
    multiclass = contract["task"] == "multiclass"
    want(("classes" in groups[0]) == multiclass and ("ranks" in groups[0]) <= multiclass, "release", "parts of the task")
    want(("moments" in groups[0]) == (contract["task"] == "regression"), "release", "moments of a regression")
    for group in groups:
        block = details.Block(group["counts"])
        if group.get("label_weights", "suppressed") != "suppressed":
            details.label_weights(group["label_weights"]["value"], block)
        if group.get("subjects", "suppressed") != "suppressed":
            details.subjects(group["subjects"]["value"], block, k)


def totals(value):
    wholes = [details.Block(s["slices"][0]["groups"][0]["counts"]) for s in value["strata"]]
    events, labels = [w.n for w in wholes], [w.labels and sum(w.labels[:2]) for w in wholes]
    for seen, public in ((events, value["events"]), (labels, value["outcomes"])):
        known = [n for n in seen if n is not None]
        good = sum(known) == public if len(known) == len(seen) else sum(known) <= public
        want(good, "release", f"{sum(known)} of {public}")


# Counts with noise.


def noisy_counts(value):
    """Everything that stands where noisy counts do, whatever the shape."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "noisy" and isinstance(inner, list):
                yield from (count for row in inner if isinstance(row, list) for count in row)
            else:
                yield from noisy_counts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from noisy_counts(inner)


def noise(value, plan, privacy):
    scale = scale_of(privacy, 1 + len(plan.get("slice", [])))
    wanted = {
        "mechanism": privacy["mechanism"],
        "scale": {"numerator": scale.numerator, "denominator": scale.denominator},
        "events_per_subject": privacy["events_per_subject"],
    }
    want(value.get("noise") == wanted, "noise", f"{wanted} is the plan's")
    events = outcomes = 0
    for stratum in value["strata"]:
        for s in stratum["slices"]:
            want("folds" not in s, "noise", "no folds")
            for group in s["groups"]:
                want(isinstance(group["counts"], dict) and "noisy" in group["counts"], "noise", "counts with noise")
                want(set(group) == {"group", "counts"}, "noise", "nothing beside the counts")
        whole = stratum["slices"][0]["groups"][0]["counts"]["noisy"]
        events += sum(map(sum, whole))
        outcomes += sum(row[0] + row[1] for row in whole)
    events = min(max(events, 0), MOST)
    said = value["events"], value["outcomes"]
    want(said == (events, min(max(outcomes, 0), events)), "release", "what the counts add up to")


def scale_of(privacy, count):
    """The scale of the noise, in lowest terms; that of the Gaussian rounded up to thousandths."""
    m, epsilon = privacy["events_per_subject"], privacy["epsilon"]
    if privacy["mechanism"] == "discrete_laplace":
        return Fraction(m * count) / Fraction(epsilon)
    getcontext().prec = 60
    log = -Decimal(privacy["delta"]).ln()
    rho = ((Decimal(epsilon) + log).sqrt() - log.sqrt()) ** 2
    sigma = Decimal(m * m * count).sqrt() / (2 * rho).sqrt()
    return Fraction(sigma.quantize(Decimal("0.001"), ROUND_CEILING))


