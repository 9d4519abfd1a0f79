# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "statsmodels==0.15.0", "scikit-learn==1.9.1"]
# ///
"""Writes the oracle vectors of predicted values: what scikit-learn and scipy say about random predictions.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1
    python regression.py regression.json

The libraries are given values, not sums. Numbers and `null` as in generate.py beside this file.
"""

import random
import sys
import warnings
from decimal import Decimal, getcontext
from itertools import combinations

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics

from generate import Z, num, nums, write

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "sklearn": "1.9.1"}
SEED = 1895
ONE = 2**32

CONVENTIONS = {
    "moments": "events; sums of p, t, p^2, t^2, p t, |p - t|, r^4 with r = |p - t| / 2^16 to the nearest; texts, as they "
    "pass 2^53",
    "bias": "numpy mean, scipy ttest_1samp(errors, 0).confidence_interval(); mae: of their absolute values; null where there "
    "is one event or no variance",
    "mse": "sklearn mean_squared_error -+ z sqrt((F / n - mse^2) / (n - 1)), F = (sum(r^4)^(1/4) + n^(1/4) / 2)^4 2^64 in 40 "
    "digits, at least 0; null where there is one event, or where all |p - t| are the same. The generator checks that it is "
    "never narrower than with numpy var(ddof=1) of the squares, and rmse: root of all three",
    "r_squared": "sklearn r2_score; null where all t are the same, where it gives 0 or 1, and for one event",
    "pearson": "scipy pearsonr and its confidence_interval(), from four events on (scipy: -1 to 1 for three); on a line "
    "without interval (scipy: 1 to 1)",
    "welch": "[bias, mae] of the first group less the second: scipy ttest_ind(equal_var=False).confidence_interval(); null "
    "where a group has one event, or neither has a variance",
    "max_min": "[bias, mae]: largest less smallest mean, the same intervals of all pairs at 1 - 0.05 / pairs: max(0, largest "
    "lower), largest upper; null where a pair has none",
}


def moments(pairs):
    """The sums, in integers."""
    errors = [abs(p - t) for p, t in pairs]
    sums = [
        len(pairs),
        sum(p for p, _ in pairs),
        sum(t for _, t in pairs),
        sum(p * p for p, _ in pairs),
        sum(t * t for _, t in pairs),
        sum(p * t for p, t in pairs),
        sum(errors),
        sum(((error + 2**15) // 2**16) ** 4 for error in errors),
    ]
    return [str(s) for s in sums]


def mean(values):
    value = values.mean()
    if len(set(values)) < 2:
        return [num(value), None, None]
    limits = stats.ttest_1samp(values, 0).confidence_interval()
    return nums([value, limits.low, limits.high])


def squared(pairs, errors):
    """[mse, rmse] with their limits."""
    n = len(pairs)
    value = metrics.mean_squared_error([t for _, t in pairs], [p for p, _ in pairs])
    if len(set(np.abs(errors))) < 2:
        return [[num(value), None, None], [num(np.sqrt(value)), None, None]]
    quarter = Decimal(1) / 4
    coarse = sum(Decimal((abs(p - t) + 2**15) // 2**16) ** 4 for p, t in pairs)
    fourth = (coarse**quarter + Decimal(n) ** quarter / 2) ** 4 * 2**64 if coarse else Decimal(n) * 2**60
    exact = Decimal(sum((p - t) ** 2 for p, t in pairs)) / n
    half = Z * float(((fourth / n - exact**2) / (n - 1)).sqrt())
    narrow = Z * np.sqrt((errors**2).var(ddof=1) / n)
    assert half >= narrow * (1 - 1e-12), pairs
    limits = [value, max(0.0, value - half), value + half]
    return [nums(limits), nums(np.sqrt(limits))]


def correlation(p, t):
    if len(p) < 2 or len(set(p)) < 2 or len(set(t)) < 2:
        return None
    result = stats.pearsonr(p, t)
    if len(p) < 4 or 1 - abs(result.statistic) < 1e-13:
        return [num(result.statistic), None, None]
    limits = result.confidence_interval()
    return nums([result.statistic, limits.low, limits.high])


def events(pairs, shift):
    """`shift` is added to both values of every pair: no figure depends on it, and sums do."""
    p, t = (np.array(column, dtype=float) for column in zip(*pairs))
    errors = p - t
    constant = len(set(t)) < 2
    r_squared = None if constant else num(metrics.r2_score(t, p))
    assert not constant or len(p) < 2 or metrics.r2_score(t, p) in (0, 1)
    mse, rmse = squared(pairs, errors)
    return {
        "moments": moments([(a + shift, b + shift) for a, b in pairs]),
        "bias": mean(errors),
        "mae": mean(np.abs(errors)),
        "mse": mse,
        "rmse": rmse,
        "r_squared": r_squared,
        "pearson": correlation(p, t),
    }


def difference(a, b, level):
    if min(len(a), len(b)) < 2 or (len(set(a)) < 2 and len(set(b)) < 2):
        return None
    limits = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    return [float(limits.low), float(limits.high)]


def groups(several):
    kinds = []
    for of in (lambda p, t: p - t, lambda p, t: abs(p - t)):
        kinds.append([np.array([of(p, t) for p, t in pairs], dtype=float) for pairs in several])
    case = {"groups": [moments(pairs) for pairs in several], "welch": [], "max_min": []}
    for samples in kinds:
        first = difference(samples[0], samples[1], 0.95)
        value = samples[0].mean() - samples[1].mean()
        case["welch"].append([num(value), None, None] if first is None else nums([value, *first]))
        pairs = list(combinations(samples, 2))
        found = [difference(a, b, 1 - 0.05 / len(pairs)) for a, b in pairs]
        means = [sample.mean() for sample in samples]
        value = max(means) - min(means)
        if None in found:
            case["max_min"].append([num(value), None, None])
        else:
            ends = found + [[-high, -low] for low, high in found]
            case["max_min"].append(nums([value, max(0.0, *(low for low, _ in ends)), max(high for _, high in ends)]))
    return case


def drawn(rng, n):
    """Values and predictions of them, between 0 and 2^32 with room to be moved."""
    centre, width = rng.randint(0, ONE // 2), rng.choice([40, 10**6, 10**8, ONE // 4])
    noise = rng.choice([0, 3, 10**5, 10**8])
    step = rng.choice([1, 1, max(1, width // 4)])
    constant, bias = rng.random() < 0.08, rng.choice([0, 0, 2, 10**7])
    pairs = []
    for _ in range(n):
        t = centre if constant else centre + rng.randrange(width) // step * step
        p = t + bias + round(rng.gauss(0, 1) * noise)
        pairs.append((min(ONE * 3 // 4, max(0, p)), t))
    return pairs


def event_cases(rng):
    known = [
        ([(5, 9)], 0),
        ([(3, 0), (13, 10), (23, 20), (33, 30)], ONE // 2),
        ([(2, 0), (8, 10)], 7),
        ([(1, 7), (2, 7), (9, 7)], 0),
        ([(12, 10), (19, 20), (34, 30), (39, 40)], ONE // 4),
        ([(0, ONE), (ONE, 0), (0, 0)], 0),
        ([(4, 4)] * 5, 0),
    ]
    sizes = [1, 2, 3, 4, 9, 60, 700]
    return known + [(drawn(rng, rng.choice(sizes)), rng.choice([0, ONE // 4])) for _ in range(110)]


def group_cases(rng):
    sizes = [1, 2, 3, 8, 8, 40, 40, 900]
    return [[drawn(rng, rng.choice(sizes)) for _ in range(rng.randint(2, 6))] for _ in range(90)]


def main(path):
    for module in (np, scipy, sklearn):
        if module.__version__ != PINNED[module.__name__]:
            sys.exit(f"{module.__name__} is {module.__version__}; the vectors are made with {PINNED[module.__name__]}")
    getcontext().prec = 40
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "events": [events(*case) for case in event_cases(rng)],
        "groups": [groups(case) for case in group_cases(rng)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python regression.py OUTPUT")
    main(sys.argv[1])
