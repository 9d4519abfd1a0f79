"""An attacker on releases, and what is left to be used.

    python attack.py tables.jsonl

Each line is a release and the table behind it. Unknown is the joint table of all attributes (stratum, categories, decision,
label); every number of the release is an equation over sums of it, written down here from `release.json` alone. A block that
fails by itself (a cell of 1 to below k) is hidden: each of its nine cells must be possible at min(k - 1, what the public numbers
leave) integers, each with a whole table of integers that solves all equations (HiGHS), or can be 0 alone, as zeros are
published. Where the plan hides zeros (`hide_zeros` of the line), a 0 fails, too, but for decisions and labels that nobody of
the stratum has: then 0 alone is not enough, and no such 0 may stand in the release. The table behind the release says which blocks fail, must solve the equations, and says what other rules would show.
Exit code 1: a promise does not hold.
"""

import itertools
import json
import sys
from collections import defaultdict

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

CELLS = [(d, l) for d in range(3) for l in range(3)]


class Equations:
    """Sums of unknowns that are known; each unknown is a count."""

    def __init__(self, release):
        self.sums, self.known, self.blocks = [], [], {}
        self.categories = defaultdict(list)
        for part in release["strata"][0]["slices"]:
            for group in part["groups"]:
                for name, category in zip(part["attributes"], group["group"]):
                    if category not in self.categories[name]:
                        self.categories[name].append(category)
        self.names = list(self.categories)
        self.joint = list(itertools.product(*self.categories.values()))
        self.size = len(release["strata"]) * len(self.joint) * 9
        for s, stratum in enumerate(release["strata"]):
            for i, part in enumerate(stratum["slices"]):
                self.slice(s, i, part)
        all_cells = np.arange(self.size).reshape(-1, 9)
        unlabelled = [cell for cell, (_, l) in enumerate(CELLS) if l == 2]
        self.add(all_cells.ravel(), release["events"])
        self.add(all_cells[:, unlabelled].ravel(), release["events"] - release["outcomes"])

    def add(self, unknowns, known):
        self.sums.append(np.asarray(unknowns))
        self.known.append(known)

    def slice(self, s, i, part):
        places = [self.names.index(name) for name in part["attributes"]]
        members = defaultdict(list)
        for at, categories in enumerate(self.joint):
            members[tuple(categories[place] for place in places)].append((s * len(self.joint) + at) * 9)
        folds = defaultdict(list)
        for g, group in enumerate(part["groups"]):
            of = members[tuple(group["group"])]
            self.blocks[s, i, g] = of
            if isinstance(group["counts"], dict) and "folded" in group["counts"]:
                folds[group["counts"]["folded"]] += of
            else:
                self.block(of, group["counts"])
        for f, of in folds.items():
            self.blocks[s, i, -1 - f] = of
            self.block(of, part["folds"][f])

    def block(self, of, counts):
        of = np.array(of)
        if counts == "withheld":
            return
        [(rung, shown)] = counts.items()
        if rung == "full":
            for cell, (d, l) in enumerate(CELLS):
                self.add(of + cell, shown[d][l])
        elif rung == "margins":
            for side, totals in enumerate((shown["decisions"], shown["labels"])):
                for total, known in enumerate(totals):
                    cells = [cell for cell, of_cell in enumerate(CELLS) if of_cell[side] == total]
                    self.add((of[:, None] + cells).ravel(), known)
        elif rung == "n":
            self.add((of[:, None] + np.arange(9)).ravel(), shown)
        else:
            raise ValueError(f"{rung} is no rung")


class Attacker:
    """Tables of integers that solve the equations, and what values cells have in them."""

    def __init__(self, equations):
        zero = np.zeros(equations.size, dtype=bool)
        for unknowns, known in zip(equations.sums, equations.known):
            if known == 0:
                zero[unknowns] = True
        self.place = np.full(equations.size, -1)
        self.place[~zero] = np.arange((~zero).sum())
        self.free = int((~zero).sum())
        rows = [(self.at(unknowns), known) for unknowns, known in zip(equations.sums, equations.known) if known]
        self.rows, self.known = [row for row, _ in rows], [known for _, known in rows]
        self.matrix, self.seen, self.zeros, self.solves = self.sparse(self.rows), [], set(), 0

    def at(self, unknowns):
        places = self.place[unknowns]
        return places[places >= 0]

    def sparse(self, rows):
        starts = np.cumsum([0] + [len(row) for row in rows])
        flat = np.concatenate([np.asarray(row) for row in rows]) if rows else np.zeros(0, dtype=int)
        return csr_array((np.ones(len(flat)), flat, starts), shape=(len(rows), max(self.free, 1)))

    def solve(self, costs, extra=None):
        """A table of least costs, or None; `extra` is one more equation."""
        rows, known = self.matrix, self.known
        if extra is not None:
            rows, known = self.sparse(self.rows + [extra[0]]), self.known + [extra[1]]
        self.solves += 1
        answer = milp(costs, integrality=np.ones(len(costs)), bounds=Bounds(0, np.inf),
                      constraints=LinearConstraint(rows, known, known))
        if answer.status == 2:
            return None
        if answer.x is None:
            raise RuntimeError(f"HiGHS: {answer.message}")
        table = np.rint(answer.x).astype(np.int64)
        # No tolerance: the rounded table itself solves the equations.
        if (table < 0).any() or (rows @ table != known).any():
            raise RuntimeError("a table that is none")
        if self.seen:
            # What is between two tables on a line is a table, too, wherever it is whole.
            steps = int(np.gcd.reduce(table - self.seen[0]))
            self.seen += [self.seen[0] + (table - self.seen[0]) // steps * at for at in range(1, min(steps, 30))]
        self.seen.append(table)
        return table

    def values(self, cell):
        return {int(table[cell].sum()) for table in self.seen}

    def costs(self, cell, sign):
        costs = np.zeros(max(self.free, 1))
        costs[cell] = sign
        return costs

    def possible(self, cell, need):
        """Values of a cell: `need` of them, or all; and whether it can be 0 alone."""
        if cell.tobytes() in self.zeros:
            return {0}, True
        if len(values := self.values(cell)) < need:
            most = int(self.solve(self.costs(cell, -1))[cell].sum())
        if len(values := self.values(cell)) < need:
            least = int(self.solve(self.costs(cell, 1))[cell].sum())
            values = self.values(cell)
            for value in range(least, most + 1):
                if len(values) >= need:
                    break
                if value not in values:
                    self.solve(np.zeros(max(self.free, 1)), (cell, value))
                    values = self.values(cell)
        return values, False


def structural(equations, truth, hide_zeros):
    """By stratum, the cells of which a 0 says nothing of a group; all of them where zeros are published."""
    seen = {}
    for (s, i, _), of in equations.blocks.items():
        if i == 0:
            table = np.array(counts_of(truth, of)).reshape(3, 3)
            nobody = [table.sum(axis=1) == 0, table.sum(axis=0) == 0]
            seen[s] = [not hide_zeros or bool(nobody[0][d] or nobody[1][l]) for d, l in CELLS], nobody
    return seen


def failing(equations, truth, k, zeros):
    """The cells of blocks with counts of 1 to below k, or a 0 that is hidden; and whether each may be 0 alone."""
    for place, of in equations.blocks.items():
        cells = [np.array(of) + cell for cell in range(9)]
        counts = [truth[cell].sum() for cell in cells]
        may = zeros[place[0]][0]
        if any(count < k and not (count == 0 and zero) for count, zero in zip(counts, may)):
            yield from ((place, at, cell, count, may[at]) for at, (cell, count) in enumerate(zip(cells, counts)))


def shown_zeros(release, zeros):
    """Each 0 in a release that hides them, and is not of what nobody has."""
    for s, stratum in enumerate(release["strata"]):
        may, nobody = zeros[s]
        for part in stratum["slices"]:
            for shown in [group["counts"] for group in part["groups"]] + part.get("folds", []):
                [(rung, numbers)] = shown.items() if isinstance(shown, dict) else [("withheld", None)]
                found = {"full": lambda: [not n and not may[at] for at, n in enumerate(np.ravel(numbers))],
                         "margins": lambda: [not n and not no for side, of in zip(("decisions", "labels"), nobody)
                                             for n, no in zip(numbers[side], of)],
                         "n": lambda: [not numbers and not all(may)]}.get(rung, list)()
                if any(found):
                    yield f"{part['attributes']}: {shown}"


def attack(line, tally):
    release = line["release"]
    equations, k = Equations(release), release["k"]
    truth = np.zeros(equations.size, dtype=np.int64)
    for s, codes, d, l, n in line["table"]:
        at = equations.joint.index(tuple(equations.categories[name][code] for name, code in zip(equations.names, codes)))
        truth[(s * len(equations.joint) + at) * 9 + d * 3 + l] += n
    for unknowns, known in zip(equations.sums, equations.known):
        assert truth[unknowns].sum() == known, (line["seed"], "the release is not of its table")
    attacker = Attacker(equations)
    labelled = release["outcomes"], release["events"] - release["outcomes"]
    zeros = structural(equations, truth, line["hide_zeros"])
    found = failing(equations, truth, k, zeros)
    hidden = [(place, at, attacker.at(cell), count, may) for place, at, cell, count, may in found]
    never_above_0(attacker, [cell for _, _, cell, _, _ in hidden if len(cell)])
    fails = [f"table {line['seed']}: {at}" for at in shown_zeros(release, zeros)] if line["hide_zeros"] else []
    for place, at, cell, count, may_be_0 in hidden:
        need = min(k - 1, labelled[CELLS[at][1] == 2] + 1)
        tally["hidden"] += 1
        tally["hidden zeros"] += count == 0 and not may_be_0
        if len(cell) == 0:
            assert count == 0
            values, zero = {0}, True
        else:
            values, zero = attacker.possible(cell, need)
        tally["only 0"] += zero
        if not (zero and may_be_0) and len(values) < need:
            fails.append(f"table {line['seed']}: block {place}, cell {CELLS[at]}: {sorted(values)} alone, {need} are needed")
    tally["solves"] += attacker.solves
    return equations, truth, fails


def never_above_0(attacker, cells):
    """Makes as many cells as can be greater than 0 in some table: what is left is 0 in all."""
    left = cells
    while left:
        costs = np.zeros(max(attacker.free, 1))
        for cell in left:
            costs[cell] -= 1
        table = attacker.solve(costs)
        above = [table[cell].sum() > 0 for cell in left]
        if not any(above):
            attacker.zeros = {cell.tobytes() for cell in left}
            return
        left = [cell for cell, is_above in zip(left, above) if not is_above]


def utility(line, equations, truth, tally):
    """Events and cells with events, of all groups of all slices with attributes, that each rule shows; of those that the
    minimum-cell rule hides, how many follow from differences of what it shows."""
    release = line["release"]
    k = release["k"]
    for s, stratum in enumerate(release["strata"]):
        passes, deep = {}, True
        for i, part in enumerate(stratum["slices"]):
            counts = [counts_of(truth, equations.blocks[s, i, g]) for g in range(len(part["groups"]))]
            passes[i] = all(fits(count, k) for group in counts for count in group)
            deep &= passes[i] or len(part["attributes"]) < 2
        for i, part in enumerate(stratum["slices"]):
            if not part["attributes"]:
                continue
            blunt = passes[i] and (deep or len(part["attributes"]) < 2)
            for g, group in enumerate(part["groups"]):
                shown = group["counts"]
                shown = "withheld" if isinstance(shown, str) else next(iter(shown))
                for count in counts_of(truth, equations.blocks[s, i, g]):
                    rules = {"rungs-1": shown == "full", "a slice whole or not at all": blunt, "minimum cell": count >= k,
                             "totals": shown in ("full", "margins"), "n": shown in ("full", "margins", "n")}
                    tally["rows"] += count
                    tally["cells"] += count > 0
                    for rule, is_shown in rules.items():
                        tally["rows", rule] += count * is_shown
                        tally["cells", rule] += (count > 0) * is_shown


def counts_of(truth, of):
    return [int(truth[np.array(of) + cell].sum()) for cell in range(9)]


def fits(count, k):
    return count == 0 or count >= k


def minimum_cell(equations, truth, release, tally):
    """What follows by subtraction alone where cells of 1 to below k are left out and all else is shown."""
    k, rows, hidden = release["k"], [], []
    for place, of in equations.blocks.items():
        if place[2] < 0:
            continue
        for cell in range(9):
            unknowns = np.array(of) + cell
            (rows if fits(int(truth[unknowns].sum()), k) else hidden).append(unknowns)
    zero = np.zeros(equations.size, dtype=bool)
    for unknowns in rows:
        zero[unknowns] |= truth[unknowns].sum() == 0
    left = np.flatnonzero(~zero)
    place = np.full(equations.size, -1)
    place[left] = np.arange(len(left))
    if not hidden:
        return

    def dense(sums):
        matrix = np.zeros((len(sums), len(left)))
        for row, unknowns in enumerate(sums):
            at = place[unknowns]
            matrix[row, at[at >= 0]] = 1
        return matrix

    known, wanted = dense(rows), dense(hidden)
    known = known[known.any(axis=1)]
    # A cell follows if it is a combination of rows that are known.
    _, values, across = np.linalg.svd(known, full_matrices=False) if len(known) else (0, np.zeros(0), np.zeros((0, len(left))))
    across = across[values > 1e-9 * max(values.max(initial=1), 1)]
    rest = wanted - (wanted @ across.T) @ across
    tally["minimum cell hides"] += len(hidden)
    tally["minimum cell, subtracted"] += int((np.abs(rest).max(axis=1) < 1e-7).sum())


def main():
    tally, tables, fails = defaultdict(int), 0, []
    for line in map(json.loads, open(sys.argv[1])):
        equations, truth, found = attack(line, tally)
        utility(line, equations, truth, tally)
        minimum_cell(equations, truth, line["release"], tally)
        fails += found
        tables += 1
    print(f"{tables} tables, {tally['hidden']} cells of hidden blocks ({tally['only 0']} can be 0 alone; "
          f"{tally['hidden zeros']} are zeros that a plan hides), {tally['solves']} programs")
    print("| rule | rows | cells | of what it hides, follows by subtraction |\n|---|---|---|---|")
    share = lambda of, rule: f"{100 * tally[of, rule] / max(tally[of], 1):.1f} %"
    subtracted = f"{100 * tally['minimum cell, subtracted'] / max(tally['minimum cell hides'], 1):.1f} %"
    for rule, what in [("minimum cell", subtracted), ("a slice whole or not at all", "not computed"), ("rungs-1", "those named below")]:
        print(f"| {rule} | {share('rows', rule)} | {share('cells', rule)} | {what} |")
    print(f"rungs-1, with totals: rows {share('rows', 'totals')}; with numbers of events: rows {share('rows', 'n')}")
    print("\n".join(fails))
    sys.exit(bool(fails))


main()
