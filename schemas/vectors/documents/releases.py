"""Vectors of releases: the document, what the site claims of it, its place after those before it, log entries."""

from encode import document, digest, seal
from world import CONTRACT_ENTRY, DELETE, KEYS, PLAN_ENTRY, changed, digest_of, journal, said, vector

WINDOW = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
NEXT = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
ATTEST = KEYS["site-a-attest"]


def scores(refused, granted):
    """All scores of label 0 in bin 3, of label 1 in bin 17."""
    q = [800_000_000, 3_800_000_000]
    counts = [refused, granted]
    bins = [[[bin_, n, str(n * value)]] if n else [] for bin_, n, value in zip([3, 17], counts, q)]
    squares = [str(n * value * value) for n, value in zip(counts, q)] + ["0"]
    return {"value": {"bins": 20, "no_score": [0, 0, 0], "square_sums": squares, "histogram": bins + [[]]}}


def group(names, refuse, grant):
    """Decision by label: `refuse` and `grant` are (default, repaid)."""
    counts = [[*refuse, 0], [*grant, 0], [0, 0, 0]]
    return {"group": names, "counts": {"full": counts}, "scores": scores(refuse[0] + grant[0], refuse[1] + grant[1])}


def hidden(names):
    return {"group": names, "counts": "withheld", "scores": "suppressed"}


# The last bucket of a log-linear histogram.
LAST = (56 << 7) + 255

RELEASE = {
    "format": 1,
    "site": "site-a",
    "plan": digest_of(PLAN_ENTRY),
    "window": WINDOW,
    "rule": "rungs-1",
    "k": 5,
    "events": 60,
    "outcomes": 60,
    "intake": {"sampled": 950, "duplicate": 3, "late": 1},
    "quality": {
        "events": {"value": 60},
        "features": [
            {"feature": "income", "missing": {"value": 12}, "violations": "suppressed", "histogram": "suppressed"},
            {"feature": "first", "missing": {"value": 0}, "violations": {"value": 5}, "histogram": {"value": [30, 25]}},
        ],
    },
    "operations": {
        "latency_us": {"value": [[0, 499, 20], [500, 511, 7], [512, LAST, 33]]},
        "label_delay_s": {"value": [[0, LAST, 60]]},
        "cost_micros": {"value": {"events": 55, "sum": "123456789012345678901"}},
        "tokens_in": "suppressed",
        "tokens_out": {"value": {"events": 0, "sum": "0"}},
    },
    "strata": [
        {
            "model_version": "v1",
            "tier": "full",
            "slices": [
                {"attributes": [], "groups": [group([], (10, 5), (20, 25))]},
                {
                    "attributes": ["gender"],
                    "groups": [
                        group(["f"], (5, 0), (10, 10)),
                        group(["m"], (5, 5), (10, 15)),
                        group(["other"], (0, 0), (0, 0)),
                        group(["unknown"], (0, 0), (0, 0)),
                    ],
                },
                {
                    "attributes": ["gender", "home"],
                    "groups": [hidden([a, b]) for a in ["f", "m", "other", "unknown"] for b in ["near", "other", "unknown"]],
                },
            ],
        }
    ],
}

CLAIM = {
    "site": "site-a",
    "plan": digest_of(PLAN_ENTRY),
    "contract": digest_of(CONTRACT_ENTRY),
    "window": WINDOW,
    "epoch": 1,
    "sequence": 0,
    "previous": None,
    "amends": None,
    "journal": journal(),
    "raw": "0" * 64,
    "software": "vectors 1",
}


def attested(release=RELEASE, claim=CLAIM, key=ATTEST, text=None, **more):
    text = text or document(release)
    return {"envelope": seal(said({"release": claim}, [("release.json", text)], **more), key), "artifact": text}


def vectors():
    yield from texts()
    yield from claims()
    yield from sequences()
    yield from entries()


WHOLE = ["strata", 0, "slices", 0, "groups", 0]
GENDER = ["strata", 0, "slices", 1]
F = GENDER + ["groups", 0]
F_COUNTS = F + ["counts", "full"]
F_SCORES = F + ["scores", "value"]


def case(name, about, entry, reject=None):
    return vector(f"release-{name}", about, "release", entry, reject)


def texts():
    """What stands in release.json."""
    yield case("good", "two slices visible, an intersection withheld", attested())
    withheld = changed(RELEASE, GENDER + ["groups"], [hidden([g]) for g in ["f", "m", "other", "unknown"]])
    yield case("withheld", "only the whole is visible", attested(withheld))
    nothing = changed(withheld, ["strata", 0, "slices", 0, "groups"], [hidden([])])
    yield case("nothing-visible", "nothing but the two public numbers", attested(nothing))
    only_counts = RELEASE
    for at in range(4):
        only_counts = changed(only_counts, GENDER + ["groups", at, "scores"], "suppressed")
    yield case("rungs", "totals, numbers of events, and groups shown together", attested(rungs()))
    for name, about, path, new, reject in RUNGS:
        yield case(name, about, attested(changed(rungs(), path, new)), reject)
    yield case("counts-without-histogram", "the histograms of a slice alone are withheld", attested(only_counts))
    for name, about, path, new in HISTOGRAMS:
        yield case(name, about, attested(changed(RELEASE, path, new)), "release: ")
    for name, about, path, new, reject in TEXTS:
        yield case(name, about, attested(changed(RELEASE, path, new)), reject)
    for name, about, weights, people, reject in DETAILS:
        yield case(name, about, attested(detailed(weights, people)), reject)
    yield case("classes-of-two", "the contract has two classes",
               attested(changed(RELEASE, WHOLE + ["classes"], {"value": [[0] * 3] * 3})), "release: expected [false, false, false]")
    yield from tiers()
    text = document(RELEASE).replace('"late":1', '"late":1,"late":1')
    yield case("intake-twice", "a count stands twice", attested(text=text), "a count stands twice")
    text = document(RELEASE).replace('"k":5', '"k":5,"k":5')
    yield case("twice", "a key stands twice", attested(text=text), "duplicate field `k`")
    text = document(RELEASE) + "\n{}"
    yield case("trailing", "something after the document", attested(text=text), "trailing characters")
    altered = {**attested(), "artifact": document(changed(RELEASE, ["events"], 61))}
    yield case("altered", "the file is not the one that was signed", altered, "artifact: ")


def rungs():
    """Of genders the totals; of their intersection with home one number, and two groups together."""
    release = RELEASE
    for at, (decisions, labels) in enumerate([([8, 20, 0], [15, 13, 0]), ([7, 25, 0], [15, 17, 0])]):
        totals = {"counts": {"margins": {"decisions": decisions, "labels": labels}}, "scores": "suppressed"}
        release = changed(release, GENDER + ["groups", at], {"group": [["f"], ["m"]][at], **totals})
    for at in [2, 3]:
        release = changed(release, GENDER + ["groups", at, "scores"], "suppressed")
    for at, counts in enumerate([{"n": 14}, {"folded": 0}, {"folded": 0}]):
        release = changed(release, BOTH + ["groups", at, "counts"], counts)
    return changed(release, BOTH + ["folds"], [{"n": 6}])


BOTH = ["strata", 0, "slices", 2]
F_MARGINS = F + ["counts", "margins"]
NEAR = BOTH + ["groups", 0, "counts"]
FOLD = BOTH + ["folds"]
FOLDS = "release: expected folds of two groups or more that show something"

RUNGS = [
    ("margins-below-k", "a total that should have been hidden", F_MARGINS + ["decisions"], [4, 24, 0], "release: expected counts of 0 or 5"),
    ("margins-differ", "rows and columns of different events", F_MARGINS + ["decisions"], [9, 20, 0], "release: expected 29, found 28"),
    ("margins-sums", "totals that do not add up to the whole's", F_MARGINS + ["decisions"], [9, 19, 0],
     "release: expected [15, 45, 0, 30, 30, 0]"),
    ("margins-alone", "no labels", F_MARGINS + ["labels"], DELETE, "missing field `labels`"),
    ("margins-of-none", "totals of no events", GENDER + ["groups", 2, "counts"],
     {"margins": {"decisions": [0, 0, 0], "labels": [0, 0, 0]}}, "release: expected a block without events in full"),
    ("margins-histogram", "a histogram beside totals", F + ["scores"], scores(15, 13), "release: expected no histogram"),
    ("n-below-k", "four events", NEAR, {"n": 4}, "release: expected counts of 0 or 5"),
    ("n-of-none", "no events", NEAR, {"n": 0}, "release: expected a block without events in full"),
    ("n-beyond", "more than all events", NEAR, {"n": 61}, "release: expected parts of [60]"),
    ("n-text", "a number as text", NEAR, {"n": "14"}, "release: expected a release document"),
    ("two-rungs", "a block at two rungs", NEAR, {"n": 14, "folded": 0}, "release: expected a release document"),
    ("folded-nowhere", "a fold that is not there", NEAR, {"folded": 1}, "release: expected 1 folds, found 1"),
    ("fold-missing", "groups shown together, without the sum", FOLD, DELETE, "release: expected 0 folds, found 0"),
    ("fold-of-one", "a group shown together with nobody", BOTH + ["groups", 1, "counts"], "withheld", FOLDS),
    ("fold-of-nobody", "a sum of no group", FOLD, [{"n": 6}, {"n": 6}], FOLDS),
    ("fold-withheld", "a sum that shows nothing", FOLD, ["withheld"], FOLDS),
    ("fold-folded", "a fold in a fold", FOLD, [{"folded": 0}], FOLDS),
    ("fold-below-k", "three events together", FOLD, [{"n": 3}], "release: expected counts of 0 or 5"),
    ("fold-beyond", "more together than there are", FOLD, [{"n": 47}], "release: expected parts of [60]"),
]

# Labels of the whole: 10 and 5 refused, 20 and 25 granted. Those granted and repaid stand for 4 events each.
SUMS = [["10", "5"], ["20", "100"], ["0", "0"]]
SQUARES = [["10", "5"], ["20", "400"], ["0", "0"]]
WEIGHTS = {"sums": SUMS, "squares": SQUARES}
# Fifty people, ten of whom were granted a loan twice and repaid both (cell 4).
PEOPLE = {"subjects": 50, "without": 0, "pairs": [[4, 4, 20]]}


def detailed(weights=None, people=None):
    """Details of the whole, withheld of all groups."""
    release = RELEASE
    for at, slice_ in enumerate(RELEASE["strata"][0]["slices"]):
        for nth, _ in enumerate(slice_["groups"]):
            path = ["strata", 0, "slices", at, "groups", nth]
            for key, value in [("label_weights", weights), ("subjects", people)]:
                if value is not None:
                    release = changed(release, path + [key], {"value": value} if at == 0 else "suppressed")
    return release


DETAILS = [
    ("label-weights", "some labels stand for four events", WEIGHTS, None, None),
    ("label-weights-few", "fewer than there are labels", {**WEIGHTS, "sums": [["9", "5"], *SUMS[1:]]}, None,
     "release: expected sums of the weights of 10 labels"),
    ("label-weights-squares", "squares that no weights have", {**WEIGHTS, "squares": [*SQUARES[:1], ["20", "399"], SQUARES[2]]}, None,
     "release: expected sums of the weights of 25 labels"),
    ("label-weights-none", "of labels that are not there", {**WEIGHTS, "sums": [*SUMS[:2], ["1", "0"]]}, None,
     "release: expected sums of the weights of 0 labels"),
    ("subjects", "people who come back", None, PEOPLE, None),
    ("subjects-once", "everybody came once", None, {"subjects": 60, "without": 0, "pairs": []}, None),
    ("subjects-below-k", "four people", None, {**PEOPLE, "subjects": 4}, "release: expected counts of 0 or 5"),
    ("subjects-many", "more people than events", None, {**PEOPLE, "subjects": 61}, "release: expected people and pairs of 60 events"),
    ("subjects-pairs-few", "five come again, in four pairs", None, {**PEOPLE, "subjects": 55, "pairs": [[4, 4, 9]]},
     "release: expected people and pairs"),
    ("subjects-pairs-many", "more pairs than events allow", None, {**PEOPLE, "pairs": [[4, 4, 601]]}, "release: expected people and pairs"),
    ("subjects-pairs-order", "the second cell below the first", None, {**PEOPLE, "pairs": [[4, 3, 20]]}, "release: expected people and pairs"),
    ("subjects-pairs-twice", "a pair of cells twice", None, {**PEOPLE, "pairs": [[4, 4, 20], [4, 4, 20]]}, "release: expected people and pairs"),
    ("subjects-pairs-cell", "a tenth cell", None, {**PEOPLE, "pairs": [[4, 9, 20]]}, "release: expected people and pairs"),
]


def tiers():
    """Sampled tiers stand behind the full one, by how many an event stands for."""
    full = RELEASE["strata"][0]

    def of(*strata, events):
        return attested({**RELEASE, "events": events, "outcomes": events, "strata": list(strata), "quality": LITTLE,
                         "operations": {**RELEASE["operations"], "label_delay_s": "suppressed"}})

    def tier(number):
        return {**full, "tier": {"sampled": number}}

    none = changed(full, ["slices", 0, "groups", 0], group([], (0, 0), (0, 0)))
    groups = [hidden([g]) for g in ["f", "m", "other", "unknown"]]
    none = changed(changed(none, ["slices", 1, "groups"], groups), ["tier"], {"sampled": 20})
    order = "release: expected each model version in full"
    yield case("tier-sampled", "a tier of one in 20 beside the full one", of(full, tier(20), events=120))
    yield case("tier-two", "two tiers", of(full, tier(10), tier(20), events=180))
    yield case("tier-order", "tiers out of order", of(full, tier(20), tier(10), events=180), order)
    yield case("tier-twice", "a tier twice", of(full, tier(20), tier(20), events=180), order)
    yield case("tier-before-full", "a sampled tier before the full one", of(tier(20), full, events=120), order)
    yield case("tier-one", "one in one is no sample", of(full, tier(1), events=120), "release: expected tiers that sample")
    yield case("tier-zero", "one in none", of(full, tier(0), events=120), "release: expected tiers that sample")
    yield case("tier-negative", "a negative number", of(full, tier(-2), events=120), "release: expected a release document")
    yield case("tier-empty", "a tier without events", of(full, none, events=60), "release: expected tiers that sample")
    yield case("tier-events", "events of a tier not added", of(full, tier(20), events=60), "release: expected 60, found 120")


LITTLE = {
    "events": {"value": 0},
    "features": [
        {"feature": name, "missing": {"value": 0}, "violations": {"value": 0}, "histogram": {"value": [0] * bins}}
        for name, bins in [("income", 3), ("first", 2)]
    ],
}

FIRST = ["quality", "features", 1, "histogram", "value"]
LATENCY = ["operations", "latency_us", "value"]
COST = ["operations", "cost_micros", "value"]
RANGES = "release: expected ascending ranges of buckets, with 5 events or more"

HISTOGRAMS = [
    ("whole-without-histogram", "withheld of all events, visible of its parts", WHOLE + ["scores"], "suppressed"),
    ("group-without-histogram", "withheld of one group of a slice", F + ["scores"], "suppressed"),
    ("histograms-differ", "groups whose sums are not the whole's", WHOLE + ["scores", "value", "square_sums", 1], "0"),
]

TEXTS = [
    ("unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
    ("no-k", "a key is missing", ["k"], DELETE, "missing field `k`"),
    ("format-2", "a later format", ["format"], 2, "version: expected (1, \"rungs-1\")"),
    ("rule", "another rule", ["rule"], "blunt-1", "version: expected (1, \"rungs-1\")"),
    ("k", "another k than the plan's", ["k"], 1, "release: expected 5"),
    ("site", "the document names another site", ["site"], "site-b", "release: "),
    ("window", "the document names another window", ["window"], NEXT, "release: "),
    ("window-key", "a key that nobody reads, in the window", ["window", "tz"], "UTC", "unknown field `tz`"),
    ("negative", "a negative count", F_COUNTS + [0, 0], -5, "invalid value: integer `-5`, expected u64"),
    ("fraction", "half an event", F_COUNTS + [0, 0], 5.5, "invalid type: floating point `5.5`, expected u64"),
    ("float", "a whole number as a fraction", F_COUNTS + [0, 0], 5.0, "invalid type: floating point `5.0`, expected u64"),
    ("count-text", "a count as text", F_COUNTS + [0, 0], "5", "invalid type: string \"5\", expected u64"),
    ("count-2-64", "beyond 64 bits", F_COUNTS + [0, 0], 1 << 64, "expected u64"),
    ("count-huge", "beyond what a release may hold", F_COUNTS + [0, 0], (1 << 32) + 1, "release: expected counts of 0 or 5"),
    ("between-0-and-k", "a count that should have been hidden", F_COUNTS + [0, 0], 4, "release: expected counts of 0 or 5"),
    ("one", "a single event", F_COUNTS + [2, 2], 1, "release: expected counts of 0 or 5"),
    ("sums", "the groups do not add up to the whole", F_COUNTS + [1, 0], 11, "release: "),
    ("events", "more events than the groups hold", ["events"], 61, "release: expected 61, found 60"),
    ("outcomes", "fewer outcomes than the groups hold", ["outcomes"], 59, "release: expected 59, found 60"),
    ("outcomes-beyond-events", "more outcomes than events", ["outcomes"], 61, "release: expected outcomes <= events"),
    ("events-huge", "beyond what a release may hold", ["events"], (1 << 32) + 1, "release: expected outcomes <= events"),
    ("version", "another model version", ["strata", 0, "model_version"], "v2", "release: expected [\"v1\"]"),
    ("no-stratum", "no model version", ["strata"], [], "release: expected [\"v1\"]"),
    ("tier", "a tier of a later version", ["strata", 0, "tier"], "half", "unknown variant `half`"),
    ("tier-number", "a sampled tier without its number", ["strata", 0, "tier"], "sampled", "release: expected a release document"),
    ("tier-not-full", "the full tier is always there", ["strata", 0, "tier"], {"sampled": 20}, "release: expected [\"v1\"]"),
    ("intake-none", "intake met nothing worth counting", ["intake"], DELETE, None),
    ("intake-zero", "a count of 0 is left out", ["intake", "paired"], 0, "a count of 0 is left out"),
    ("intake-unknown", "a count of a later version", ["intake", "lost"], 3, "unknown variant `lost`"),
    ("intake-negative", "fewer than none", ["intake", "late"], -1, "invalid value: integer `-1`, expected u64"),
    ("intake-huge", "beyond what a release may hold", ["intake", "late"], (1 << 32) + 1, "release: expected counts up to"),
    ("intake-list", "a list where an object stands", ["intake"], [], "expected counts by name"),
    ("identity", "the plan names no model", ["strata", 0, "identity"],
     {"value": {"equal": 5, "different": 0, "absent": 0}}, "release: expected false, found true"),
    ("quality-none", "the contract has features", ["quality"], DELETE, "release: expected the quality of features"),
    ("quality-hidden", "all of it withheld", ["quality"],
     {"events": "suppressed", "features": [
         {"feature": name, "missing": "suppressed", "violations": "suppressed", "histogram": "suppressed"}
         for name in ["income", "first"]]}, None),
    ("quality-unknown-key", "a key that nobody reads", ["quality", "note"], "", "unknown field `note`"),
    ("quality-feature-missing", "a feature is left out", ["quality", "features", 1], DELETE, "release: expected [\"income\", \"first\"]"),
    ("quality-feature-name", "another feature", ["quality", "features", 1, "feature"], "age", "release: expected [\"income\", \"first\"]"),
    ("quality-below-k", "a count that should have been hidden", ["quality", "features", 0, "violations"], {"value": 4},
     "release: expected counts of 0 or 5"),
    ("quality-few-left", "all but three", ["quality", "features", 0, "missing"], {"value": 57}, "release: expected counts of 0 or 5"),
    ("quality-few-neither", "all but three, together", ["quality", "features", 1, "missing"], {"value": 52},
     "release: expected counts of 0 or 5"),
    ("quality-beyond-events", "more than there are events", ["quality", "features", 0, "missing"], {"value": 61},
     "release: expected counts of 0 or 5"),
    ("quality-events-few-left", "all events but three came with features", ["quality", "events"], {"value": 57},
     "release: expected counts of 0 or 5"),
    ("histogram-below-k", "a bin that should have been hidden", FIRST, [51, 4], "release: expected counts of 0 or 5"),
    ("histogram-bins", "a bin too many", FIRST, [30, 20, 5], "release: expected 2, found 3"),
    ("histogram-values", "a value too few", FIRST, [30, 24], "release: expected Some(55), found Some(54)"),
    ("histogram-of-hidden-sum", "its violations are withheld", ["quality", "features", 0, "histogram"],
     {"value": [16, 16, 16]}, "release: expected no histogram where its sum is hidden"),
    ("operations-none", "each label took some time", ["operations"], DELETE, "release: expected 0, found 60"),
    ("label-delay-few", "delays of five labels left out", ["operations", "label_delay_s", "value"], [[0, LAST, 55]],
     "release: expected 60, found 55"),
    ("label-delay-hidden", "they are withheld", ["operations", "label_delay_s"], "suppressed", None),
    ("operations-missing", "a part is left out", ["operations", "cost_micros"], DELETE, "missing field `cost_micros`"),
    ("range-below-k", "a range that should have been joined", LATENCY, [[0, 499, 56], [500, LAST, 4]], RANGES),
    ("range-gap", "buckets without events", LATENCY, [[7, 499, 20], [501, 600, 40]], None),
    ("range-order", "out of order", LATENCY, [[500, LAST, 40], [0, 499, 20]], RANGES),
    ("range-overlap", "a bucket twice", LATENCY, [[0, 500, 20], [500, LAST, 40]], RANGES),
    ("range-beyond", "beyond the last bucket", LATENCY, [[0, LAST + 1, 60]], RANGES),
    ("range-few-left", "all events but three", LATENCY, [[0, LAST, 57]], "release: expected 0 or 5 to 60 events"),
    ("range-many", "more than there are events", LATENCY, [[0, LAST, 61]], "release: expected 0 or 5 to 60 events"),
    ("sum-below-k", "four costs", COST, {"events": 4, "sum": "1"}, "release: expected 0 or 5 to 60 events"),
    ("sum-of-none", "a sum of nothing", COST, {"events": 0, "sum": "1"}, "release: expected a sum of as many values"),
    ("slice-missing", "the intersection is left out", ["strata", 0, "slices", 2], DELETE, "release: expected 3 slices"),
    ("slice-order", "a slice in another's place", GENDER + ["attributes"], ["home"], "release: expected [\"gender\"]"),
    ("group-order", "groups in another order", GENDER + ["groups"],
     [RELEASE["strata"][0]["slices"][1]["groups"][at] for at in [1, 0, 2, 3]], "release: expected [[\"f\"], [\"m\"]"),
    ("group-missing", "the group without events is left out", GENDER + ["groups", 2], DELETE, "release: expected [[\"f\"]"),
    ("two-labels", "a count too few", F_COUNTS + [0, 2], DELETE, "release: expected a release document"),
    ("partly-hidden", "one group of a slice withheld", F, hidden(["f"]), "release: expected histograms of all groups at one resolution"),
    ("hidden-word", "another word for withheld", F + ["counts"], "hidden", "unknown variant `hidden`"),
    ("hidden-null", "null for withheld", F + ["counts"], None, "release: expected a release document"),
    ("value-and-suppressed", "two states of one cell", F + ["counts"],
     {"full": [[0, 0, 0]] * 3, "withheld": None}, "release: expected a release document"),
    ("histogram-of-hidden", "the histogram of a withheld group",
     ["strata", 0, "slices", 2, "groups", 0, "scores"], scores(0, 0), "release: expected no histogram"),
    ("whole-hidden", "a slice of a withheld whole", WHOLE, hidden([]), "release: expected all events in full where each group is"),
    ("no-histogram", "the contract has a score", F + ["scores"], DELETE, "release: expected true, found false"),
    ("bins-15", "not the contract's bins, halved", F_SCORES + ["bins"], 15, "release: expected 20 bins, halved"),
    ("bins-40", "finer than the contract", F_SCORES + ["bins"], 40, "release: expected 20 bins, halved"),
    ("bins-5", "fewer than ten", F_SCORES + ["bins"], 5, "release: expected 20 bins, halved"),
    ("bin-outside", "a bin beyond the last", F_SCORES + ["histogram", 1, 0, 0], 20, "release: expected ascending bins"),
    ("bins-descending", "bins out of order", F_SCORES + ["histogram", 0],
     [[3, 10, "8000000000"], [2, 5, "4000000000"]], "release: expected ascending bins"),
    ("bin-twice", "a bin twice", F_SCORES + ["histogram", 0],
     [[3, 10, "8000000000"], [3, 5, "4000000000"]], "release: expected ascending bins"),
    ("bin-empty", "a bin without events is left out", F_SCORES + ["histogram", 0],
     [[3, 15, "12000000000"], [4, 0, "0"]], "release: expected ascending bins"),
    ("bin-below-k", "a bin that should have been merged", F_SCORES + ["histogram", 0],
     [[3, 12, "9600000000"], [4, 3, "2400000000"]], "release: expected counts of 0 or 5"),
    ("bin-sum", "a sum beyond the range", F_SCORES + ["histogram", 0, 0, 2], str((15 << 32) + 1),
     "release: expected ascending bins"),
    ("histogram-sum", "the bins do not add up to the counts", F_SCORES + ["histogram", 0, 0, 1], 16, "release: "),
    ("no-score-below-k", "a hidden count of missing scores", F_SCORES + ["no_score", 0], 1, "release: expected counts of 0"),
    ("square-sum", "a sum of squares beyond the range", F_SCORES + ["square_sums", 0], str((15 << 64) + 1),
     "release: expected a sum of squares"),
    ("decimal-zero", "a leading zero", F_SCORES + ["square_sums", 2], "00", "not a plain decimal integer"),
    ("decimal-plus", "a sign", F_SCORES + ["square_sums", 2], "+0", "not a plain decimal integer"),
    ("decimal-number", "a number where text stands", F_SCORES + ["square_sums", 2], 0, "release: expected a release document"),
    ("decimal-2-128", "beyond 128 bits", F_SCORES + ["square_sums", 2], str(1 << 128), "not a decimal integer"),
]


def claims():
    """What the site claims of it."""
    cases = [
        ("plan-unknown", "no such plan", ["plan"], "1" * 64, "plan: expected the digest of a plan in the registry"),
        ("contract-other", "another contract than the plan's", ["contract"], "1" * 64, "contract: "),
        ("window-outside", "no window of the plan", ["window"], {**WINDOW, "end": NEXT["end"]}, "window: "),
        ("window-next", "another window than the document's", ["window"], NEXT, "release: "),
        ("site-other", "another site's name", ["site"], "site-b", "signer: "),
        ("journal-one", "a checkpoint is missing", ["journal", 1], DELETE, "journal: expected checkpoints of"),
        ("journal-order", "outcomes before predictions", ["journal"], journal()[::-1], "journal: "),
        ("journal-within-block", "a size between blocks", ["journal"], journal(size=1000), "journal: expected a multiple of 1024"),
        ("journal-attest-key", "checkpoints signed with the attest key", ["journal"], journal(key=ATTEST), "journal: "),
        ("journal-epoch", "checkpoints of another epoch", ["journal"], journal(origin="fed/site-a/2"), "journal: "),
        ("journal-site", "checkpoints of another site", ["journal"], journal(origin="fed/site-b/1"), "journal: "),
        ("journal-flipped", "a checkpoint whose size was changed", ["journal", 0],
         journal()[0].replace("\n1024\n", "\n2048\n"), "journal: "),
        ("epoch-negative", "a negative epoch", ["epoch"], -1, "statement: "),
        ("raw-short", "a digest cut short", ["raw"], "0" * 62, "statement: "),
        ("claim-unknown-key", "a key that nobody reads", ["note"], "", "unknown field `note`"),
        ("amends-without-reason", "an amendment must say why", ["amends"], {"envelope": "0" * 64}, "missing field `reason`"),
        ("amends-blank", "and a blank is no reason", ["amends"], {"envelope": "0" * 64, "reason": " "},
         "release: expected a reason to amend"),
    ]
    for name, about, path, new, reject in cases:
        yield case(name, about, attested(claim=changed(CLAIM, path, new)), reject)
    yield case("by-note-key", "signed with the note key", attested(key=KEYS["site-a-note"]),
               "signer: expected an attest key in the roster")
    yield case("by-transport-key", "signed with the transport key", attested(key=KEYS["site-a-transport"]),
               "signer: expected an attest key in the roster")
    yield case("by-governance", "signed by governance", attested(key=KEYS["governance"]),
               "signer: expected an attest key in the roster")
    yield case("by-stranger", "signed by nobody known", attested(key=KEYS["stranger"]),
               "signer: expected an attest key in the roster")
    yield case("by-aggregator", "signed by the aggregator", attested(key=KEYS["aggregator-attest"]), "signer: expected Aggregator")


def sequences():
    """`after` holds what the site released before."""
    first = attested()
    second_claim = {**CLAIM, "window": NEXT, "sequence": 1, "previous": digest(first["envelope"])}
    second = attested({**RELEASE, "window": NEXT}, second_claim)
    amend = {"envelope": digest(first["envelope"]), "reason": "labels came late"}
    amended = {**CLAIM, "sequence": 1, "previous": digest(first["envelope"]), "amends": amend}
    longer = changed(CLAIM, ["journal"], journal(size=2048))
    cases = [
        ("second", "the next window", second, None),
        ("amended", "the same window again, with the reason", attested(claim=amended), None),
        ("gap", "a number is missing", attested({**RELEASE, "window": NEXT}, {**second_claim, "sequence": 2}), "sequence: expected 1"),
        ("number-again", "a number twice", attested({**RELEASE, "window": NEXT}, {**second_claim, "sequence": 0}), "sequence: "),
        ("other-previous", "another one before it",
         attested({**RELEASE, "window": NEXT}, {**second_claim, "previous": "0" * 64}), "previous: "),
        ("no-previous", "none before it", attested({**RELEASE, "window": NEXT}, {**second_claim, "previous": None}), "previous: "),
        ("window-again", "the same window without saying so", attested(claim={**amended, "amends": None}),
         "window: expected a release that amends"),
        ("amends-other", "an amendment of another one",
         attested(claim={**amended, "amends": {**amend, "envelope": "0" * 64}}), "window: expected a release that amends"),
        ("signed-twice", "the same number signed twice", attested(claim=longer), "window: "),
    ]
    for name, about, entry, reject in cases:
        yield case(f"after-{name}", about, {**entry, "after": [first]}, reject)
    alone = [
        ("first-amends", "an amendment of nothing", {**CLAIM, "amends": amend}, "window: expected no release amended"),
        ("first-is-1", "numbers count from 0", {**CLAIM, "sequence": 1}, "sequence: expected 0"),
        ("first-previous", "nothing came before", {**CLAIM, "previous": "0" * 64}, "previous: expected None"),
    ]
    for name, about, claim, reject in alone:
        yield case(f"after-{name}", about, {**attested(claim=claim), "after": []}, reject)


def entries():
    """What may stand in a plan's log."""
    report = {
        "report": {
            "plan": digest_of(PLAN_ENTRY), "windows": [WINDOW], "log_size": 1, "registry_size": 4, "method": "1",
            "number": 0, "supersedes": None,
        }
    }
    files = [("report.json", "{}"), ("report.html", "<p>")]

    def entry(name, about, envelope, reject=None):
        return vector(f"entry-{name}", about, "log-entry", {"envelope": envelope}, reject)

    aggregator = KEYS["aggregator-attest"]
    yield entry("release", "a release", attested()["envelope"])
    yield entry("report", "a report", seal(said(report, files), aggregator))
    yield entry("report-by-site", "a report signed by a site", seal(said(report, files), ATTEST), "signer: ")
    yield entry("report-by-log-key", "a report signed with the log key",
                seal(said(report, files), KEYS["aggregator-log"]), "signer: ")
    yield entry("contract", "a contract does not belong here", seal(
        said({"contract": {"name": "loan", "version": 1, "replaces": None}}, [("contract.json", "{}")]), aggregator),
        "statement: expected a release, an abstention, a dispute or a report")
    yield entry("other-federation", "of another federation",
                seal(said(report, files, predicate={"federation": "alien"}), aggregator), "federation: expected fed")
