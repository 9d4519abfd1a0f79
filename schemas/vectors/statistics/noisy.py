"""Writes the oracle vectors of differential privacy: scales of noise, what several releases cost, intervals of noisy rates.

    python noisy.py noisy.json

As generate.py, whose packages and rounding these are. Beside what formulas say stand exact privacy losses, computed by summation.
"""

import math
import random
import sys
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
from scipy import optimize, stats

from generate import PINNED, Z, nums, prob, write

SEED = 2020

CONVENTIONS = {
    "noise": "m events of a subject, S slices. Laplace: scale m S / epsilon, in lowest terms; variance 2 q / (1 - q)^2, q = exp(-1 / scale), "
    "with 50 digits. Gaussian: the least sigma in thousandths for which rho = m^2 S / (2 sigma^2) has rho + 2 sqrt(rho ln(1 / delta)) <= "
    "epsilon, by search; variance sigma^2; delta is the exact one at epsilon, by summation over the sum of S discrete Gaussians, when one cell "
    "of each slice changes by m",
    "together": "bound: the least of the bounds that hold, by Bun and Steinke 2016 (null at delta 0 beside Gaussian noise). exact: the least "
    "epsilon at delta there can be: for k equal pure releases that of Kairouz, Oh and Viswanath 2015 (theorem 3.3), for Gaussian ones that of "
    "Balle and Wang 2018 (theorem 8); null for others",
    "rates": "[value, lower, upper] of noisy sums part and rest of a and b cells, each with noise of variance v, at most at 0 and 1: the roots "
    "of (x - n p)^2 = z^2 (n p (1 - p) + a v (1 - p)^2 + b v p^2) on either side of x / n, by Brent's method; null if n < 10 or n < 5 sqrt((a + b) v)",
}


def laplace(epsilon, m, slices):
    scale = Fraction(m * slices) / Fraction(epsilon)
    q = (-Decimal(scale.denominator) / Decimal(scale.numerator)).exp()
    return scale, float(2 * q / (1 - q) ** 2)


def gaussian(epsilon, delta, m, slices):
    log = -math.log(float(delta))

    def fits(sigma):
        rho = m * m * slices / (2 * sigma * sigma)
        return rho + 2 * math.sqrt(rho * log) <= float(epsilon)

    low, high = 1, 10**9
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle / 1000) else (middle + 1, high)
    scale = Fraction(low, 1000)
    return scale, float(scale * scale), exact_delta(float(scale), float(epsilon), m, slices)


def exact_delta(sigma, epsilon, m, slices):
    """The hockey-stick divergence of S discrete Gaussians and the same shifted by m each."""
    far = math.ceil(14 * sigma)
    x = np.arange(-far, far + 1)
    one = np.exp(-(x**2) / (2 * sigma**2))
    one /= one.sum()
    total = one
    for _ in range(slices - 1):
        total = np.convolve(total, one)
    t = np.arange(len(total)) - slices * far
    loss = (slices * m * m - 2 * m * t) / (2 * sigma**2)
    above = loss > epsilon
    return float(np.sum(total[above] * -np.expm1(epsilon - loss[above])))


def noise_cases():
    for m, slices in [(1, 1), (1, 3), (2, 2), (5, 4)]:
        for epsilon in ["0.25", "0.5", "1", "2.5", "7", "0.333333"]:
            scale, variance = laplace(epsilon, m, slices)
            yield {"mechanism": "discrete_laplace", "epsilon": epsilon, "delta": None, "m": m, "slices": slices,
                   "scale": [scale.numerator, scale.denominator], "variance": nums([variance])[0], "exact": None}
            for delta in ["0.001", "0.000001"]:
                scale, variance, exact = gaussian(epsilon, delta, m, slices)
                yield {"mechanism": "discrete_gaussian", "epsilon": epsilon, "delta": delta, "m": m, "slices": slices,
                       "scale": [scale.numerator, scale.denominator], "variance": nums([variance])[0], "exact": prob(exact)}


def zcdp(rho, delta):
    return rho + 2 * math.sqrt(rho * -math.log(delta))


def pure_delta(k, each, epsilon):
    """Of k equal pure releases (randomised response is the worst)."""
    terms = (math.comb(k, i) * max(0.0, math.exp((k - i) * each) - math.exp(epsilon + i * each)) for i in range(k + 1))
    return math.fsum(terms) / (1 + math.exp(each)) ** k


def gaussian_delta(rho, epsilon):
    mu = math.sqrt(2 * rho)
    return stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)


def exact_epsilon(delta_at, delta, most):
    return 0.0 if delta_at(0.0) <= delta else optimize.brentq(lambda epsilon: delta_at(epsilon) - delta, 0.0, most, xtol=1e-14)


def together(pure, rho, delta):
    d = float(delta)
    p, r = [float(of) for of in pure], [float(of) for of in rho]
    bounds = [] if rho else [float(sum(map(Decimal, pure)))]
    if d > 0:
        bounds.append(zcdp(sum(e * e / 2 for e in p) + sum(r), d))
        bounds.append(sum(p) + zcdp(sum(r), d))
    exact = None
    if d > 0 and rho and not pure:
        exact = exact_epsilon(lambda epsilon: gaussian_delta(sum(r), epsilon), d, zcdp(sum(r), d) + 1)
    elif d > 0 and pure and not rho and len(set(pure)) == 1:
        exact = exact_epsilon(lambda epsilon: pure_delta(len(p), p[0], epsilon), d, sum(p))
    return {"pure": pure, "rho": rho, "delta": delta, "bound": nums([min(bounds)])[0] if bounds else None,
            "exact": None if exact is None else nums([exact])[0]}


def together_cases(rng):
    for delta in ["0", "0.001", "0.000001"]:
        for k in [1, 2, 7, 30, 200]:
            for each in ["0.01", "0.1", "0.5"]:
                yield together([each] * k, [], delta)
            yield together([], ["0.01"] * k, delta)
        for _ in range(8):
            of = [rng.choice(["0.05", "0.3", "1", "2.25"]) for _ in range(rng.randint(1, 5))]
            yield together(of, [rng.choice(["0.002", "0.02", "0.2"]) for _ in range(rng.randint(0, 4))], delta)


def rate(part, rest, a, b, v):
    n = part + rest
    if n < 10 or n < 5 * math.sqrt((a + b) * v):
        return None
    z2 = Z * Z

    def score(p):
        return (part - n * p) ** 2 - z2 * (n * p * (1 - p) + a * v * (1 - p) ** 2 + b * v * p * p)

    # Between the roots, score is least at its minimum; a step outwards from there finds a sign on either side.
    centre = optimize.minimize_scalar(score, bounds=(-1, 2), method="bounded", options={"xatol": 1e-12}).x
    if score(centre) >= 0:
        return None
    lower, upper = (optimize.brentq(score, *sorted([centre, centre + side * 9]), xtol=1e-15, rtol=1e-14) for side in (-1, 1))
    value = min(1.0, max(0.0, part / n))
    return nums([value, min(value, max(0.0, lower)), max(value, min(1.0, upper))])


def rate_cases(rng):
    for _ in range(90):
        (a, b), v = rng.choice([(1, 1), (2, 2), (3, 3), (6, 3)]), rng.choice([0.5, 7.96, 71.9, 400.0])
        n = rng.choice([8, 40, 200, 3000])
        part = rng.randint(0, n)
        yield {"part": part, "rest": n - part, "cells": [a, b], "variance": v, "rate": rate(part, n - part, a, b, v)}


def main(path):
    getcontext().prec = 50
    rng = random.Random(SEED)
    sections = {"noise": list(noise_cases()), "together": list(together_cases(rng)), "rates": list(rate_cases(rng))}
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python noisy.py OUTPUT")
    main(sys.argv[1])
