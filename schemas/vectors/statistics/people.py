"""Writes the oracle vectors of rates of people who come back: what statsmodels says about random visits.

    python people.py people.json

As generate.py, whose packages and rounding these are.
"""

import random
import sys

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from generate import PINNED, num, write

SEED = 1994

CONVENTIONS = {
    "effective": "p (1 - p) by the variance of the mean in statsmodels OLS on a constant, cov_type='cluster', "
    "use_correction=False; or the number of events, where that is less than the cluster's",
    "pairs": "numpy: for each person (visits that count)^2 - visits that count, their product with the others, and the same of the others",
    "wilson": "statsmodels proportion_confint(p n, n, method='wilson') at the effective number",
}


def visits(rng):
    """A person each: how many visits count, and how many do not."""
    people = rng.randint(2, 60)
    likely = rng.random()
    alike = rng.random()
    found = []
    for _ in range(people):
        own = likely if rng.random() > alike else float(rng.random() < likely)
        number = rng.choice([1, 1, 1, 2, 3, 8])
        count = sum(rng.random() < own for _ in range(number))
        found.append((count, number - count))
    return found


def case(found):
    counts, others = np.array(found).T
    y = np.concatenate([[1.0] * a + [0.0] * b for a, b in found])
    person = np.concatenate([[at] * (a + b) for at, (a, b) in enumerate(found)])
    p = y.mean()
    if p in (0.0, 1.0):
        return None
    fit = sm.OLS(y, np.ones_like(y)).fit(cov_type="cluster", cov_kwds={"groups": person, "use_correction": False})
    variance = float(fit.cov_params()[0, 0])
    effective = len(y) if variance == 0.0 else min(p * (1 - p) / variance, len(y))
    lower, upper = proportion_confint(p * effective, effective, method="wilson")
    return {
        "count": int(counts.sum()),
        "total": len(y),
        "pairs": [int((counts * (counts - 1)).sum()), int((counts * others).sum()), int((others * (others - 1)).sum())],
        "rate": [num(float(x)) for x in (p, effective, lower, upper)],
    }


def main(path):
    rng = random.Random(SEED)
    cases = [case(visits(rng)) for _ in range(120)]
    write(path, CONVENTIONS, PINNED, {"people": [case for case in cases if case]})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python people.py OUTPUT")
    main(sys.argv[1])
