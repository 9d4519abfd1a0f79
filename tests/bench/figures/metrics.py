"""Figures of a CSV file by fairlearn and scikit-learn, timed: python metrics.py FILE. Prints JSON."""

import json
import sys
import time
import warnings

import fairlearn.metrics as fair
import pandas as pd
from sklearn import metrics

COLUMNS = ["score", "decision", "label", "sex", "age"]
RATES = {
    "selection_rate": fair.selection_rate,
    "tpr": fair.true_positive_rate,
    "fpr": fair.false_positive_rate,
    "accuracy": metrics.accuracy_score,
}


def main(path):
    warnings.simplefilter("ignore")
    begun = time.perf_counter()
    data = pd.read_csv(path, usecols=COLUMNS, engine="c")
    # One column of small integers and plain arrays are what fairlearn is fastest with.
    groups = (data.sex + "/" + data.age).astype("category")
    names, codes = list(groups.cat.categories), groups.cat.codes.to_numpy()
    score, decision, label = (data[name].to_numpy() for name in ("score", "decision", "label"))
    read = time.perf_counter()
    frame = fair.MetricFrame(metrics=RATES, y_true=label, y_pred=decision, sensitive_features=codes)
    by_group, overall = frame.by_group, frame.overall
    gaps = {
        "demographic_parity": fair.demographic_parity_difference(label, decision, sensitive_features=codes),
        "equalized_odds": fair.equalized_odds_difference(label, decision, sensitive_features=codes),
    }
    counted = time.perf_counter()
    scores = {"overall": scored(label, score)}
    for code, name in enumerate(names):
        scores[name] = scored(label[codes == code], score[codes == code])
    done = time.perf_counter()
    rates = {names[code]: dict(row) for code, row in by_group.iterrows()} | {"overall": dict(overall)}
    for name, row in rates.items():
        row.update(scores[name])
    print(json.dumps({"read": read - begun, "counts": counted - read, "scores": done - counted, "gaps": gaps, "rates": rates}))


def scored(label, score):
    return {"auc": metrics.roc_auc_score(label, score), "brier": metrics.brier_score_loss(label, score)}


main(sys.argv[1])
