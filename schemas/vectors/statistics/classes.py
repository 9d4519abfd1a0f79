# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "statsmodels==0.15.0", "scikit-learn==1.9.1"]
# ///
"""Writes the oracle vectors of several classes: what scikit-learn and statsmodels say about random decisions and labels.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1
    python classes.py classes.json

The libraries are given events, not counts. Numbers and `null` as in generate.py beside this file.
"""

import math
import random
import sys
import warnings
from itertools import permutations

import numpy as np
import scipy
import sklearn
import statsmodels
from sklearn import metrics
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from generate import Z, num, nums, write

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "statsmodels": "0.15.0", "sklearn": "1.9.1"}
SEED = 2004
PLACES = 16

CONVENTIONS = {
    "cells": "[decision][label]",
    "zero": "a class without denominator has no figure, and then a macro average has none, nor a weighted one unless the "
    "class is never true; scikit-learn counts it as 0, and balanced_accuracy_score leaves it out. mcc: null where all "
    "decisions or all labels are the same (scikit-learn: 0). The generator checks that they do",
    "intervals": "delta method for a multinomial sample, mean -+ z * sqrt(sum x s^2 - (sum x s)^2 / n) with slopes s by "
    "complex steps, ends held inside the range; null where the variance is 0; the variances of both kappas are those of "
    "statsmodels cohens_kappa, which the same formula is checked against",
    "classes": "precision, recall, f1, specificity: sklearn precision_recall_fscore_support(average=None); specificity: "
    "recall of all the other classes as one",
    "macro": "sklearn precision_recall_fscore_support(average='macro'); weighted, micro likewise; recall: macro only, as "
    "the other two are accuracy, which the generator checks",
    "kappa": "sklearn cohen_kappa_score; quadratic: weights='quadratic'",
    "mcc": "sklearn matthews_corrcoef",
    "top_k": "sklearn top_k_accuracy_score for k = 1, 2, 3, 5 below the number of classes, statsmodels wilson; `ranks`: "
    "events by the place of the true class, the last number: at none of the first 16",
    "worst": "fairlearn has none: greatest over the classes of numpy's greatest less least rate; statsmodels newcomb of all "
    "ordered pairs of groups and all classes at 1 - 0.05 / pairs / classes: max(0, largest lower), largest upper. `decided`: "
    "[group][class]; groups without events are left out",
}


def delta(value, cells, figure, low):
    """[value, lower, upper]: slopes by complex steps."""
    value = 0.0 if abs(value) < 1e-12 else float(value)
    x = np.array(cells, dtype=complex)
    filled = np.argwhere(x.real > 0)
    slopes, counts = [], []
    for i, j in filled:
        step = x.copy()
        step[i, j] += 1e-40j
        slopes.append(np.imag(figure(step)) / 1e-40)
        counts.append(x[i, j].real)
    s, w = np.array(slopes), np.array(counts)
    variance = float((w * s * s).sum() - (w * s).sum() ** 2 / w.sum())
    if variance * w.sum() < 1e-22:
        return [num(value), None, None]
    half = Z * math.sqrt(variance)
    return nums([value, max(low, value - half), min(1.0, value + half)])


def mean_of(parts, weights=None):
    """The figure that is the mean of parts(right, decided, true) over classes."""

    def figure(x):
        right, decided, true = np.diag(x), x.sum(1), x.sum(0)
        share = np.full(len(x), 1 / len(x)) if weights is None else true / x.sum()
        counts = [k for k in range(len(x)) if weights is None or true[k].real > 0]
        return sum(share[k] * parts(right[k], decided[k], true[k]) for k in counts)

    return figure


def kappa_of(weight):
    def figure(x):
        k, n = len(x), x.sum()
        w = np.array([[weight(i, j) for j in range(k)] for i in range(k)])
        return 1 - (w * x).sum() / n / ((w * np.outer(x.sum(1), x.sum(0))).sum() / (n * n))

    return figure


def mcc_of(x):
    n = x.sum()
    r, c = x.sum(1) / n, x.sum(0) / n
    return (np.trace(x) / n - (r * c).sum()) / (np.sqrt((r * (1 - r)).sum()) * np.sqrt((c * (1 - c)).sum()))


def kappa(cells, label, decision, weights):
    k = len(cells)
    one = len(set(label) | set(decision)) == 1
    value = metrics.cohen_kappa_score(label, decision, labels=list(range(k)), weights=weights)
    if one:
        assert math.isnan(value), cells
        return None
    weight = (lambda i, j: float(i != j)) if weights is None else (lambda i, j: float((i - j) ** 2))
    estimate = delta(value, cells, kappa_of(weight), -1.0)
    if sum(map(sum, cells)) > 0 and estimate[1] is not None and estimate[1] > -1:
        theirs = cohens_kappa(np.array(cells), wt=weights)
        assert math.isclose(theirs.kappa, value, rel_tol=1e-9, abs_tol=1e-12), cells
        assert math.isclose(theirs.std_kappa, (value - estimate[1]) / Z, rel_tol=1e-8), cells
    return estimate


def table(cells):
    k = len(cells)
    every = list(range(k))
    decision = np.repeat(np.repeat(every, k), np.ravel(cells))
    label = np.repeat(np.tile(every, k), np.ravel(cells))
    x = np.array(cells)
    decided, true, n = x.sum(1), x.sum(0), int(x.sum())
    case = {"cells": [list(row) for row in cells]}

    def scores(average):
        return metrics.precision_recall_fscore_support(label, decision, labels=every, average=average, zero_division=0)

    own = scores(None)
    case["classes"] = []
    for at in every:
        rest = metrics.recall_score(label != at, decision != at, zero_division=0)
        case["classes"].append(
            [
                num(own[0][at]) if decided[at] else None,
                num(own[1][at]) if true[at] else None,
                num(own[2][at]) if decided[at] + true[at] else None,
                num(rest) if n > true[at] else None,
            ]
        )
        assert decided[at] or own[0][at] == 0, cells
    macro, weighted, micro = scores("macro"), scores("weighted"), scores("micro")
    accuracy = metrics.accuracy_score(label, decision)
    assert np.allclose([*micro[:3], weighted[1]], accuracy), cells
    case["accuracy"] = nums([accuracy, *proportion_confint(int(np.trace(x)), n, method="wilson")])

    precision, recall = lambda t, r, c: t / r, lambda t, r, c: t / c
    f1 = lambda t, r, c: 2 * t / (r + c)
    counts = true > 0
    case["macro_precision"] = delta(macro[0], cells, mean_of(precision), 0.0) if decided.all() else None
    case["macro_recall"] = delta(macro[1], cells, mean_of(recall), 0.0) if true.all() else None
    case["macro_f1"] = delta(macro[2], cells, mean_of(f1), 0.0) if (decided + true).all() else None
    case["weighted_precision"] = delta(weighted[0], cells, mean_of(precision, 1), 0.0) if decided[counts].all() else None
    case["weighted_f1"] = delta(weighted[2], cells, mean_of(f1, 1), 0.0)
    if true.all():
        assert math.isclose(metrics.balanced_accuracy_score(label, decision), macro[1], rel_tol=1e-12), cells
    case["kappa"] = kappa(cells, label, decision, None)
    case["quadratic_kappa"] = kappa(cells, label, decision, "quadratic")
    mcc = metrics.matthews_corrcoef(label, decision)
    if len(set(label)) == 1 or len(set(decision)) == 1:
        assert mcc == 0.0, cells
        case["mcc"] = None
    else:
        case["mcc"] = delta(mcc, cells, mcc_of, -1.0)
    return case


def ranked(rng, classes, events):
    """Random outputs, all different, and labels that tend to be likely."""
    outputs, labels = [], []
    for _ in range(events):
        order = rng.sample(range(classes), classes)
        outputs.append([float(classes - order.index(at)) for at in range(classes)])
        labels.append(order[min(classes - 1, int(rng.expovariate(rng.choice([0.2, 1]))))])
    places = [1 + sum(value > row[label] for value in row) for row, label in zip(outputs, labels)]
    ranks = [sum(place == at for place in places) for at in range(1, PLACES + 1)]
    ranks.append(sum(place > PLACES for place in places))
    found = []
    for k in (1, 2, 3, 5):
        if k < classes:
            score = metrics.top_k_accuracy_score(labels, outputs, k=k, labels=list(range(classes)))
            among = round(score * events)
            found.append(nums([score, *proportion_confint(among, events, method="wilson")]))
    return {"ranks": ranks, "top_k": found}


def worst(decided):
    rates = np.array([row for row in decided if sum(row)])
    if len(rates) < 2:
        return {"decided": decided, "worst": None}
    totals, (groups, classes) = rates.sum(1), rates.shape
    gaps = np.ptp(rates / totals[:, None], axis=0)
    alpha = 0.05 / (groups * (groups - 1) / 2) / classes
    ends = []
    for at in range(classes):
        for one, other in permutations(range(groups), 2):
            counts = (rates[one, at], totals[one], rates[other, at], totals[other])
            ends.append(confint_proportions_2indep(*map(int, counts), method="newcomb", compare="diff", alpha=alpha))
    limits = [max(0.0, max(low for low, _ in ends)), max(high for _, high in ends)]
    return {"decided": decided, "worst": nums([gaps.max(), *limits])}


def worst_cases(rng):
    drawn = []
    for _ in range(70):
        classes, most = rng.choice([3, 4, 6]), rng.choice([2, 12, 150])
        drawn.append([[rng.randint(0, most) for _ in range(classes)] for _ in range(rng.randint(1, 6))])
        if rng.random() < 0.2:
            drawn[-1].append([0] * classes)
    return drawn


def table_cases(rng):
    known = [
        [[3, 1, 0], [1, 2, 1], [1, 0, 1]],
        [[7, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [5, 0, 0], [0, 0, 0]],
        [[3, 0, 0], [0, 2, 0], [0, 0, 5]],
        [[4, 1, 0], [0, 0, 0], [1, 0, 0]],
        [[4, 1, 0], [1, 3, 0], [0, 0, 0]],
        [[2, 3, 1], [0, 0, 0], [0, 0, 0]],
        [[5, 1], [2, 7]],
        [[0, 4, 0], [0, 0, 4], [4, 0, 0]],
    ]
    drawn = []
    for _ in range(130):
        k, n, right = rng.choice([3, 3, 4, 5, 6]), rng.choice([1, 6, 30, 400]), rng.choice([0.2, 0.5, 0.9])
        shares = [rng.choice([0, 1, 1, 5]) for _ in range(k)]
        shares[rng.randrange(k)] += 1
        cells = [[0] * k for _ in range(k)]
        for label in rng.choices(range(k), shares, k=n):
            decision = label if rng.random() < right else rng.choices(range(k), shares)[0]
            cells[decision if rng.random() < 0.95 else rng.randrange(k)][label] += 1
        drawn.append(cells)
    return known + drawn


def main(path):
    for module in (np, scipy, statsmodels, sklearn):
        if module.__version__ != PINNED[module.__name__]:
            sys.exit(f"{module.__name__} is {module.__version__}; the vectors are made with {PINNED[module.__name__]}")
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "tables": [table(case) for case in table_cases(rng)],
        "worst": [worst(case) for case in worst_cases(random.Random(SEED + 1))],
        "ranks": [ranked(rng, rng.choice([3, 4, 6, 20]), rng.choice([1, 7, 60])) for _ in range(70)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python classes.py OUTPUT")
    main(sys.argv[1])
