"""Writes the oracle vectors of drift and quantiles: what scipy and numpy say about random windows.

    python drift.py drift.json

As generate.py, whose packages and rounding these are.
"""

import math
import random
import sys
import warnings

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

from generate import PINNED, Z, num, nums, test, write

SEED = 1951
FLOOR = 1e-4
FEATURES = 7

CONVENTIONS = {
    "alert": "(1/n + 1/m) scipy chi2.isf(0.001 / 7, k - 1); null for one bin",
    "chi2": "scipy chi2_contingency(correction=False) after bins that are empty twice were removed; null for one bin",
    "cramer_v": "scipy contingency.association(method='cramer')",
    "distances": "psi, jensen_shannon, kl, hellinger, total_variation, l_infinity, cramer_v, noise_floor, alert, after merging "
    "to at most twenty bins of equally many neighbours; `apart` bins at the end are not merged",
    "hellinger": "sqrt(1 - sum sqrt(p q)), in numpy's longest floats",
    "jensen_shannon": "scipy jensenshannon(base=2)",
    "kl": "scipy entropy(q, p); null where it is infinite",
    "ks": "scipy ks_2samp over the bins; upper: the larger of two, one window before or after the other inside each bin",
    "l_infinity": "numpy",
    "psi": "numpy, shares held at 1e-4 or more",
    "quantile": "numpy quantile(method='inverted_cdf') of the bins' middles; limits: order statistics at the ranks of Conover "
    "1999, at the outer edges of their bins; null where there is no such rank",
    "total_variation": "scipy cityblock by 2",
    "wasserstein": "scipy wasserstein_distance of the bins' middles; bounds: less and more what events are from the middle at most",
}


def shares(bins):
    return np.array(bins, dtype=float) / sum(bins)


def merged(bins, apart):
    ordered, rest = bins[: len(bins) - apart], bins[len(bins) - apart :]
    width = max(1, math.ceil(len(ordered) / 20))
    return [sum(ordered[at : at + width]) for at in range(0, len(ordered), width)] + rest


def drift(reference, current, apart):
    if not sum(reference) or not sum(current):
        return None
    table = np.array([merged(reference, apart), merged(current, apart)])
    table = table[:, table.sum(0) > 0]
    n, m = (int(x) for x in table.sum(1))
    k = table.shape[1]
    p, q = shares(table[0]), shares(table[1])
    held = np.maximum([p, q], FLOOR)
    chance = 1 / n + 1 / m
    kl = stats.entropy(q, p)
    overlap = float(np.sqrt(p.astype(np.longdouble) * q.astype(np.longdouble)).sum())
    same = (table[0] * m == table[1] * n).all()
    result = stats.chi2_contingency(table, correction=False) if k > 1 else None
    distances = [
        num(((held[1] - held[0]) * np.log(held[1] / held[0])).sum()),
        0.0 if same else num(jensenshannon(p, q, base=2)),
        num(kl) if math.isfinite(kl) else None,
        0.0 if same else num(math.sqrt(max(0.0, 1 - overlap))),
        num(np.abs(p - q).sum() / 2),
        num(np.abs(p - q).max()),
        None if k < 2 else num(stats.contingency.association(table, method="cramer")),
        num((k - 1) * chance),
        None if k < 2 else num(chance * stats.chi2.isf(0.001 / FEATURES, k - 1)),
    ]
    return {"chi2": None if k < 2 else test(result.statistic, result.dof), "distances": distances}


def window(reference, current, apart, edges):
    case = {"reference": reference, "current": current, "apart": apart, "edges": edges, "ks": None, "wasserstein": None}
    case["drift"] = drift(reference, current, apart)
    before, after = (bins[: len(bins) - apart] for bins in (reference, current))
    if sum(before) and sum(after):
        a, b = (np.repeat(np.arange(len(bins), dtype=float), bins) for bins in (before, after))
        ends = [stats.ks_2samp(a + shift, b).statistic for shift in (-0.5, 0, 0.5)]
        case["ks"] = nums([ends[1], max(ends)])
        edge = np.array(edges)
        middle, width = (edge[1:] + edge[:-1]) / 2, np.diff(edge)
        distance = stats.wasserstein_distance(middle, middle, before, after)
        hidden = float((width / 2 * (shares(before) + shares(after))).sum())
        case["wasserstein"] = nums([distance, max(0.0, distance - hidden), distance + hidden])
    return case


def quantiles(counts, edges):
    middle = np.repeat([(a + b) / 2 for a, b in zip(edges, edges[1:])], counts)
    at = np.repeat(np.arange(len(counts)), counts)
    n = len(at)
    found = []
    for q in (0.5, 0.95, 0.99):
        if not n:
            found.append({"estimate": None, "bounds": None})
            continue
        value = np.quantile(middle, q, method="inverted_cdf")
        own = at[np.searchsorted(middle, value)]
        half = Z * math.sqrt(n * q * (1 - q))
        first, last = math.ceil(n * q - half), math.ceil(n * q + half)
        limits = [None, None]
        if first >= 1 and last <= n:
            limits = nums([edges[at[first - 1]], edges[at[last - 1] + 1]])
        found.append({"estimate": [num(value), *limits], "bounds": nums([edges[own], edges[own + 1]])})
    return {"counts": counts, "edges": edges, "found": found}


def ascending(rng, count):
    edges = [round(rng.uniform(-5, 5), 3)]
    for _ in range(count):
        edges.append(round(edges[-1] + rng.choice([0.25, 1, rng.uniform(0.01, 9)]), 3))
    return edges


def window_cases(rng):
    cases = [([3], [4], 0), ([0, 0], [1, 2], 0), ([5, 0], [0, 7], 0), ([10, 20], [20, 40], 0), ([0, 0, 4], [3, 0, 0], 1)]
    for _ in range(85):
        bins, size, apart = rng.choice([1, 2, 5, 10, 19, 21, 40, 64]), rng.choice([2, 30, 400]), rng.choice([0, 0, 2])
        draw = [[int(size * rng.random() * (rng.random() < 0.8)) for _ in range(bins + apart)] for _ in range(2)]
        cases.append((*draw, apart))
    return [(*case, ascending(rng, len(case[0]) - case[2])) for case in cases]


def quantile_cases(rng):
    cases = [([1], [0, 1]), ([0, 0], [0, 1, 2]), ([0, 7, 0], [1, 2, 4, 8]), ([50, 50], [0, 1, 2])]
    for _ in range(85):
        bins = rng.choice([1, 3, 20, 60])
        counts = [int(rng.choice([0, 1, 5, 200]) * rng.random()) for _ in range(bins)]
        cases.append((counts, [round(1.1**b, 6) for b in range(bins + 1)]))
    return cases


def main(path):
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    sections = {
        "windows": [window(*case) for case in window_cases(rng)],
        "quantiles": [quantiles(*case) for case in quantile_cases(rng)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python drift.py OUTPUT")
    main(sys.argv[1])
