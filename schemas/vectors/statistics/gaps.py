"""Writes the oracle vectors of gaps of two rates at once: what statsmodels says of every pair of random groups.

    python gaps.py gaps.json

As generate.py, whose packages and rounding these are.
"""

import random
import sys
import warnings
from decimal import getcontext
from itertools import permutations

import numpy as np
from statsmodels.stats.proportion import confint_proportions_2indep

from generate import ALPHA, PINNED, nums, random_group, ratio_bounds, write

SEED = 1988

CONVENTIONS = {
    "groups": "cases and events of one rate, then of the other; every group has events of both",
    "intervals": "each rate has half of the error, and each pair of groups 1 / pairs of that: the greatest lower and the "
    "greatest upper end over ordered pairs (difference), the least of both (ratio)",
    "difference": "statsmodels confint_proportions_2indep(method='newcomb', compare='diff') on every ordered pair; below 0 "
    "the lower end is 0",
    "ratio": "statsmodels (method='log', compare='ratio'), beside a 0 Koopman as in generate.py; above 1 the upper end is 1; "
    "null where one of the two rates is 0 everywhere",
    "worse": "[value, lower, upper], each the greater of both rates (difference), the lesser (ratio); mean: the means",
}


def spreads(rates, alpha):
    """[value, lower, upper] of greatest less least, and of least by greatest."""
    pairs = list(permutations(rates, 2))
    alpha /= len(pairs) / 2
    ends = np.array([confint_proportions_2indep(*a, *b, method="newcomb", compare="diff", alpha=alpha) for a, b in pairs])
    shares = [x / n for x, n in rates]
    difference = [max(shares) - min(shares), max(0.0, ends[:, 0].max()), ends[:, 1].max()]
    if max(shares) == 0:
        return difference, None
    bounds = [ratio_bounds(*a, *b, alpha) or (0, None) for a, b in pairs]
    upper = min([1.0] + [float(high) for _, high in bounds if high is not None])
    return difference, [min(shares) / max(shares), min(float(low) for low, _ in bounds), upper]


def case(groups):
    found = {"groups": [[list(rate) for rate in group] for group in groups]}
    both = [spreads([group[at] for group in groups], ALPHA / 2) for at in (0, 1)]
    for at, (name, worse) in enumerate([("difference", max), ("ratio", min)]):
        one, other = (spread[at] for spread in both)
        found[name] = None
        if one and other:
            joined = list(zip(one, other))
            found[name] = {"worse": nums([worse(ends) for ends in joined]), "mean": nums([sum(ends) / 2 for ends in joined])}
    return found


def cases(rng):
    known = [
        [((50, 100), (20, 40))] * 5,
        [((0, 9), (1, 4)), ((0, 12), (3, 4))],
        [((0, 3), (2, 2)), ((4, 4), (0, 7))],
        [((0, 1), (0, 1)), ((0, 2), (0, 3)), ((0, 9), (0, 4))],
        [((1, 1), (1, 1)), ((1, 1), (1, 1))],
    ]

    def group(largest):
        return random_group(rng, largest), random_group(rng, largest)

    return known + [[group(rng.choice([12, 5000])) for _ in range(rng.choice([2, 2, 3, 4, 7]))] for _ in range(80)]


def main(path):
    getcontext().prec = 50
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    write(path, CONVENTIONS, PINNED, {"joint": [case(groups) for groups in cases(random.Random(SEED))]})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python gaps.py OUTPUT")
    main(sys.argv[1])
