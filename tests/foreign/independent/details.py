"""Parts of a release: blocks and what they add up to, histograms of scores, features, operations, weights, people."""

from fractions import Fraction

from independent import governed
from independent.base import want

MOST = 2**32
LAST_BUCKET = 7423
CODE = "release"


def shown(count, k):
    want(count == 0 or k <= count <= MOST, CODE, f"counts of 0 or {k} to 2^32, not {count}")


class Block:
    """What a block shows: cells, totals, a number, or nothing of these."""

    def __init__(self, counts):
        self.cells = self.decisions = self.labels = self.n = self.fold = None
        self.kind = counts if isinstance(counts, str) else next(iter(counts))
        if self.kind == "full":
            self.cells = [count for row in counts["full"] for count in row]
            self.decisions = [sum(row) for row in counts["full"]]
            self.labels = [sum(column) for column in zip(*counts["full"])]
            self.n = sum(self.cells)
        elif self.kind == "margins":
            self.decisions, self.labels = counts["margins"]["decisions"], counts["margins"]["labels"]
            want(sum(self.decisions) == sum(self.labels), CODE, "totals of different events")
            self.n = sum(self.labels)
        elif self.kind == "n":
            self.n = counts["n"]
        elif self.kind == "folded":
            self.fold = counts["folded"]
        self.margins = self.decisions and [*self.decisions, *self.labels]

    def at_least(self, k):
        seen = {"full": self.cells, "margins": self.margins, "n": [self.n]}.get(self.kind, [])
        for count in seen:
            shown(count, k)
        want(self.n != 0 or self.kind == "full", CODE, "a block without events is full")


def blocks(slice_, k):
    """The blocks of a slice: of groups by themselves, then folds."""
    want(all(kind(g["counts"]) != "noisy" for g in slice_["groups"]), "noise", "the plan asks for none")
    found = [Block(group["counts"]) for group in slice_["groups"]]
    folds = [Block(fold) for fold in slice_.get("folds", [])]
    members = [block.fold for block in found if block.fold is not None]
    want(all(at < len(folds) for at in members), CODE, "a fold that is not there")
    for at, fold in enumerate(folds):
        good = fold.kind in ("full", "margins", "n") and members.count(at) >= 2
        want(good, CODE, "folds of two groups or more that show something")
    alone = [block for block in found if block.fold is None]
    for block in alone + folds:
        block.at_least(k)
    return alone + folds


def kind(counts):
    return counts if isinstance(counts, str) else next(iter(counts))


def parts(found, whole, events):
    """At each rung they add up to the whole where all are seen, and are no more where some are."""
    for rung in ("cells", "margins", "n"):
        total = getattr(whole, rung)
        total = [total] if rung == "n" and total is not None else total
        seen = [[b.n] if rung == "n" else getattr(b, rung) for b in found if getattr(b, rung) is not None]
        if total is None:
            want(rung != "n" or sum(n for (n,) in seen) <= events, CODE, "more than all events")
            continue
        if not seen:
            continue
        sums = [sum(column) for column in zip(*seen)]
        if len(seen) == len(found):
            want(sums == total, CODE, f"{sums} are not {total}")
        else:
            want(all(a <= b for a, b in zip(sums, total)), CODE, f"{sums} are no parts of {total}")


# Scores.


def step_of(plan):
    step = plan["disclosure"].get("moment_step")
    return None if step is None else int(Fraction(step) * MOST + Fraction(1, 2))


def scores(slice_, contract, plan, k, all_full):
    step = step_of(plan)
    for group in slice_["groups"]:
        want(("scores" in group) == ("score" in contract), CODE, "scores where the contract has one")
        said = group.get("scores", "suppressed")
        if said == "suppressed":
            continue
        want(all_full, CODE, "no histogram but where all groups are full")
        histogram(said["value"], Block(group["counts"]), contract, step, k)


def histogram(said, block, contract, step, k):
    bins = said["bins"]
    want(bins in governed.halved(contract["score"].get("bins", 1280)), CODE, "the contract's bins, halved")
    for label, listed in enumerate(said["histogram"]):
        places = [place for place, _, _ in listed]
        want(places == sorted(set(places)) and all(place < bins for place in places), CODE, "ascending bins")
        for _, count, total in listed:
            shown(count, k)
            want(int(total) <= (count << 32) + (step or 0) // 2, CODE, "ascending bins with sums in their range")
            want(step is None or int(total) % step == 0, CODE, "multiples of the step")
        shown(said["no_score"][label], k)
        scored = sum(count for _, count, _ in listed)
        want(scored + said["no_score"][label] == block.labels[label], CODE, "bins add up to the label's counts")
        squares, wide = int(said["square_sums"][label]), (step or 0) << 32
        want(squares <= (scored << 64) + wide // 2, CODE, "a sum of squares in its range")
        want(step is None or squares % wide == 0, CODE, "multiples of the step")


def histograms(slices, plan):
    """One resolution within a slice and among intersections; groups add up to the whole."""
    step, (whole, *_) = step_of(plan), [s["groups"][0].get("scores", "suppressed") for s in slices]
    many = []
    for s in slices:
        said = [group.get("scores", "suppressed") for group in s["groups"]]
        sizes = {one if one == "suppressed" else one["value"]["bins"] for one in said}
        want(len(sizes) == 1, CODE, "histograms of all groups at one resolution")
        if len(s["attributes"]) > 1:
            many.append(sizes.pop())
            sizes = {many[-1]}
        if sizes == {"suppressed"}:
            continue
        want(whole != "suppressed", CODE, "a histogram of the whole where its parts have one")
        added([one["value"] for one in said], whole["value"], step)
    want(len(set(many)) <= 1, CODE, "intersections share one resolution")


def added(said, whole, step):
    coarse = min(said[0]["bins"], whole["bins"])
    many = len(said) + 1
    for label in range(3):
        want(sum(one["no_score"][label] for one in said) == whole["no_score"][label], CODE, "scores that are absent")
        squares = sum(int(one["square_sums"][label]) for one in said)
        slack = many * ((step or 0) << 32) // 2
        want(abs(squares - int(whole["square_sums"][label])) <= slack, CODE, "sums of squares")
        ours, theirs = ({}, {})
        for into, histograms_ in ((ours, said), (theirs, [whole])):
            for one in histograms_:
                for place, count, total in one["histogram"][label]:
                    at = place * coarse // one["bins"]
                    n, sums, bins = into.get(at, (0, 0, 0))
                    into[at] = n + count, sums + int(total), bins + 1
        want({at: n for at, (n, _, _) in ours.items()} == {at: n for at, (n, _, _) in theirs.items()}, CODE, "bins")
        for at, (_, sums, bins) in ours.items():
            slack = (bins + theirs[at][2]) * (step or 0) // 2
            want(abs(sums - theirs[at][1]) <= slack, CODE, "sums of scores")


# Features and operations.


def cell(said):
    return None if said == "suppressed" else said["value"]


def quality(value, contract):
    features, said, k = contract.get("feature", []), value.get("quality"), value["k"]
    want((said is not None) == bool(features), CODE, "the quality of features")
    if said is None:
        return
    want([f["feature"] for f in said["features"]] == [f["name"] for f in features], CODE, "the contract's features")
    events = cell(said["events"])
    if events is not None:
        part(events, value["events"], k)
    for feature, one in zip(features, said["features"]):
        counts = [cell(one["missing"]), cell(one["violations"])]
        seen = [count for count in counts if count is not None]
        for count in seen:
            shown(count, k)
            if events is not None:
                part(count, events, k)
        if events is not None and len(seen) == 2:
            part(sum(seen), events, k)
        if one["histogram"] == "suppressed":
            continue
        bins = one["histogram"]["value"]
        want(events is not None and len(seen) == 2, CODE, "no histogram where its sum is hidden")
        want(len(bins) == governed.feature_bins(feature), CODE, "the contract's bins")
        for count in bins:
            shown(count, k)
        want(sum(bins) == events - sum(seen), CODE, "values add up")


def part(count, of, k):
    """A count, and what it leaves."""
    shown(count, k)
    want(count <= of, CODE, f"{count} of {of}")
    shown(of - count, k)


def operations(value):
    said, k, events = value.get("operations"), value["k"], value["events"]
    if said is None:
        want(value["outcomes"] == 0, CODE, "each label took some time")
        return
    for name in ("latency_us", "label_delay_s"):
        ranges = cell(said[name])
        if ranges is None:
            continue
        behind = -1
        for first, last, count in ranges:
            want(behind < first <= last <= LAST_BUCKET and count >= k, CODE, "ascending ranges of buckets")
            behind = last
        counted = sum(count for _, _, count in ranges)
        if name == "label_delay_s":
            want(counted == value["outcomes"], CODE, "a delay of each label")
        else:
            part(counted, events, k)
    for name in ("cost_micros", "tokens_in", "tokens_out"):
        one = cell(said[name])
        if one is not None:
            part(one["events"], events, k)
            want(one["events"] > 0 or int(one["sum"]) == 0, CODE, "a sum of nothing")


# Weights and people.


def label_weights(said, block):
    for decision in range(3):
        for label in range(2):
            count = block.cells[3 * decision + label]
            total, squares = int(said["sums"][decision][label]), int(said["squares"][decision][label])
            most = MOST - 1
            good = count <= total <= count * most and total * total <= squares * count and squares <= total * most
            want(good and (count or not squares), CODE, f"weights of {count} labels")


def subjects(said, block, k):
    people, without, pairs = said["subjects"], said["without"], said["pairs"]
    shown(people, k)
    shown(without, k)
    events = block.n - without
    places = [(a, b) for a, b, _ in pairs]
    want(people <= events and (people > 0 or events == 0), CODE, "people and pairs")
    want(places == sorted(set(places)) and all(a <= b for a, b in places), CODE, "people and pairs in order")
    want(sum(n for _, _, n in pairs) >= 2 * (events - people), CODE, "people and pairs: who comes again makes some")
    for a, b, n in pairs:
        most = block.cells[a] * (block.cells[b] - 1) if a == b else 2 * block.cells[a] * block.cells[b]
        want(n <= most, CODE, "people and pairs: more than events allow")
