"""Writes the oracle vectors of effects of sites: what statsmodels says about random strata and studies.

    python across.py across.json

As generate.py, whose packages and rounding these are.
"""

import math
import random
import sys
import warnings
from fractions import Fraction

import numpy as np
from statsmodels.stats.meta_analysis import combine_effects, effectsize_2proportions

from generate import BERKELEY, PINNED, Z, num, nums, random_group, write

SEED = 1955

CONVENTIONS = {
    "left_out": "mean and residual of each study: statsmodels combine_effects(method_re='dl') over the others, a negative tau2 "
    "held at 0, where statsmodels goes on with it; residual: (y - mean) / sqrt(v + tau2 + se^2), Viechtbauer and Cheung 2010; "
    "null below three studies",
    "log_odds_ratio": "statsmodels effectsize_2proportions(statistic='odds-ratio', zero_correction=None) with its variance; "
    "null where a cell is 0 (statsmodels: infinite, or nan)",
    "log_risk_ratio": "the same with 'rr'; null where a count is 0",
    "within": "Kitagawa 1955 in fractions, a site with one group all between; binomial variances; limits null without variance",
}


def effect(stratum, statistic):
    x1, n1, x0, n0 = stratum
    zero = [x1, x0] if statistic == "rr" else [x1, n1 - x1, x0, n0 - x0]
    if not n1 or not n0 or 0 in zero:
        return None
    estimate, variance = effectsize_2proportions(x1, n1, x0, n0, statistic=statistic, zero_correction=None)
    return nums([float(estimate), float(variance)])


def limits(terms):
    value = float(sum(w * Fraction(x, n) for w, x, n in terms))
    variance = sum(w * w * Fraction(x, n) * (1 - Fraction(x, n)) / n for w, x, n in terms)
    if not variance:
        return [num(value), None, None]
    half = Z * math.sqrt(variance)
    return nums([value, value - half, value + half])


def split(strata):
    n1, n0 = (sum(s[at] for s in strata) for at in (1, 3))
    if not n1 or not n0:
        return None, None
    within, between = [], []
    for x, n, y, m in strata:
        w1, w0 = Fraction(n, n1), Fraction(m, n0)
        if n and m:
            within += [((w1 + w0) / 2, x, n), (-(w1 + w0) / 2, y, m)]
            between += [((w1 - w0) / 2, x, n), ((w1 - w0) / 2, y, m)]
        elif n:
            between.append((w1, x, n))
        elif m:
            between.append((-w0, y, m))
    crude = Fraction(sum(s[0] for s in strata), n1) - Fraction(sum(s[2] for s in strata), n0)
    assert sum(w * Fraction(x, n) for w, x, n in within + between) == crude
    return limits(within), limits(between)


def strata_case(strata):
    within, between = split(strata)
    return {
        "strata": strata,
        "log_odds_ratio": [effect(s, "odds-ratio") for s in strata],
        "log_risk_ratio": [effect(s, "rr") for s in strata],
        "within": within,
        "between": between,
    }


def left_out(effects):
    if len(effects) < 3:
        return None
    found = []
    for at, (y, v) in enumerate(effects):
        others = np.array(effects[:at] + effects[at + 1 :])
        res = combine_effects(others[:, 0], others[:, 1], method_re="dl")
        tau2 = max(0.0, float(res.tau2))
        which = "re" if tau2 > 0 else "fe"
        mean, se = float(getattr(res, f"mean_effect_{which}")), float(getattr(res, f"sd_eff_w_{which}"))
        found += [mean, (y - mean) / math.sqrt(v + tau2 + se * se)]
    return nums(found)


def study_cases(rng):
    drawn = []
    for _ in range(80):
        k, spread = rng.choice([1, 2, 3, 4, 6, 12]), rng.choice([0.0, 0.05, 0.4])
        drawn.append([])
        for _ in range(k):
            v = round(rng.choice([0.0004, 0.01, 0.2]) * (0.2 + rng.random()), 7)
            drawn[-1].append([round(0.05 + rng.gauss(0, 1) * math.sqrt(v + spread**2), 6), v])
    return drawn


def strata_cases(rng):
    known = [BERKELEY, [(3, 10, 0, 0), (0, 0, 8, 10)], [(0, 5, 0, 7)], [(0, 0, 0, 0)], [(5, 5, 7, 7), (2, 4, 1, 3)]]
    sizes = [(rng.choice([12, 400]), rng.randint(1, 9)) for _ in range(85)]
    return known + [[random_group(rng, n, True) + random_group(rng, n, True) for _ in range(k)] for n, k in sizes]


def main(path):
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "strata": [strata_case(case) for case in strata_cases(rng)],
        "studies": [{"effects": case, "left_out": left_out(case)} for case in study_cases(rng)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python across.py OUTPUT")
    main(sys.argv[1])
