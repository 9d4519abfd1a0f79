"""Writes the oracle vectors of identification bounds: every completion of what is hidden, and linear programs.

    python identified.py identified.json

As generate.py, whose rounding this is. No library computes these bounds; what they are is said without a formula.
"""

import random
import sys
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from generate import PINNED, num, nums, write

SEED = 2003

CONVENTIONS = {
    "rates": "x cases of n known events, and up to `hidden` more, each in the group or not, a case or not: [least, greatest] "
    "rate over all completions with events. Up to 40 hidden: all of them in fractions; more: linear programs by scipy linprog (HiGHS), "
    "the rate made linear as Charnes and Cooper 1962 do; both where both can",
    "differences": "x1 / n1 - x0 / n0, and up to `hidden` more events, each in one group, the other or none: [least, greatest] over "
    "all completions in which both groups have events. Up to 12 hidden: all of them in fractions; more: in integers, hidden events of a group "
    "all cases or all not, as a rate grows with each case",
    "slices": "groups of a slice, of which some show all cells, some totals, some the number of events, some nothing; folds, sums of some groups; "
    "and the sum of all. [least, greatest] rate of the first group over all tables of numbers not below 0 that fit: linear programs by scipy "
    "linprog (HiGHS), made linear as above. Whole numbers, and narrower ones, lie within",
    "null": "no completion has events",
}


def rates_by_completion(x, n, hidden):
    found = [Fraction(x + s, n + m) for m in range(hidden + 1) for s in range(m + 1) if n + m]
    return [min(found), max(found)] if found else None


def rate_by_program(x, n, hidden):
    """Over t = 1 / (n + m), v = m t, u = s t: least and greatest x t + u."""
    equal = dict(A_eq=[[n, 1, 0]], b_eq=[1])
    least = dict(A_ub=[[0, -1, 1], [-hidden, 1, 0]], b_ub=[0, 0], bounds=[(0, None)] * 3)
    ends = []
    for sign in (1, -1):
        answer = linprog([sign * x, 0, sign], **equal, **least, method="highs", options={
            "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
        assert answer.status == 0, (x, n, hidden, answer)
        ends.append(sign * answer.fun)
    return ends


def rate(x, n, hidden):
    ends = rates_by_completion(x, n, hidden) if hidden <= 40 else None
    if n or hidden:
        program = rate_by_program(x, n, hidden)
        assert ends is None or np.allclose([float(end) for end in ends], program, rtol=1e-9, atol=1e-12), (x, n, hidden)
        ends = ends or program
    return {"counts": [x, n, hidden], "bounds": nums(ends) if ends else None}


def differences_by_completion(x1, n1, x0, n0, hidden):
    found = []
    for m1 in range(hidden + 1):
        for m0 in range(hidden - m1 + 1):
            if n1 + m1 and n0 + m0:
                one = [Fraction(x1 + s, n1 + m1) for s in range(m1 + 1)]
                other = [Fraction(x0 + s, n0 + m0) for s in range(m0 + 1)]
                found += [a - b for a in one for b in other]
    return [min(found), max(found)] if found else None


def differences_by_splits(x1, n1, x0, n0, hidden):
    m1, m0 = np.meshgrid(np.arange(hidden + 1), np.arange(hidden + 1), indexing="ij")
    fits = (m1 + m0 <= hidden) & (n1 + m1 > 0) & (n0 + m0 > 0)
    if not fits.any():
        return None
    m1, m0 = m1[fits], m0[fits]
    least = x1 / (n1 + m1) - (x0 + m0) / (n0 + m0)
    greatest = (x1 + m1) / (n1 + m1) - x0 / (n0 + m0)
    return [least.min(), greatest.max()]


def difference(x1, n1, x0, n0, hidden):
    ends = differences_by_splits(x1, n1, x0, n0, hidden)
    if hidden <= 12:
        exact = differences_by_completion(x1, n1, x0, n0, hidden)
        assert (ends is None) == (exact is None), (x1, n1, x0, n0, hidden)
        assert ends is None or np.allclose(ends, [float(end) for end in exact], rtol=1e-12, atol=1e-15)
        ends = exact
    return {"counts": [x1, n1, x0, n0, hidden], "bounds": [num(end) for end in ends] if ends else None}


def known_group(rng):
    n = rng.choice([0, 1, rng.randint(2, 12), rng.randint(2, 400)])
    return rng.choice([0, n, rng.randint(0, n), rng.randint(0, n)]), n


def rate_cases(rng):
    known = [(0, 0, 0), (0, 0, 3), (3, 10, 0), (5, 5, 1000), (7, 90, 2_000_000)]
    return known + [(*known_group(rng), rng.choice([0, 1, rng.randint(2, 40), rng.randint(41, 5000)])) for _ in range(100)]


def difference_cases(rng):
    known = [(0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 0, 0, 2), (0, 0, 3, 4, 1), (2, 3, 1, 4, 0), (4, 4, 0, 4, 50)]
    drawn = [(*known_group(rng), *known_group(rng), rng.choice([0, 1, rng.randint(2, 12), rng.randint(13, 600)])) for _ in range(120)]
    return known + drawn


CELLS = range(9)
RUNGS = ["full", "margins", "n", "withheld"]
# Cases and rest of each rate, as cells 3 * decision + label.
RATES = {
    "selection_rate": ([3, 4, 5], [0, 1, 2]),
    "tpr": ([4], [1]),
    "fpr": ([3], [0]),
    "ppv": ([4], [3]),
    "accuracy": ([0, 4], [1, 3]),
}


def block(table, rung):
    rows = [table[3 * d:3 * d + 3] for d in range(3)]
    if rung == "full":
        return {"full": rows}
    if rung == "margins":
        return {"margins": {"decisions": [sum(row) for row in rows], "labels": [sum(column) for column in zip(*rows)]}}
    return {"n": sum(table)} if rung == "n" else "withheld"


def equations(shown, groups, among):
    """What a block says of the sum of some groups: coefficients of all cells, and what they add up to."""
    def line(cells, total):
        row = np.zeros(9 * groups)
        for group in among:
            for cell in cells:
                row[9 * group + cell] = 1
        return row, total

    if shown == "withheld":
        return []
    (rung, value), = shown.items()
    if rung == "full":
        return [line([cell], value[cell // 3][cell % 3]) for cell in CELLS]
    if rung == "n":
        return [line(CELLS, value)]
    rows = [line([3 * d + label for label in range(3)], value["decisions"][d]) for d in range(3)]
    return rows + [line([3 * d + label for d in range(3)], value["labels"][label]) for label in range(3)]


def rate_of_slice(known, groups, cases, rest):
    """Over t = 1 / (cases + rest) and cells times t."""
    unit = np.zeros(9 * groups + 1)
    unit[cases + rest] = 1
    goal = np.zeros(9 * groups + 1)
    goal[cases] = 1
    left = [np.append(row, -total) for row, total in known] + [unit]
    right = [0] * len(known) + [1]
    ends = []
    for sign in (1, -1):
        answer = linprog(sign * goal, A_eq=np.array(left), b_eq=right, bounds=[(0, None)] * len(goal), method="highs", options={
            "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
        if answer.status == 2:
            return None
        assert answer.status == 0, answer
        ends.append(sign * answer.fun)
    return nums(ends)


def slice_case(rng):
    groups = rng.randint(2, 4)
    tables = [[rng.choice([0, rng.randint(0, 4), rng.randint(0, 30)]) for _ in CELLS] for _ in range(groups)]
    rungs = [rng.choice(RUNGS) for _ in range(groups)]
    rungs[0] = rng.choice(RUNGS[1:])
    hidden = [at for at in range(groups) if rungs[at] == "withheld"]
    total = lambda members: [sum(tables[at][cell] for at in members) for cell in CELLS]
    folds = []
    if len(hidden) > 1 and rng.random() < 0.6:
        folds = [{"block": block(total(hidden), rng.choice(RUNGS[:3])), "members": hidden}]
    whole = block(total(range(groups)), rng.choice(RUNGS[:3]))
    shown = [block(table, rung) for table, rung in zip(tables, rungs)]
    known = equations(whole, groups, range(groups))
    for at, of in enumerate(shown):
        known += equations(of, groups, [at])
    for fold in folds:
        known += equations(fold["block"], groups, fold["members"])
    bounds = {name: rate_of_slice(known, groups, cases, rest) for name, (cases, rest) in RATES.items()}
    return {"groups": shown, "folds": folds, "whole": whole, "bounds": bounds}


def main(path):
    rng = random.Random(SEED)
    sections = {
        "rates": [rate(*case) for case in rate_cases(rng)],
        "differences": [difference(*case) for case in difference_cases(rng)],
        "slices": [slice_case(rng) for _ in range(160)],
    }
    write(path, CONVENTIONS, PINNED, sections)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python identified.py OUTPUT")
    main(sys.argv[1])
