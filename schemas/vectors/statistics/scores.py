"""Writes the oracle vectors of ranking and calibration: what scikit-learn, scipy and statsmodels say about random scores.

    python scores.py scores.json

As generate.py, whose packages and rounding these are, and scikit-learn. Scores are whole 1024ths, so that none but 0, 1/2 and 1 is
on an edge of ten bins, where floating-point edges would decide.
"""

import json
import math
import random
import sys
import warnings

import numpy as np
import sklearn
import statsmodels.api as sm
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from generate import PINNED, Z, num, nums, test, write

PINNED_HERE = PINNED | {"sklearn": "1.9.1"}
SEED = 1884
MAX_FPR = 0.1

CONVENTIONS = {
    "abroca": "integral of |ROC - ROC| over scikit-learn's roc_curve(drop_intermediate=False), piece by piece; bounds from the "
    "curves' steps",
    "auc_difference": "roc_auc_score less roc_auc_score; DeLong's variances from the matrix of all pairs",
    "auc_effect": "logit of roc_auc_score; DeLong's variance by (A (1 - A))^2; null where that is 0 or not defined",
    "average_precision": "scikit-learn average_precision_score over the bins; limits: logit, Boyd, Eng and Page 2013. Bounds: "
    "the same function with the negatives of each bin before its positives, one by one; and with its positives tied before its "
    "negatives",
    "gini": "2 roc_auc_score - 1",
    "in_the_large": "mean of label - score -+ z * numpy std(ddof=1) / sqrt(n)",
    "ks": "scipy ks_2samp over the bins; upper bound: the larger of two, positives before or after the negatives of their bin",
    "mce": "scikit-learn calibration_curve(n_bins=10), whose bins are closed on the right",
    "murphy": "Stephenson, Coelho and Jolliffe 2008, event by event in numpy: reliability, resolution, uncertainty, within-bin "
    "variance, within-bin covariance; checked to add up to scikit-learn's brier_score_loss",
    "observed_expected": "P / sum s; limits on the logarithm with variance (1 - P/n) / P",
    "partial_auc": "scikit-learn roc_auc_score(max_fpr=0.1) over the bins; bounds as those of ks. scikit-learn's limit of 1 is "
    "the plain area, not standardised: not compared",
    "recalibration": "statsmodels GLM, binomial, [positives, negatives] of ten bins on the logit of the bin's mean score, held "
    "inside 1e-6 to 1 - 1e-6: slope, limits, intercept, limits (statsmodels only warns of separation: null)",
    "skill": "1 - brier_score_loss / (p (1 - p))",
    "spiegelhalter": "numerator event by event; denominator with each event at its bin's mean of ten",
}


def spread(bins):
    return np.repeat(np.arange(len(bins), dtype=float), bins)


def labelled(positives, negatives):
    """Labels and scores for scikit-learn."""
    return np.repeat([1, 0], [len(positives), len(negatives)]), np.concatenate([positives, negatives])


def delong(positives, negatives):
    if min(len(positives), len(negatives)) < 2:
        return None
    psi = np.heaviside(positives[:, None] - negatives[None, :], 0.5)
    return psi.mean(1).var(ddof=1) / len(positives) + psi.mean(0).var(ddof=1) / len(negatives)


def in_turn(bins, start):
    """Each event of a bin a little above the one before."""
    return np.concatenate([[]] + [b + start + 0.25 * np.arange(n) / max(n, 1) for b, n in enumerate(bins)])


def ranking(p_bins, n_bins):
    positives, negatives = spread(p_bins), spread(n_bins)
    y, s = labelled(positives, negatives)
    area = roc_auc_score(y, s)
    ap = average_precision_score(y, s)
    ap_limits = [None, None]
    if ap < 1 - 1e-15:
        eta, tau = math.log(ap / (1 - ap)), 1 / math.sqrt(len(positives) * ap * (1 - ap))
        ap_limits = nums([1 / (1 + math.exp(-(eta + sign * Z * tau))) for sign in (-1, 1)])
    shifted = [labelled(positives + shift, negatives) for shift in (-0.5, 0.5)]
    ks_ends = [stats.ks_2samp(positives + shift, negatives).statistic for shift in (-0.5, 0.5)]
    variance = delong(positives, negatives)
    effect = None
    if variance and variance > 1e-20 and 0 < area < 1:
        effect = nums([math.log(area / (1 - area)), variance / (area * (1 - area)) ** 2])
    ks = stats.ks_2samp(positives, negatives).statistic
    return {
        "auc_effect": effect,
        "average_precision": [num(ap), *ap_limits],
        "average_precision_bounds": nums(
            [
                average_precision_score(*labelled(in_turn(p_bins, 0.0), negatives + 0.5)),
                average_precision_score(*labelled(positives + 0.5, negatives)),
            ]
        ),
        "gini": num(2 * area - 1),
        "ks": nums([ks, ks, max(ks_ends)]),
        "partial_auc": nums([roc_auc_score(y, s, max_fpr=MAX_FPR)] + [roc_auc_score(*a, max_fpr=MAX_FPR) for a in shifted]),
    }


def abroca(one, other):
    curves = [roc_curve(*labelled(spread(p), spread(n)), drop_intermediate=False)[:2] for p, n in (one, other)]
    grid = np.unique(np.concatenate([fpr for fpr, _ in curves]))
    value = lower = upper = 0.0
    for start, end in zip(grid, grid[1:]):
        width = end - start
        if width < 1e-13:
            continue
        inside = [start + width / 3, end - width / 3]
        a, b = np.subtract(*(np.interp(inside, fpr, tpr) for fpr, tpr in curves))
        left, right = 2 * a - b, 2 * b - a
        if left * right >= 0:
            value += width * abs(left + right) / 2
        else:
            root = left / (left - right)
            value += width * (abs(left) * root + abs(right) * (1 - root)) / 2
        (l1, u1), (l0, u0) = ((tpr[at - 1], tpr[at]) for fpr, tpr in curves for at in [np.searchsorted(fpr, inside[0])])
        lower += width * max(0.0, l1 - u0, l0 - u1)
        upper += width * max(u1 - l0, u0 - l1)
    return nums([value, lower, upper])


def difference(one, other):
    areas = [roc_auc_score(*labelled(spread(p), spread(n))) for p, n in (one, other)]
    variances = [delong(spread(p), spread(n)) for p, n in (one, other)]
    value = areas[0] - areas[1]
    if None in variances or sum(variances) < 1e-20:
        return [num(value), None, None]
    half = Z * math.sqrt(sum(variances))
    return nums([value, max(-1.0, value - half), min(1.0, value + half)])


def histogram_case(one, other):
    case = {"one": one, "other": other}
    both = [sum(p) > 0 and sum(n) > 0 for p, n in (one, other)]
    case["ranking"] = ranking(*one) if both[0] else None
    case["abroca"] = abroca(one, other) if all(both) else None
    case["auc_difference"] = difference(one, other) if all(both) else None
    return case


def bin_of(score):
    return max(0, -(-10 * score // 1024) - 1)


def recalibration(at, y, s):
    filled = sorted(set(at))
    mean = np.clip([s[at == b].mean() for b in filled], 1e-6, 1 - 1e-6)
    x = np.log(mean / (1 - mean))
    p = np.array([y[at == b].sum() for b in filled])
    n = np.array([(at == b).sum() for b in filled]) - p
    if not p.any() or not n.any() or len(set(x)) < 2:
        return None
    if x[n > 0].max() <= x[p > 0].min() or x[p > 0].max() <= x[n > 0].min():
        return None
    fit = sm.GLM(np.column_stack([p, n]), sm.add_constant(x), family=sm.families.Binomial())
    fit = fit.fit(tol=0, tol_criterion="params", maxiter=60)
    limits = fit.conf_int(0.05)
    return nums([fit.params[1], *limits[1], fit.params[0], *limits[0]])


def calibration_case(events):
    y, s = np.array([label for label, _ in events]), np.array([k / 1024 for _, k in events])
    at = np.array([bin_of(k) for _, k in events])
    n, p, base = len(y), int(y.sum()), y.mean()
    brier = brier_score_loss(y, s, pos_label=1) if n else None
    observed, mean = (np.array([v[at == b].mean() for b in at]) for v in (y, s))
    parts = [
        ((mean - observed) ** 2).mean(),
        ((observed - base) ** 2).mean(),
        base * (1 - base),
        ((s - mean) ** 2).mean(),
        2 * ((s - mean) * (y - observed)).mean(),
    ]
    assert abs(parts[0] - parts[1] + parts[2] + parts[3] - parts[4] - brier) < 1e-13
    curve = calibration_curve(y, s, n_bins=10)
    above, variance = ((y - s) * (1 - 2 * s)).sum(), ((1 - 2 * mean) ** 2 * mean * (1 - mean)).sum()
    z = above / math.sqrt(variance) if variance > 0 else None
    ratio = p / s.sum() if s.sum() > 0 else None
    half = Z * math.sqrt((1 - base) / p) if 0 < p < n else None
    error = Z * (y - s).std(ddof=1) / math.sqrt(n) if n > 1 and len(set(y - s)) > 1 else None
    large = (y - s).mean()
    return {
        "events": events,
        "brier": num(brier),
        "in_the_large": [num(large), None, None] if error is None else nums([large, large - error, large + error]),
        "mce": num(np.abs(curve[0] - curve[1]).max()),
        "murphy": nums(parts),
        "observed_expected": None
        if ratio is None
        else [num(ratio), None, None]
        if half is None
        else nums([ratio, ratio * math.exp(-half), ratio * math.exp(half)]),
        "recalibration": recalibration(at, y, s),
        "skill": num(1 - brier / (base * (1 - base))) if 0 < p < n else None,
        "spiegelhalter": None if z is None else [num(z), test(z * z, 1)],
    }


def histogram_cases(rng):
    def group(bins):
        size, skew = rng.choice([3, 20, 300]), rng.choice([0, 0.7, 2])
        weight = [(b + 1) / bins for b in range(bins)]
        rows = [[int(size * rng.random() * w**skew * (rng.random() < 0.7)) for w in ws] for ws in (weight, weight[::-1])]
        return rows

    known = [
        ([[3], [4]], [[1], [1]]),
        ([[0, 5], [5, 0]], [[5, 0], [0, 5]]),
        ([[1, 0], [0, 0]], [[1, 1], [1, 1]]),
        ([[0, 1], [1, 0]], [[1, 1], [1, 1]]),
        ([[700, 900], [900, 400]], [[40, 900], [900, 500]]),
    ]
    return known + [tuple(group(bins) for _ in range(2)) for bins in [rng.choice([2, 5, 10, 40]) for _ in range(85)]]


def event_cases(rng):
    known = [[(1, 0)], [(0, 1024)], [(0, 0), (1, 0), (0, 1024), (1, 1024)], [(0, 512), (1, 512)], [(0, 100), (1, 900)], [(1, 1024)]]
    drawn = []
    for _ in range(85):
        sharp, base = rng.choice([0, 0.5, 1, 2]), rng.choice([0.2, 0.5, 0.8])
        rows = []
        for _ in range(rng.choice([3, 8, 40, 150])):
            score = rng.choice([rng.randint(0, 1024), 64 * rng.randint(0, 16), rng.randint(400, 600)])
            rows.append((int(rng.random() < base + sharp * (score / 1024 - 0.5)), score))
        drawn.append(rows)
    return known + drawn


def main(path):
    if sklearn.__version__ != PINNED_HERE["sklearn"]:
        sys.exit(f"scikit-learn is {sklearn.__version__}; the vectors are made with {PINNED_HERE['sklearn']}")
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "histograms": [histogram_case(*case) for case in histogram_cases(rng)],
        "events": [calibration_case(case) for case in event_cases(rng)],
    }
    write(path, CONVENTIONS, PINNED_HERE, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scores.py OUTPUT")
    main(sys.argv[1])
