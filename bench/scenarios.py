"""scipy's side of bench/scenarios.ts: how far has the world moved, and what does that do to a model?

One JSON request per line in, one answer per line out. A request names files of customers (with the true probability)
and of scores: `reference` and `referenceScores` from before, `current` with the scores of the `old` model and of a
`new` one.
"""

import json
import platform
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.stats import ks_2samp, rankdata
from sklearn.metrics import log_loss, roc_auc_score

DATASET = json.loads((Path(__file__).parent.parent / "datasets" / "customers" / "dataset.json").read_text())
TARGET = DATASET["target"]["column"]
SPECIAL = {DATASET["key"], DATASET["time"], TARGET}
COLUMNS = {
    name: column
    for name, column in DATASET["columns"].items()
    if column.get("role", "feature") == "feature" and name not in SPECIAL
}
BINS = 10
Z = 1.96


def shares(values, edges, levels):
    """Share of each bin or level, the missing ones last; half a row for an empty one, as PSI needs a logarithm."""
    missing = values.isna()
    if levels is None:
        counts = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    else:
        counts = values[~missing].value_counts().reindex(levels, fill_value=0).to_numpy()
    counts = np.append(counts, missing.sum())
    return np.maximum(counts, 0.5) / len(values)


def psi(reference, current, is_number):
    edges = np.unique(np.quantile(reference.dropna(), np.arange(1, BINS) / BINS)) if is_number else None
    levels = None if is_number else sorted(set(reference.dropna()) | set(current.dropna()))
    p, q = shares(reference, edges, levels), shares(current, edges, levels)
    return float(np.sum((q - p) * np.log(q / p)))


def ks(reference, current):
    return float(ks_2samp(reference.dropna(), current.dropna(), method="asymp").statistic)


def column_shift(name, reference, current):
    is_number = COLUMNS[name]["type"] in ("number", "integer")
    return {
        "ks": ks(reference[name], current[name]) if is_number else None,
        "psi": psi(reference[name], current[name], is_number),
    }


def auc_components(y, score):
    """DeLong's structural components, by mid-ranks (Sun & Xu 2014): per churner and per stayer, and the AUC."""
    churners, stayers = score[y == 1], score[y == 0]
    m, n = len(churners), len(stayers)
    ranks = rankdata(np.concatenate([churners, stayers]))
    v10 = (ranks[:m] - rankdata(churners)) / n
    v01 = 1 - (ranks[m:] - rankdata(stayers)) / m
    return v10, v01, v10.mean()


def auc_gain(y, old, new):
    a10, a01, a = auc_components(y, old)
    b10, b01, b = auc_components(y, new)
    variance = np.var(b10 - a10) / len(a10) + np.var(b01 - a01) / len(a01)
    return interval(b - a, np.sqrt(variance))


def interval(value, standard_error):
    return {"value": value, "low": value - Z * standard_error, "high": value + Z * standard_error}


def mean_gain(differences):
    return interval(differences.mean(), differences.std() / np.sqrt(len(differences)))


def profits(y, decisions):
    """What each customer earns: Verbeke et al. 2012."""
    e = DATASET["economics"]
    churner = e["offerAcceptance"] * (e["customerValue"] - e["offerCost"]) - e["contactCost"]
    stayer = -e["offerCost"] - e["contactCost"]
    return np.where(decisions == 1, np.where(y == 1, churner, stayer), 0.0)


def losses(y, p):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return -np.where(y == 1, np.log(p), np.log(1 - p))


def quality(y, scores):
    p = scores["churn_probability"].to_numpy()
    return {
        "auc": roc_auc_score(y, p),
        "logLoss": log_loss(y, p),
        "profit": profits(y, scores["churn_prediction"].to_numpy()).mean(),
    }


def answer(request):
    files = {name: pd.read_parquet(path) for name, path in request.items()}
    reference, current, old, new = (files[name] for name in ("reference", "current", "old", "new"))
    before = files["referenceScores"]
    y = current[TARGET].to_numpy()
    truth = current["churn_truth"].to_numpy()
    p_old, p_new = old["churn_probability"].to_numpy(), new["churn_probability"].to_numpy()
    profit_old, profit_new = (profits(y, scores["churn_prediction"].to_numpy()) for scores in (old, new))
    return {
        "columns": {name: column_shift(name, reference, current) for name in COLUMNS},
        "scores": {
            "ks": ks(before["churn_probability"], old["churn_probability"]),
            "psi": psi(before["churn_probability"], old["churn_probability"], True),
            "mean": float(p_old.mean() - before["churn_probability"].mean()),
            "decisions": float(old["churn_prediction"].mean() - before["churn_prediction"].mean()),
        },
        "churn": float(y.mean()),
        "bestAuc": roc_auc_score(y, truth),
        "old": quality(y, old),
        "new": quality(y, new),
        "gain": {
            "auc": auc_gain(y, p_old, p_new),
            "logLoss": mean_gain(losses(y, p_old) - losses(y, p_new)),
            "profit": mean_gain(profit_new - profit_old),
        },
        "versions": {
            "Python": platform.python_version(),
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
            "NumPy": np.__version__,
        },
    }


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
