# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "statsmodels==0.15.0"]
# ///
"""Writes the oracle vectors of the statistics: what statsmodels, scipy and the papers say about random tables.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    python generate.py oracle.json

The output depends on nothing but this file and the pinned versions. Numbers have 11 significant digits: enough for a
comparison at 1e-9, and too few to show the last bits in which processors differ. `null` means: not estimable.
What the libraries do not compute, or compute under another convention, is computed here from the paper, in exact
fractions or 50 decimal digits; CONVENTIONS says where, and goes into the file.
"""

import json
import math
import random
import sys
import warnings
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import scipy
import statsmodels
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import _fit_tau_iterative, combine_effects
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    score_test_proportions_2indep,
)

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "statsmodels": "0.15.0"}
SEED = 1973
ALPHA = 0.05
Z = float(stats.norm.isf(ALPHA / 2))

CONVENTIONS = {
    "wilson": "statsmodels proportion_confint(method='wilson')",
    "newcombe": "statsmodels confint_proportions_2indep(method='newcomb', compare='diff'): Newcombe 1998 method 10",
    "katz": "statsmodels confint_proportions_2indep(method='log', compare='ratio'); null where a count is 0 or both "
    "rates are 1 (statsmodels: nan, or an interval without width)",
    "koopman": "Koopman 1984, his chi-square solved in 50 digits; every end is checked to have p = alpha in statsmodels "
    "score_test_proportions_2indep(compare='ratio', correction=False), and to be that of confint_proportions_2indep("
    "method='score', compare='ratio', correction=False) where both rates lie inside 0 to 1. With a rate of 0 or 1 the "
    "latter picks a spurious root of its cubic (p != alpha); its default correction=True is Miettinen and Nurminen's "
    "factor n/(n-1). An end that is null: unbounded; both counts 0: null",
    "odds_ratio": "statsmodels confint_proportions_2indep(method='logit', compare='odds-ratio'): Woolf",
    "max_min_difference": "Newcombe on all pairs at 1 - 0.05 / pairs; max(0, largest lower), largest upper",
    "min_max_ratio": "Katz (Koopman if a count is 0 or both rates are 1) on all ordered pairs at 1 - 0.05 / pairs; "
    "smallest lower, min(1, smallest upper)",
    "chi2": "scipy chi2_contingency(correction=False) after rows and columns of zeros were removed (scipy refuses them)",
    "p": "scipy chi2.sf of the statistic (statsmodels' StratifiedTable takes 1 - cdf, which loses small p)",
    "mh_or": "statsmodels StratifiedTable over the strata with both groups: pooled odds ratio with Robins-Breslow-"
    "Greenland limits; a pooled odds ratio of 0 has no limits",
    "mh_rr": "estimate as statsmodels riskratio_pooled; limits by Greenland and Robins 1985, in fractions",
    "mh_rd": "Mantel-Haenszel risk difference with Sato's 1989 variance, in fractions",
    "cmh": "statsmodels test_null_odds over the informative strata (both groups, both outcomes)",
    "cmh_corrected": "the same with correction=True, but a distance below 1/2 gives 0 (as R's mantelhaen.test), where "
    "statsmodels squares the negative remainder",
    "breslow_day": "statsmodels test_equal_odds over the informative strata; for strata without information, and "
    "for a pooled odds ratio of exactly 1, statsmodels gives nan (there: expectation n1*m1/n). tarone: adjust=True",
    "meta": "statsmodels combine_effects(method_re='dl'); negative i2 and tau2 are held at 0, and then random = fixed, "
    "where statsmodels goes on with the negative tau2",
    "tau2_pm": "Paule-Mandel: generalised Q = k - 1 solved by brentq; statsmodels' iteration (default tolerance 1e-5) "
    "is checked to agree to 1e-4",
    "hksj": "mean -+ t(k-1) * sqrt(statsmodels' var_hksj); modified: max(1, scale)",
    "prediction": "mean -+ t(k-2) * sqrt(tau2 + se^2)",
    "balanced_accuracy": "mean of both rates, delta method's variance in fractions, ends held inside 0 to 1",
    "auc": "scipy mannwhitneyu over the ten right-closed bins: U / (P N); limits by DeLong 1988 from the matrix of all pairs, "
    "ends held inside 0 to 1; null where a label has one event or the variance is 0",
    "auc_bounds": "mannwhitneyu with the positives of each bin below, and above, its negatives",
    "ece": "mean of |labels - scores| summed by bin, in fractions; brier: mean of (score - label)^2, in fractions",
    "mean": "mean -+ z * numpy std(ddof=1) / sqrt(n)",
}


def num(value):
    """A float with 11 significant digits; what is only rounding around 0 is 0."""
    value = float(value)
    assert math.isfinite(value), value
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.11g}")


def prob(value):
    """A probability with 11 significant digits, however small."""
    return float(f"{float(value):.11g}")


def nums(values):
    return [num(v) for v in values]


def test(statistic, dof):
    # The oracle's rounding comes first, so that p belongs to the printed statistic of an equal table as well.
    statistic = 0.0 if abs(statistic) < 1e-12 else float(statistic)
    return {"dof": int(dof), "p": prob(stats.chi2.sf(statistic, dof)), "statistic": num(statistic)}


# Two proportions ------------------------------------------------------------------------------------------------


def koopman_lower(x1, n1, x0, n0, z2):
    """The ratio below the estimate at which Koopman's chi-square equals z2 (x1 > 0)."""
    x1, n1, x0, n0 = map(Decimal, (x1, n1, x0, n0))

    def part(x, n, p):
        return Decimal(0) if x == n * p else (x - n * p) ** 2 / (n * p * (1 - p))

    def chi2(theta):
        b = theta * (n1 + x0) + x1 + n0
        p = (b - (b * b - 4 * theta * (n1 + n0) * (x1 + x0)).sqrt()) / (2 * (n1 + n0))
        return part(x1, n1, p) + part(x0, n0, p / theta)

    upper = x1 * n0 / (n1 * x0) if x0 else Decimal(1)
    while not x0 and chi2(upper) > z2:
        upper *= 2
    lower = upper / 2
    while chi2(lower) < z2:
        lower /= 2
    for _ in range(100):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if chi2(middle) > z2 else (lower, middle)
    return lower


def koopman(x1, n1, x0, n0, alpha):
    """Both ends; the upper one is that of the inverse ratio, turned around."""
    if x1 == 0 and x0 == 0:
        return None
    z2 = Decimal(float(stats.norm.isf(alpha / 2))) ** 2
    lower = koopman_lower(x1, n1, x0, n0, z2) if x1 else Decimal(0)
    upper = 1 / koopman_lower(x0, n0, x1, n1, z2) if x0 else None
    for end in (lower, upper):
        if end:
            score = score_test_proportions_2indep(
                x1, n1, x0, n0, value=float(end), compare="ratio", correction=False, return_results=False
            )
            assert math.isclose(score[1], alpha, rel_tol=1e-3), (x1, n1, x0, n0, end, score)
    if 0 < x1 < n1 and 0 < x0 < n0:
        limits = confint_proportions_2indep(
            x1, n1, x0, n0, method="score", compare="ratio", alpha=alpha, correction=False
        )
        assert np.allclose([complex(end) for end in limits], [float(lower), float(upper)], rtol=1e-6), (x1, n1, x0, n0)
    return lower, upper


def ratio_bounds(x1, n1, x0, n0, alpha):
    if x1 == 0 or x0 == 0 or (x1 == n1 and x0 == n0):
        return koopman(x1, n1, x0, n0, alpha)
    return confint_proportions_2indep(x1, n1, x0, n0, method="log", compare="ratio", alpha=alpha)


def pair(x1, n1, x0, n0):
    score = koopman(x1, n1, x0, n0, ALPHA)
    katz = x1 > 0 and x0 > 0 and (x1 < n1 or x0 < n0)
    case = {
        "balanced_accuracy": balanced_accuracy(x1, n1, x0, n0),
        "counts": [x1, n1, x0, n0],
        "katz": nums(confint_proportions_2indep(x1, n1, x0, n0, method="log", compare="ratio")) if katz else None,
        "koopman": None if score is None else [None if end is None else num(end) for end in score],
        "newcombe": nums(confint_proportions_2indep(x1, n1, x0, n0, method="newcomb", compare="diff")),
        "odds_ratio": None,
        "wilson": nums(proportion_confint(x1, n1, method="wilson")),
    }
    if 0 < x1 < n1 and 0 < x0 < n0:
        limits = confint_proportions_2indep(x1, n1, x0, n0, method="logit", compare="odds-ratio")
        case["odds_ratio"] = nums([Fraction(x1 * (n0 - x0), (n1 - x1) * x0), *limits])
    return case


# Several groups -------------------------------------------------------------------------------------------------


def groups(counts):
    defined = [(x, n) for x, n in counts if n > 0]
    ordered = [(i, j) for i in range(len(defined)) for j in range(len(defined)) if i != j]
    alpha = ALPHA / (len(ordered) / 2)
    differences = [confint_proportions_2indep(*defined[i], *defined[j], method="newcomb", alpha=alpha) for i, j in ordered]
    rates = [x / n for x, n in defined]
    case = {
        "groups": [list(group) for group in counts],
        "max_min_difference": nums(
            [max(rates) - min(rates), max(0, *(low for low, _ in differences)), max(upp for _, upp in differences)]
        ),
        "min_max_ratio": None,
    }
    if max(rates) > 0:
        bounds = [ratio_bounds(*defined[i], *defined[j], alpha) or (0, None) for i, j in ordered]
        upper = min([1.0] + [float(upp) for _, upp in bounds if upp is not None])
        case["min_max_ratio"] = nums([min(rates) / max(rates), min(float(low) for low, _ in bounds), upper])
    return case


# Strata ---------------------------------------------------------------------------------------------------------


def mh_ratio_and_difference(tables):
    """Risk ratio (Greenland and Robins 1985) and risk difference (Sato 1989), written as in the papers."""
    p = q = spread = weight = distance = sato_p = sato_q = Fraction(0)
    for a, n1, c, n0 in tables:
        n = n1 + n0
        p += Fraction(a * n0, n)
        q += Fraction(c * n1, n)
        spread += Fraction(n1 * n0 * (a + c) - a * c * n, n * n)
        weight += Fraction(n1 * n0, n)
        distance += Fraction(a * n0 - c * n1, n)
        sato_p += (n1 * n1 * c - n0 * n0 * a + Fraction(n1 * n0 * (n0 - n1), 2)) / (n * n)
        sato_q += Fraction(a * (n0 - c) + c * (n1 - a), 2 * n)
    rd = distance / weight
    variance = (rd * sato_p + sato_q) / weight**2
    half = Z * math.sqrt(variance)
    rd_case = [num(rd), num(max(-1.0, rd - half)), num(min(1.0, rd + half))] if variance > 0 else [num(rd), None, None]
    if q == 0:
        return None, rd_case
    rr = p / q
    if rr == 0 or spread == 0:
        return [num(rr), None, None], rd_case
    half = Z * math.sqrt(spread / (p * q))
    return nums([rr, math.exp(math.log(rr) - half), math.exp(math.log(rr) + half)]), rd_case


def stratified(tables):
    return StratifiedTable([np.array([[x1, n1 - x1], [x0, n0 - x0]]) for x1, n1, x0, n0 in tables])


def exact_odds_ratio(tables):
    r = sum(Fraction(a * (n0 - c), n1 + n0) for a, n1, c, n0 in tables)
    s = sum(Fraction((n1 - a) * c, n1 + n0) for a, n1, c, n0 in tables)
    return None if s == 0 else r / s


def breslow_day(tables, odds_ratio):
    if len(tables) < 2 or not odds_ratio:
        return None, None
    dof = len(tables) - 1
    if odds_ratio != 1:
        table = stratified(tables)
        return [test(table.test_equal_odds(adjust=adjust).statistic, dof) for adjust in (False, True)]
    statistic = distance = total = Fraction(0)
    for a, n1, c, n0 in tables:
        m1, n = a + c, n1 + n0
        e = Fraction(n1 * m1, n)
        v = 1 / (1 / e + 1 / (m1 - e) + 1 / (n1 - e) + 1 / (n0 - m1 + e))
        statistic, distance, total = statistic + (a - e) ** 2 / v, distance + a - e, total + v
    return test(float(statistic), dof), test(float(statistic - distance**2 / total), dof)


def strata(counts):
    used = [t for t in counts if t[1] > 0 and t[3] > 0]
    informative = [t for t in used if 0 < t[0] + t[2] < t[1] + t[3]]
    case = {"strata": [list(t) for t in counts]}
    keys = ("breslow_day", "cmh", "cmh_corrected", "mh_or", "mh_rd", "mh_rr", "tarone")
    case.update(dict.fromkeys(keys))
    if not used:
        return case
    case["mh_rr"], case["mh_rd"] = mh_ratio_and_difference(used)
    odds_ratio = exact_odds_ratio(used)
    if odds_ratio is not None:
        limits = nums(stratified(used).oddsratio_pooled_confint()) if odds_ratio else [None, None]
        case["mh_or"] = [num(odds_ratio), *limits]
    if informative:
        table = stratified(informative)
        distance = sum(Fraction(a) - Fraction(n1 * (a + c), n1 + n0) for a, n1, c, n0 in informative)
        case["cmh"] = test(table.test_null_odds().statistic if distance else 0.0, 1)
        far = abs(distance) > Fraction(1, 2)
        case["cmh_corrected"] = test(table.test_null_odds(correction=True).statistic if far else 0.0, 1)
        case["breslow_day"], case["tarone"] = breslow_day(informative, odds_ratio)
    return case


# Tables and effects ---------------------------------------------------------------------------------------------


def contingency(table):
    array = np.array(table)
    array = array[array.sum(1) > 0][:, array.sum(0) > 0]
    chi2 = None
    if min(array.shape, default=0) > 1:
        result = stats.chi2_contingency(array, correction=False)
        chi2 = test(result.statistic, result.dof)
    return {"chi2": chi2, "table": table}


def paule_mandel(y, v):
    k = len(y)

    def excess(tau2):
        w = 1 / (v + tau2)
        return float((w * (y - (w * y).sum() / w.sum()) ** 2).sum()) - (k - 1)

    if excess(0.0) <= 0:
        return 0.0
    tau2 = optimize.brentq(excess, 0.0, float(y.var(ddof=1)) * 1.001, xtol=1e-300, rtol=1e-15, maxiter=1000)
    iterated, _ = _fit_tau_iterative(y, v)
    assert abs(iterated - tau2) < 1e-4 * max(1.0, tau2), (iterated, tau2)
    return tau2


def meta(effects):
    y, v = (np.array(column, dtype=float) for column in zip(*effects))
    k = len(y)
    mean, se = float((y / v).sum() / (1 / v).sum()), float(1 / np.sqrt((1 / v).sum()))
    case = {"effects": effects, "fixed": nums([mean, se, mean - Z * se, mean + Z * se]), "heterogeneity": None, "random": None}
    if k == 1:
        return case
    res = combine_effects(y, v, method_re="dl")
    assert np.allclose([res.mean_effect_fe, res.sd_eff_w_fe], [mean, se], rtol=1e-11, atol=1e-14)
    q, tau2 = float(res.q), float(res.tau2)
    case["heterogeneity"] = {
        "i2": num(max(0.0, res.i2)),
        "q": test(q, k - 1),
        "tau2_dl": num(max(0.0, tau2)),
        "tau2_pm": num(paule_mandel(y, v)),
    }
    which = "re" if tau2 > 0 else "fe"
    mean, se = float(getattr(res, f"mean_effect_{which}")), float(getattr(res, f"sd_eff_w_{which}"))
    variance, scale = float(getattr(res, f"var_hksj_{which}")), float(getattr(res, f"scale_hksj_{which}"))
    t = float(stats.t.isf(ALPHA / 2, k - 1))

    def around(half):
        return nums([mean - half, mean + half])

    case["random"] = {"estimate": num(mean), "se": num(se), "hksj": None, "hksj_modified": None, "prediction": None}
    case["random"]["interval"] = None
    if k > 2:
        case["random"]["interval"] = around(Z * se)
        case["random"]["hksj"] = around(t * math.sqrt(variance))
        case["random"]["hksj_modified"] = around(t * math.sqrt(max(1.0, scale)) * se)
        case["random"]["prediction"] = around(float(stats.t.isf(ALPHA / 2, k - 2)) * math.sqrt(max(0.0, tau2) + se * se))
    return case


# Cases ----------------------------------------------------------------------------------------------------------

BERKELEY = [
    (89, 108, 512, 825),
    (17, 25, 353, 560),
    (202, 593, 120, 325),
    (131, 375, 138, 417),
    (94, 393, 53, 191),
    (24, 341, 22, 373),
]


def balanced_accuracy(x1, n1, x0, n0):
    if n1 == 0 or n0 == 0:
        return None
    a, b = Fraction(x1, n1), Fraction(x0, n0)
    variance = (a * (1 - a) / n1 + b * (1 - b) / n0) / 4
    value = float((a + b) / 2)
    if variance == 0:
        return [num(value), None, None]
    half = Z * math.sqrt(variance)
    return nums([value, max(0.0, value - half), min(1.0, value + half)])


def concordance(positives, negatives):
    return stats.mannwhitneyu(positives, negatives, method="asymptotic").statistic / (len(positives) * len(negatives))


def auc(positives, negatives):
    """From bins; the variance from the whole matrix of pairs, as DeLong, DeLong and Clarke-Pearson define it."""
    value = concordance(positives, negatives)
    x, y = np.array(positives)[:, None], np.array(negatives)[None, :]
    psi = (x > y) + 0.5 * (x == y)
    if min(len(positives), len(negatives)) < 2:
        return [num(value), None, None]
    variance = np.var(psi.mean(axis=1), ddof=1) / len(positives) + np.var(psi.mean(axis=0), ddof=1) / len(negatives)
    if variance < 1e-20:
        return [num(value), None, None]
    half = Z * math.sqrt(variance)
    return nums([value, max(0.0, value - half), min(1.0, value + half)])


def scores(events):
    """`events` are (label, score in thousandths); ten bins, closed on the right."""
    def bin_of(score):
        return max(0, (score - 1) // 100)

    by_label = [[bin_of(s) for label, s in events if label == wanted] for wanted in (0, 1)]
    negatives, positives = by_label
    both = bool(negatives and positives)
    bins = [[(label, Fraction(s, 1000)) for label, s in events if bin_of(s) == b] for b in range(10)]
    error = sum(abs(sum(label - s for label, s in rows)) for rows in bins) / len(events)
    values = np.array([s / 1000 for _, s in events])
    spread = values.std(ddof=1) if len(events) > 1 and len(set(values)) > 1 else 0
    mean = [num(values.mean()), None, None]
    if spread:
        half = Z * spread / math.sqrt(len(events))
        mean = nums([values.mean(), values.mean() - half, values.mean() + half])
    bounds = [
        num(concordance([2 * b + shift for b in positives], [2 * b for b in negatives])) for shift in (-1, 1)
    ] if both else None
    return {
        "events": events,
        "auc": auc(positives, negatives) if both else None,
        "auc_bounds": bounds,
        "brier": num(sum((s - label) ** 2 for rows in bins for label, s in rows) / len(events)),
        "ece": num(error),
        "mean": mean,
    }


def score_cases(rng):
    known = [[(1, 0)], [(0, 1000)], [(0, 100), (1, 101)], [(1, 100), (0, 101)], [(0, 50), (0, 60), (1, 70), (1, 55)]]
    drawn = []
    for i in range(90):
        prevalence, skew = rng.choice([0.05, 0.3, 0.5, 0.9]), rng.choice([0, 0, 150, 400])
        rows = []
        for _ in range(rng.choice([2, 5, 20, 120])):
            label = int(rng.random() < prevalence)
            score = rng.choice([rng.randint(0, 1000), 100 * rng.randint(0, 10)])
            rows.append((label, min(1000, max(0, score + skew * (2 * label - 1)))))
        drawn.append(rows)
    return known + drawn


def random_group(rng, largest, empty=False):
    n = rng.randint(0 if empty else 1, rng.choice([1, 3, 10, 60, largest]))
    kind = rng.randrange(8)
    return (0 if kind == 0 else n if kind == 1 else rng.randint(0, n)), n


def pair_cases(rng):
    small = [(x1, n1, x0, n0) for n1 in (1, 2) for n0 in (1, 3) for x1 in range(n1 + 1) for x0 in range(n0 + 1)]
    known = [(56, 70, 48, 80), (9, 10, 3, 10), (0, 10, 0, 20), (10, 10, 20, 20), (36, 40, 16, 80), (557, 1835, 1198, 2691)]
    known += [(0, 10**6, 3, 10**6), (10**6 - 1, 10**6, 500_000, 10**6)]
    return known + small + [random_group(rng, 5000) + random_group(rng, 5000) for _ in range(250)]


def group_cases(rng):
    known = [[(50, 100)] * 5, [(0, 10), (0, 12), (30, 40)], [(0, 10), (0, 7)], [(9, 9), (4, 4), (0, 0)]]
    drawn = ([random_group(rng, 800) for _ in range(rng.randint(2, 7))] for _ in range(60))
    return known + list(drawn)


def strata_cases(rng):
    known = [BERKELEY, BERKELEY[:1], [(4, 8, 5, 10)] * 3, [(0, 5, 0, 7)], [(5, 5, 7, 7)], [(0, 5, 3, 7)] * 2, [(3, 9, 0, 0)]]
    known += [[(5, 5, 0, 7)], [(0, 5, 0, 7), (5, 5, 7, 7)], [(3, 6, 4, 9), (0, 8, 0, 3), (2, 2, 9, 9), (5, 6, 1, 9)]]
    drawn = []
    for i in range(220):
        largest, sites = (400, rng.randint(1, 12)) if i % 2 else (12, rng.randint(1, 30))
        drawn.append([random_group(rng, largest, True) + random_group(rng, largest, True) for _ in range(sites)])
    return known + drawn


def table_cases(rng):
    drawn = []
    for _ in range(80):
        rows, columns, largest = rng.randint(2, 6), rng.randint(2, 6), rng.choice([2, 10, 300])
        drawn.append([[rng.randint(0, largest) for _ in range(columns)] for _ in range(rows)])
    return [[[557, 1278], [1198, 1493]], [[0, 0], [3, 4]], [[3, 0, 9], [0, 0, 0], [7, 0, 2]]] + drawn


def effect_cases(rng):
    drawn = []
    for _ in range(120):
        k, spread = rng.choice([1, 2, 2, 3, 4, 6, 10, 25]), rng.choice([0.0, 0.02, 0.3])
        drawn.append([])
        for _ in range(k):
            v = round(rng.choice([0.0004, 0.01, 0.2]) * (0.2 + rng.random()), 7)
            drawn[-1].append([round(0.05 + rng.gauss(0, 1) * math.sqrt(v + spread**2), 6), v])
    return drawn


def write(path, conventions, software, sections):
    """One case a line."""

    def compact(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)

    parts = [f'"conventions":{json.dumps(conventions, sort_keys=True, indent=1)}', f'"software":{compact(software)}']
    parts += [f'"{name}":[\n' + ",\n".join(map(compact, cases)) + "\n]" for name, cases in sorted(sections.items())]
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


def main(path):
    for module in (np, scipy, statsmodels):
        if module.__version__ != PINNED[module.__name__]:
            sys.exit(f"{module.__name__} is {module.__version__}; the vectors are made with {PINNED[module.__name__]}")
    getcontext().prec = 50
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "pairs": [pair(*case) for case in pair_cases(rng)],
        "groups": [groups(case) for case in group_cases(rng)],
        "strata": [strata(case) for case in strata_cases(rng)],
        "tables": [contingency(case) for case in table_cases(rng)],
        "meta": [meta(case) for case in effect_cases(rng)],
        "scores": [scores(case) for case in score_cases(rng)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python generate.py OUTPUT")
    main(sys.argv[1])
