# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "statsmodels==0.15.0", "scikit-learn==1.9.1", "fairlearn==0.15.0"]
# ///
"""Writes the oracle vectors of the figures from counts: what scikit-learn, fairlearn, statsmodels and the papers say.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1 fairlearn==0.15.0
    python counts.py counts.json

The libraries are given events, not counts. Numbers and `null` as in generate.py beside this file.
"""

import json
import math
import random
import sys
import warnings
from itertools import combinations

import fairlearn
import fairlearn.metrics as fair
import numpy as np
import scipy
import sklearn
import statsmodels
from scipy import stats
from sklearn import metrics
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest

from generate import Z, num, nums, prob

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "statsmodels": "0.15.0", "sklearn": "1.9.1", "fairlearn": "0.15.0"}
SEED = 1978
ALPHA = 0.05

CONVENTIONS = {
    "cells": "true positives, false positives, false negatives, true negatives",
    "zero": "where a denominator is 0, scikit-learn gives 0 (F, Jaccard, MCC) or nan (kappa, likelihood ratios), and "
    "fairlearn 0; here null. The generator checks that they do",
    "intervals": "delta method for a multinomial sample, mean -+ z * sqrt(sum x s^2 - (sum x s)^2 / n) with slopes s by "
    "complex steps, ends held inside the range; null where the variance is 0; kappa's variance is that of statsmodels "
    "cohens_kappa, which the same formula is checked against",
    "f1": "sklearn fbeta_score; f2: beta 2",
    "jaccard": "sklearn jaccard_score",
    "mcc": "sklearn matthews_corrcoef",
    "kappa": "sklearn cohen_kappa_score",
    "error_rate": "1 - sklearn accuracy_score; fdr: 1 - precision_score; for: 1 - precision_score(pos_label=0)",
    "youden": "sklearn balanced_accuracy_score(adjusted=True), and statsmodels newcomb of TPR - FPR",
    "lr_positive": "sklearn class_likelihood_ratios; null where the divisor is 0",
    "odds_ratio": "product of the diagonal by that of the other; null where one of FP and FN is 0",
    "geometric_mean": "root of the product of sklearn recall_score of both labels",
    "fn_to_fp": "FN / FP; statsmodels wilson of FN / (FN + FP), as odds",
    "generalized_entropy": "Speicher 2018 with alpha 2 over the events' benefits decision - label + 1; theil likewise",
    "demographic_parity": "fairlearn demographic_parity_difference and _ratio",
    "equal_opportunity": "fairlearn equal_opportunity_difference and _ratio over the groups with positives",
    "equalized_odds": "fairlearn equalized_odds_difference and _ratio over the groups with both labels, worst case and mean; "
    "a ratio is null where all groups' TPR or all their FPR are 0 (fairlearn: nan, or the other's)",
    "conditional_use": "the same of PPV and NPV by fairlearn MetricFrame over groups with both decisions",
    "error_gap": "fairlearn MetricFrame of 1 - accuracy; npv_gap: of precision_score(pos_label=0), likewise",
    "differential_fairness": "Foulds 2020: greatest |log ratio| of (count + 1) / (n + 2); interval: -+ z of all pairs and "
    "decisions at 1 - 0.05 / tests, standard error by the delta method's sqrt((1-p)/(n p)) of both",
    "entropy_between": "Speicher 2018 over events that have their group's mean benefit; theil_between likewise",
    "average_odds": "mean of both differences; from the mean to both ends: half the root of the squared distances of "
    "statsmodels' newcomb limits from their differences (Zou and Donner 2008)",
    "cohen_d": "from numpy var(ddof=1) of the events; Hedges and Olkin's standard error",
    "z": "statsmodels proportions_ztest; its p = 2 * norm.sf(|z|)",
    "holm": "statsmodels multipletests(method='holm'); benjamini_hochberg: fdr_bh",
}


def events(cells):
    """(labels, decisions), an event each."""
    tp, fp, fn, tn = cells
    return np.repeat([1, 0, 1, 0], cells), np.repeat([1, 1, 0, 0], cells)


def delta(value, cells, figure, low, high):
    """[value, lower, upper]: slopes by complex steps."""
    value = 0.0 if abs(value) < 1e-12 else float(value)
    x = np.array(cells, dtype=float)
    steps = np.eye(4) * 1e-40j
    with np.errstate(all="ignore"):
        slopes = np.array([np.imag(figure(*(x + step))) / 1e-40 for step in steps])
    if not np.isfinite(slopes[x > 0]).all():
        return [num(value), None, None]
    s, w = slopes[x > 0], x[x > 0]
    variance = float((w * s * s).sum() - (w * s).sum() ** 2 / w.sum())
    if variance * w.sum() < 1e-22:
        return [num(value), None, None]
    half = Z * math.sqrt(variance)
    return nums([value, max(low, value - half), min(high, value + half)])


def inequality(benefits):
    """Generalised entropy of alpha 2 and Theil's index of events' benefits (Speicher 2018)."""
    share = np.asarray(benefits, dtype=float) / np.mean(benefits)
    logs = np.log(np.where(share > 0, share, 1.0))
    return float(np.mean(share**2 - 1) / 2), float(np.mean(share * logs))


def kappa_of(a, b, c, d):
    n = a + b + c + d
    expected = ((a + b) * (a + c) + (c + d) * (b + d)) / (n * n)
    return ((a + d) / n - expected) / (1 - expected)


def entropy_of(a, b, c, d):
    n, total = a + b + c + d, a + d + 2 * b
    mean = total / n
    return (((a + d) * (1 / mean) ** 2 + b * (2 / mean) ** 2) / n - 1) / 2


def theil_of(a, b, c, d):
    n, total = a + b + c + d, a + d + 2 * b
    mean = total / n
    return ((a + d) / mean * np.log(1 / mean) + 2 * b / mean * np.log(2 / mean)) / n


def kappa(cells, label, decision):
    tp, fp, fn, tn = cells
    n = sum(cells)
    chance_alone = tp == n or tn == n
    if chance_alone:
        assert math.isnan(metrics.cohen_kappa_score(label, decision)), cells
        return None
    value = metrics.cohen_kappa_score(label, decision, labels=[0, 1])
    estimate = delta(value, cells, kappa_of, -1.0, 1.0)
    theirs = cohens_kappa(np.array([[tp, fp], [fn, tn]]))
    assert math.isclose(theirs.kappa, value, rel_tol=1e-9, abs_tol=1e-12), cells
    if estimate[1] is not None and estimate[1] > -1:
        assert math.isclose(theirs.std_kappa, (value - estimate[1]) / Z, rel_tol=1e-8), cells
    return estimate


def table(cells):
    tp, fp, fn, tn = cells
    p, n, selected = tp + fn, fp + tn, tp + fp
    label, decision = events(cells)
    case = {"cells": list(cells)}

    def f(beta, value):
        if tp + fp + fn == 0:
            assert value == 0.0, cells
            return None
        more, square = 1 + beta * beta, beta * beta
        return delta(value, cells, lambda a, b, c, _: more * a / (more * a + square * c + b), 0.0, 1.0)

    case["f1"] = f(1, metrics.f1_score(label, decision))
    case["f2"] = f(2, metrics.fbeta_score(label, decision, beta=2))
    jaccard = metrics.jaccard_score(label, decision)
    case["jaccard"] = None
    if tp + fp + fn:
        case["jaccard"] = delta(jaccard, cells, lambda a, b, c, _: a / (a + b + c), 0.0, 1.0)
    mcc = metrics.matthews_corrcoef(label, decision)
    case["mcc"] = None
    if p and n and selected and fn + tn:
        def phi(a, b, c, d):
            return (a * d - b * c) / (np.sqrt(a + b) * np.sqrt(a + c) * np.sqrt(d + b) * np.sqrt(d + c))

        case["mcc"] = delta(mcc, cells, phi, -1.0, 1.0)
    else:
        assert mcc == 0.0, cells
    case["kappa"] = kappa(cells, label, decision)
    case["error_rate"] = num(1 - metrics.accuracy_score(label, decision))
    case["fdr"] = num(1 - metrics.precision_score(label, decision)) if selected else None
    case["for"] = num(1 - metrics.precision_score(label, decision, pos_label=0)) if fn + tn else None
    case["youden"] = case["geometric_mean"] = case["lr_positive"] = case["lr_negative"] = case["odds_ratio"] = None
    if p and n:
        low, high = confint_proportions_2indep(tp, p, fp, n, method="newcomb", compare="diff")
        case["youden"] = nums([metrics.balanced_accuracy_score(label, decision, adjusted=True), low, high])
        both = metrics.recall_score(label, decision) * metrics.recall_score(label, decision, pos_label=0)
        mean = lambda a, b, c, d: np.sqrt(a / (a + c) * d / (d + b))
        case["geometric_mean"] = delta(math.sqrt(both), cells, mean, 0.0, 1.0)
        ratios = metrics.class_likelihood_ratios(label, decision)
        case["lr_positive"] = num(ratios[0]) if fp else None
        case["lr_negative"] = num(ratios[1]) if tn else None
        assert fp or math.isnan(ratios[0]), cells
        case["odds_ratio"] = num(tp * tn / (fp * fn)) if fp * fn else None
    case["fn_to_fp"] = None
    if fp:
        low, high = proportion_confint(fn, fn + fp, method="wilson")
        case["fn_to_fp"] = nums([fn / fp, max(0.0, low) / (1 - max(0.0, low)), high / (1 - high)])
    case["generalized_entropy"] = case["theil"] = None
    if tp + tn + fp:
        entropy, theil = inequality(decision - label + 1)
        case["generalized_entropy"] = delta(entropy, cells, entropy_of, 0.0, math.inf)
        case["theil"] = delta(theil, cells, theil_of, 0.0, math.inf)
    return case


# Groups ---------------------------------------------------------------------------------------------------------


def stacked(groups):
    """Labels, decisions and group of all events."""
    parts = [(*events(cells), np.full(sum(cells), at)) for at, cells in enumerate(groups)]
    return [np.concatenate(column) for column in zip(*parts)]


def spread(function, groups):
    """[difference, ratio] of a metric over groups, by fairlearn's MetricFrame."""
    if len(groups) < 2:
        return [None, None]
    label, decision, group = stacked(groups)
    frame = fair.MetricFrame(metrics=function, y_true=label, y_pred=decision, sensitive_features=group)
    ratio = frame.ratio(method="between_groups")
    return [num(frame.difference(method="between_groups")), num(ratio) if frame.group_max() > 0 else None]


def npv(label, decision):
    return metrics.precision_score(label, decision, pos_label=0)


def equalized_odds(groups):
    """Worst and mean, difference and ratio, over groups that have both labels."""
    both = [cells for cells in groups if cells[0] + cells[2] and cells[1] + cells[3]]
    keys = ("worst", "mean")
    if len(both) < 2:
        return {key: [None, None] for key in keys}
    label, decision, group = stacked(both)
    some = any(cells[0] for cells in both) and any(cells[1] for cells in both)

    def of(agg):
        difference = fair.equalized_odds_difference(label, decision, sensitive_features=group, agg=agg)
        ratio = fair.equalized_odds_ratio(label, decision, sensitive_features=group, agg=agg)
        return [num(difference), num(ratio) if some else None]

    return {"worst": of("worst_case"), "mean": of("mean")}


def conditional_use(groups):
    both = [cells for cells in groups if cells[0] + cells[1] and cells[2] + cells[3]]
    ppv, npv_ = spread(metrics.precision_score, both), spread(npv, both)
    difference = None if ppv[0] is None else num(max(ppv[0], npv_[0]))
    return [difference, None if None in (ppv[1], npv_[1]) else num(min(ppv[1], npv_[1]))]


def differential_fairness(groups):
    rows = [(cells[0] + cells[1], sum(cells)) for cells in groups]
    if len(rows) < 2:
        return None
    tests = len(rows) * (len(rows) - 1)
    z = stats.norm.isf(ALPHA / tests / 2)
    found = []
    for (x1, n1), (x0, n0) in combinations(rows, 2):
        for a, b in ((x1, x0), (n1 - x1, n0 - x0)):
            p, q = (a + 1) / (n1 + 2), (b + 1) / (n0 + 2)
            error = math.sqrt((1 - p) / ((n1 + 2) * p) + (1 - q) / ((n0 + 2) * q))
            found.append((abs(math.log(p / q)), z * error))
    lower = max(0.0, max(d - half for d, half in found))
    return nums([max(d for d, _ in found), lower, max(d + half for d, half in found)])


def fairness(groups):
    label, decision, group = stacked(groups)
    case = {"groups": [list(cells) for cells in groups]}
    several = len(groups) > 1

    def whole(function):
        return num(function(label, decision, sensitive_features=group)) if several else None

    selected = any(cells[0] + cells[1] for cells in groups)
    ratio = whole(fair.demographic_parity_ratio) if selected else None
    case["demographic_parity"] = [whole(fair.demographic_parity_difference), ratio]
    defined = [cells for cells in groups if cells[0] + cells[2]]
    case["equal_opportunity"] = [None, None]
    if len(defined) > 1:
        y, d, g = stacked(defined)
        rate = fair.equal_opportunity_ratio(y, d, sensitive_features=g) if any(c[0] for c in defined) else None
        case["equal_opportunity"] = [
            num(fair.equal_opportunity_difference(y, d, sensitive_features=g)),
            rate if rate is None else num(rate),
        ]
    if len(defined) < len(groups) and several:
        # Their convention, named: a group without positives has the rate 0.
        rates = [cells[0] / (cells[0] + cells[2]) if cells[0] + cells[2] else 0.0 for cells in groups]
        theirs = fair.equal_opportunity_difference(label, decision, sensitive_features=group)
        assert math.isclose(theirs, max(rates) - min(rates), abs_tol=1e-12), groups
    case["equalized_odds"] = equalized_odds(groups)
    case["conditional_use"] = conditional_use(groups)
    case["error_gap"] = spread(metrics.zero_one_loss, groups)
    case["npv_gap"] = spread(npv, [cells for cells in groups if cells[2] + cells[3]])
    case["differential_fairness"] = differential_fairness(groups)
    case["entropy_between"] = case["theil_between"] = None
    benefits = decision - label + 1
    if benefits.sum():
        means = np.array([benefits[group == at].mean() for at in range(len(groups))])[group]
        case["entropy_between"], case["theil_between"] = map(num, inequality(means))
    return case


# Pairs and families ---------------------------------------------------------------------------------------------


def cohen_d(x1, n1, x0, n0):
    if n1 + n0 <= 2:
        return None
    one, other = (np.repeat([1.0, 0.0], [x, n - x]) for x, n in ((x1, n1), (x0, n0)))
    squares = sum(np.var(a, ddof=1) * (len(a) - 1) if len(a) > 1 else 0.0 for a in (one, other))
    if squares == 0:
        return None
    d = (one.mean() - other.mean()) / math.sqrt(squares / (n1 + n0 - 2))
    half = Z * math.sqrt((n1 + n0) / (n1 * n0) + d * d / (2 * (n1 + n0)))
    return nums([d, d - half, d + half])


def average_odds(one, other):
    counts = [((c[0], c[0] + c[2]), (c[1], c[1] + c[3])) for c in (one, other)]
    if not all(n for rates in counts for _, n in rates):
        return None
    below = above = value = 0.0
    for (x1, n1), (x0, n0) in zip(*counts):
        difference = x1 / n1 - x0 / n0
        low, high = confint_proportions_2indep(x1, n1, x0, n0, method="newcomb", compare="diff")
        value += difference / 2
        below, above = below + (difference - low) ** 2, above + (high - difference) ** 2
    return nums([value, max(-1.0, value - math.sqrt(below) / 2), min(1.0, value + math.sqrt(above) / 2)])


def pair(one, other):
    (x1, n1), (x0, n0) = ((cells[0] + cells[1], sum(cells)) for cells in (one, other))
    case = {"pair": [list(one), list(other)], "average_odds": average_odds(one, other)}
    case["cohen_d"] = cohen_d(x1, n1, x0, n0)
    case["z"] = None
    if 0 < x1 + x0 < n1 + n0:
        z, p = proportions_ztest([x1, x0], [n1, n0])
        # The oracle's rounding comes first: p belongs to the statistic printed.
        z = 0.0 if abs(z) < 1e-12 else z
        case["z"] = [num(z), prob(1.0 if z == 0 else p)]
    return case


def family(p):
    corrected = {name: multipletests(p, method=method)[1] for name, method in (("holm", "holm"), ("benjamini_hochberg", "fdr_bh"))}
    return {"p": p, **{name: [prob(q) for q in values] for name, values in corrected.items()}}


# Cases ----------------------------------------------------------------------------------------------------------


def random_cells(rng):
    most = rng.choice([1, 3, 12, 150, 2000])
    cells = [rng.randint(0, most) for _ in range(4)]
    for at in rng.choice([(), (), (), (0,), (1,), (2,), (3,), (0, 2), (1, 3), (0, 1), (2, 3), (1, 2)]):
        cells[at] = 0
    return tuple(cells) if sum(cells) else (0, 0, 0, 1 + most)


def table_cases(rng):
    small = [(a, b, c, d) for a in (0, 2) for b in (0, 1) for c in (0, 3) for d in (0, 1) if a + b + c + d]
    return [(40, 9, 7, 44), (5000, 1, 0, 5000)] + small + [random_cells(rng) for _ in range(80)]


def group_cases(rng):
    known = [[(3, 1, 2, 4)], [(0, 4, 0, 6), (3, 1, 2, 4)], [(5, 5, 5, 5)] * 4, [(0, 0, 0, 5), (0, 0, 0, 9)], [(4, 3, 0, 0)] * 2]
    return known + [[random_cells(rng) for _ in range(rng.randint(2, 6))] for _ in range(60)]


def family_cases(rng):
    drawn = []
    for _ in range(80):
        p = [rng.choice([rng.random(), rng.random() ** 6, round(rng.random(), 1)]) for _ in range(rng.choice([1, 2, 5, 20, 60]))]
        drawn.append([float(f"{x:.9g}") for x in p])
    return [[0.05], [0.0, 1.0], [0.01] * 5, [0.04, 0.001, 0.03, 0.5]] + drawn


def main(path):
    for module in (np, scipy, statsmodels, sklearn, fairlearn):
        if module.__version__ != PINNED[module.__name__]:
            sys.exit(f"{module.__name__} is {module.__version__}; the vectors are made with {PINNED[module.__name__]}")
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "tables": [table(cells) for cells in table_cases(rng)],
        "groups": [fairness(groups) for groups in group_cases(rng)],
        "pairs": [pair(random_cells(rng), random_cells(rng)) for _ in range(160)],
        "families": [family(p) for p in family_cases(rng)],
    }

    def compact(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)

    parts = [f'"conventions":{json.dumps(CONVENTIONS, sort_keys=True, indent=1)}', f'"software":{compact(PINNED)}']
    parts += [f'"{name}":[\n' + ",\n".join(map(compact, cases)) + "\n]" for name, cases in sorted(sections.items())]
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python counts.py OUTPUT")
    main(sys.argv[1])
