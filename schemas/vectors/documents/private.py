"""Vectors of releases with noise."""

from encode import document
from releases import ATTEST, CLAIM, WINDOW, attested
from world import DELETE, PRIVATE_ENTRY, changed, digest_of, vector

GROUPS = ["f", "m", "other", "unknown"]
NOISE = {
    "mechanism": "discrete_laplace",
    # Two events of a subject in each of three slices, by 1.5.
    "scale": {"numerator": 4, "denominator": 1},
    "events_per_subject": 2,
}


def noisy(names, counts):
    return {"group": names, "counts": {"noisy": counts}}


RELEASE = {
    "format": 1,
    "site": "site-a",
    "plan": digest_of(PRIVATE_ENTRY),
    "window": WINDOW,
    "rule": "noise-1",
    "k": 5,
    "noise": NOISE,
    "events": 57,
    "outcomes": 53,
    "strata": [
        {
            "model_version": "v1",
            "tier": "full",
            "slices": [
                {"attributes": [], "groups": [noisy([], [[12, 5, -2], [18, 24, 7], [-3, -3, -1]])]},
                {"attributes": ["gender"], "groups": [noisy([g], [[4, -1, 0], [9, 13, 2], [0, 5, -4]]) for g in GROUPS]},
                {
                    "attributes": ["gender", "home"],
                    "groups": [noisy([a, b], [[0, 0, 1], [-2, 3, 0], [1, 0, 0]]) for a in GROUPS for b in ["near", "other", "unknown"]],
                },
            ],
        }
    ],
}
PRIVATE_CLAIM = {**CLAIM, "plan": digest_of(PRIVATE_ENTRY)}
WHOLE = ["strata", 0, "slices", 0, "groups", 0]
FULL = {"full": [[12, 5, 0], [18, 24, 0], [0, 0, 0]]}


def vectors():
    yield case("good", "every count with noise", RELEASE)
    below = changed(RELEASE, WHOLE + ["counts", "noisy"], [[-40, 5, -2], [-18, 24, 7], [-3, -3, -1]])
    yield case("below-zero", "the counts add up to less than none", {**below, "events": 0, "outcomes": 0})
    more = changed(RELEASE, WHOLE + ["counts", "noisy"], [[12, 5, -20], [18, 24, -7], [-3, -3, -1]])
    yield case("more-labels", "more labels than events", {**more, "events": 25, "outcomes": 25})
    for name, about, path, new, reject in TEXTS:
        yield case(name, about, changed(RELEASE, path, new), reject)
    amends = {"envelope": "0" * 64, "reason": "late labels"}
    yield vector("release-noise-amended", "a window is released once", "release",
                 attested(RELEASE, changed(PRIVATE_CLAIM, ["amends"], amends)), "noise: expected one release of each window")


def case(name, about, release, reject=None):
    entry = attested(release, PRIVATE_CLAIM)
    return vector(f"release-noise-{name}", about, "release", entry, reject)


TEXTS = [
    ("none", "the plan asks for noise", ["noise"], DELETE, "noise: expected Some"),
    ("less", "half of the noise", ["noise", "scale", "numerator"], 2, "noise: expected Some"),
    ("not-reduced", "not in lowest terms", ["noise", "scale"], {"numerator": 8, "denominator": 2}, "noise: expected Some"),
    ("other", "another distribution", ["noise", "mechanism"], "discrete_gaussian", "noise: expected Some"),
    ("later", "a distribution of a later version", ["noise", "mechanism"], "staircase", "unknown variant `staircase`"),
    ("more-events", "more events of a subject", ["noise", "events_per_subject"], 3, "noise: expected Some"),
    ("rule", "the rule of exact counts", ["rule"], "rungs-1", "version: expected (1, \"noise-1\")"),
    ("k", "another k", ["k"], 6, "release: expected 5, found 6"),
    ("exact", "a group without noise", WHOLE + ["counts"], FULL, "noise: expected counts with noise"),
    ("withheld", "a group that shows nothing", WHOLE + ["counts"], "withheld", "noise: expected counts with noise"),
    ("fold", "a fold", ["strata", 0, "slices", 1, "folds"], [FULL], "noise: expected 0, found 1"),
    ("scores", "a score histogram", WHOLE + ["scores"], "suppressed", "noise: expected [false, false"),
    ("intake", "what intake counted", ["intake"], {"late": 1}, "noise: expected [false, false"),
    ("quality", "what is seen of features", ["quality"], {"events": "suppressed", "features": []}, "noise: expected [false, false"),
    ("events", "more events than the counts add up to", ["events"], 58, "release: expected [57, 53], found [58, 53]"),
    ("outcomes", "fewer outcomes", ["outcomes"], 52, "release: expected [57, 53], found [57, 52]"),
    ("count-huge", "more than any noise gives", ["strata", 0, "slices", 1, "groups", 0, "counts", "noisy", 0, 0], (1 << 33) + 1,
     "noise: expected counts from"),
    ("count-fraction", "a count that is no integer", ["strata", 0, "slices", 1, "groups", 0, "counts", "noisy", 0, 0], 0.5,
     "release: expected a release document"),
    ("tier", "a sampled tier", ["strata", 0, "tier"], {"sampled": 20}, "release: expected [(\"v1\", Full)]"),
    ("slice-missing", "the intersection is left out", ["strata", 0, "slices", 2], DELETE, "release: expected 3, found 2"),
    ("group-missing", "a group is left out", ["strata", 0, "slices", 1, "groups", 2], DELETE, "release: expected [[\"f\"]"),
]
