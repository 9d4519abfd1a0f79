"""Writes two data sets, of a model with several classes and of one that predicts a value, and what scikit-learn, scipy and
statsmodels say of them, by place in report.json.

    python make.py FOLDER
"""

import csv
import datetime
import json
import pathlib
import sys

import numpy as np
import statsmodels.api as sm
from scipy import stats
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

SEED = 1861
CLASSES = ["home", "ward", "intensive", "theatre"]
SITES = ["north", "south", "west"]
COLUMNS = "event_id occurred_at model_id model_version score decision label labelled_at sex subject".split()
START = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)

CONTRACT = """
contract = "{name}"
version = 1
title = "{title}"
task = "{task}"
model = "{name}"
[decision]
{decision}
[label]
{label}
[score]
min = {low}
max = {high}
bins = 80
[[attribute]]
name = "sex"
categories = ["f", "m"]
"""
PLAN = """
plan = "{name}-march"
version = 1
title = "Does it err as often with women as with men?"
contract = "{name}"
model_versions = ["v1"]
required_sites = ["north", "south", "west"]
[windows]
start = "2026-03-01T00:00:00Z"
end = "2026-04-01T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 1
[[slice]]
attributes = ["sex"]
reference = ["m"]
"""


def write(folder, name, contract, rows):
    (folder / "sites").mkdir(parents=True)
    (folder / "contract.toml").write_text(CONTRACT.format(name=name, **contract))
    (folder / "plan.toml").write_text(PLAN.format(name=name))
    # What says who a person is, is taken only where a map names it.
    (folder / "map.toml").write_text('[columns]\nsubject = "subject"\n')
    for site in SITES:
        with open(folder / "sites" / f"{site}.csv", "w", newline="") as file:
            out = csv.DictWriter(file, COLUMNS)
            out.writeheader()
            for nth, row in enumerate(rows[site]):
                at = START + datetime.timedelta(minutes=nth)
                known = (at + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
                fixed = {"event_id": f"{name}-{nth}", "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "model_id": name,
                         "model_version": "v1", "labelled_at": known if row["label"] != "" else ""}
                out.writerow({**row, **fixed})


def visits(rng, people, site):
    """A row's subject: half of the people come once, the others two to four times."""
    subjects = []
    for person in range(people):
        subjects += [f"{site}-{person}"] * (1 if person % 2 else int(rng.integers(2, 5)))
    return subjects


def triage(rng):
    rows = {}
    for site in SITES:
        rows[site] = []
        severity = {}
        for subject in visits(rng, 2500, site):
            # People are much like themselves.
            own = severity.setdefault(subject, rng.normal())
            sex = "f" if subject[-1] in "02468" else "m"
            true = int(np.clip(np.round(1.5 + 0.9 * own + 0.5 * rng.normal()), 0, 3))
            seen = true + 0.7 * rng.normal() + (0.2 if sex == "f" else 0.0)
            decided = int(np.clip(np.round(seen), 0, 3))
            label = "" if rng.random() < 0.05 else CLASSES[true]
            score = round(float(1 / (1 + np.exp(2 * seen - 1))), 6)
            rows[site].append({"score": score, "decision": CLASSES[decided], "label": label, "sex": sex, "subject": subject})
    return rows


def group_figures(rows, put):
    known = [row for row in rows if row["label"]]
    true, found = ([row[key] for row in known] for key in ("label", "decision"))
    put("classes", {})
    for at, name in enumerate(CLASSES):
        one = [label == name for label in true], [decision == name for decision in found]
        put(f"classes/{at}/outcomes/precision/estimate/value", metrics.precision_score(*one))
        put(f"classes/{at}/outcomes/recall/estimate/value", metrics.recall_score(*one))
        put(f"classes/{at}/outcomes/f1/estimate/value", metrics.f1_score(*one))
        put(f"classes/{at}/selection_rate/estimate/value", sum(row["decision"] == name for row in rows) / len(rows))
    for average in ["macro", "micro", "weighted"]:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(true, found, labels=CLASSES, average=average)
        for key, value in [("precision", precision), ("recall", recall), ("f1", f1)]:
            put(f"outcomes/{average}/{key}/estimate/value", value)
    put("outcomes/accuracy/estimate/value", metrics.accuracy_score(true, found))
    put("outcomes/balanced_accuracy/estimate/value", metrics.balanced_accuracy_score(true, found))
    put("outcomes/kappa/estimate/value", metrics.cohen_kappa_score(true, found, labels=CLASSES))
    put("outcomes/quadratic_kappa/estimate/value", metrics.cohen_kappa_score(true, found, labels=CLASSES, weights="quadratic"))
    put("outcomes/mcc/estimate/value", metrics.matthews_corrcoef(true, found))


def people_figures(rows, put):
    """The selection rate of the favourable class, with people who come back."""
    y = np.array([float(row["decision"] == "home") for row in rows])
    names = {subject: at for at, subject in enumerate(dict.fromkeys(row["subject"] for row in rows))}
    person = np.array([names[row["subject"]] for row in rows])
    fit = sm.OLS(y, np.ones_like(y)).fit(cov_type="cluster", cov_kwds={"groups": person, "use_correction": False})
    p = y.mean()
    effective = p * (1 - p) / float(fit.cov_params()[0, 0])
    assert effective < 0.8 * len(y), "people are alike"
    lower, upper = proportion_confint(p * effective, effective, method="wilson")
    put("subjects", len(names))
    for key, value in [("value", p), ("interval/lower", lower), ("interval/upper", upper)]:
        put(f"selection_rate/estimate/{key}", value)


def stay(rng):
    rows = {}
    for site in SITES:
        rows[site] = []
        for nth in range(1500):
            sex = "f" if rng.random() < 0.5 else "m"
            true = float(np.clip(rng.gamma(3, 3), 0, 30))
            predicted = float(np.clip(true * 0.8 + 2 + rng.normal() * (1.5 if sex == "m" else 2.5), 0, 30))
            # Labels missing, not predictions.
            label = "" if rng.random() < 0.05 else round(true, 3)
            rows[site].append({"score": round(predicted, 3), "decision": "", "label": label, "sex": sex, "subject": ""})
    return rows


def errors(rows):
    known = [row for row in rows if row["label"] != ""]
    return np.array([row["score"] for row in known]), np.array([row["label"] for row in known])


def value_figures(rows, put):
    predicted, true = errors(rows)
    put("events", len(true))
    for key, sample in [("bias", predicted - true), ("mae", np.abs(predicted - true))]:
        interval = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
        put(f"{key}/estimate/value", sample.mean())
        put(f"{key}/estimate/interval/lower", interval.low)
        put(f"{key}/estimate/interval/upper", interval.high)
    put("mse/estimate/value", metrics.mean_squared_error(true, predicted))
    put("rmse/estimate/value", metrics.root_mean_squared_error(true, predicted))
    put("r_squared/estimate/value", metrics.r2_score(true, predicted))
    found = stats.pearsonr(predicted, true)
    interval = found.confidence_interval(0.95)
    put("pearson/estimate/value", found.statistic)
    put("pearson/estimate/interval/lower", interval.low)
    put("pearson/estimate/interval/upper", interval.high)


def contrast_figures(rows, put):
    samples = {}
    for sex in "fm":
        predicted, true = errors([row for row in rows if row["sex"] == sex])
        samples[sex] = {"bias": predicted - true, "mae": np.abs(predicted - true)}
    for key in ["bias", "mae"]:
        women, men = samples["f"][key], samples["m"][key]
        interval = stats.ttest_ind(women, men, equal_var=False).confidence_interval(0.95)
        put(f"{key}/estimate/value", women.mean() - men.mean())
        put(f"{key}/estimate/interval/lower", interval.low)
        put(f"{key}/estimate/interval/upper", interval.high)


def main(folder):
    rng = np.random.default_rng(SEED)
    folder = pathlib.Path(folder)
    values = 'values = ["home", "ward", "intensive", "theatre"]'
    rows = triage(rng)
    write(folder / "triage", "triage", {
        "title": "Where patients go", "task": "multiclass", "decision": f'{values}\nfavourable = "home"\nordered = true',
        "label": f'{values}\npositive = "home"', "low": 0.0, "high": 1.0}, rows)
    everybody = [row for site in SITES for row in rows[site]]
    women = [row for row in everybody if row["sex"] == "f"]
    expected = {"triage": {}, "stay": {}}

    def at(name, place):
        return lambda key, value: expected[name].update({f"{place}/{key}": value} if value != {} else {})

    slices = "/scopes/0/slices"
    group_figures(everybody, at("triage", f"{slices}/0/groups/0/multiclass"))
    group_figures(women, at("triage", f"{slices}/1/groups/0/multiclass"))
    people_figures(everybody, at("triage", "/weighted/0/slices/0/groups/0"))
    people_figures(women, at("triage", "/weighted/0/slices/1/groups/0"))

    rows = stay(rng)
    sides = 'values = ["short", "long"]'
    write(folder / "stay", "stay", {
        "title": "Days in hospital", "task": "regression", "decision": f'{sides}\nfavourable = "short"\nthreshold = 10.0',
        "label": f'{sides}\npositive = "long"', "low": 0.0, "high": 30.0}, rows)
    everybody = [row for site in SITES for row in rows[site]]
    women = [row for row in everybody if row["sex"] == "f"]
    value_figures(everybody, at("stay", f"{slices}/0/groups/0/regression"))
    value_figures(women, at("stay", f"{slices}/1/groups/0/regression"))
    contrast_figures(everybody, at("stay", f"{slices}/1/pairs/0/regression"))
    predicted, true = errors(everybody)
    put = at("stay", f"{slices}/0/groups/0/pooled")
    put("outcomes/accuracy/estimate/value", metrics.accuracy_score(true >= 10, predicted >= 10))
    put("outcomes/tpr/estimate/value", metrics.recall_score(true >= 10, predicted >= 10))
    put("selected", int(sum(row["score"] >= 10 for row in everybody)))
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, default=float))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make.py FOLDER")
    main(sys.argv[1])
