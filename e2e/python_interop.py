"""The Python half of python-interop.test.ts: a model directory read by its documented format, with nothing
but numpy and safetensors, the same forest as scikit-learn's and shap's, metrics, and generated files read by pandas.

One JSON request per line in, one answer per line out.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from safetensors.numpy import load_file
from sklearn.inspection import partial_dependence
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
from exported_forest import scikit_learn_forest, shap_forest  # noqa: E402


def either(a, b):
    """Three-valued "or" of conditions with missing values: 1, 0 or NaN."""
    known = np.where(np.isnan(a) | np.isnan(b), np.nan, 0.0)
    return np.where((a == 1) | (b == 1), 1.0, known)


def condition(x, holds):
    return np.where(np.isnan(x), np.nan, holds)


# The derived features of the test's specification, by their expression, in doubles.
EXPRESSIONS = {
    "monthly_charges / (30 * max(avg_usage_hours, 0.1))": lambda c: (
        c["monthly_charges"] / (30 * np.maximum(c["avg_usage_hours"], 0.1))
    ),
    "satisfaction_score < 5 || support_tickets > 3": lambda c: either(
        condition(c["satisfaction_score"], c["satisfaction_score"] < 5),
        condition(c["support_tickets"], c["support_tickets"] > 3),
    ),
}
CELLS = {"true": 1.0, "false": 0.0, "": np.nan}


def read_columns(path, manifest):
    """Every feature column as doubles: a category as its level's position; missing and unknown are NaN."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for feature in manifest["features"]:
        name = feature["name"]
        if "expression" in feature:
            continue
        cells = [row[name] for row in rows]
        if feature["kind"] == "category":
            positions = {level: position for position, level in enumerate(manifest["encodings"][name])}
            columns[name] = np.array([positions.get(cell, np.nan) for cell in cells])
        else:
            columns[name] = np.array([CELLS.get(cell, cell) for cell in cells], float)
    return columns


def encode(columns, manifest):
    """nRows × nFeatures, float32; what is not finite is missing."""
    features = [
        EXPRESSIONS[feature["expression"]](columns) if "expression" in feature else columns[feature["name"]]
        for feature in manifest["features"]
    ]
    x = np.column_stack(features).astype(np.float32)
    return np.where(np.isfinite(x), x, np.float32(np.nan))


def predict_proba(forest, x):
    """The mean of the trees' leaf values. The k-th split of a tree has its children at 2k + 1 and 2k + 2."""
    roots = forest["tree_offsets"].astype(int)
    is_split = np.unpackbits(forest["is_split"], count=roots[-1], bitorder="little").astype(bool)
    missing_right = np.unpackbits(forest["missing_right"], bitorder="little")
    split = np.cumsum(is_split) - 1  # a split's number among all splits; they hold feature, cut, missing_right
    value = np.zeros(len(is_split))
    value[~is_split] = (forest["leaf_churners"] / forest["leaf_count"]).astype(np.float32)
    total = np.zeros(len(x))
    for root, end in zip(roots, roots[1:]):
        first = np.count_nonzero(is_split[:root])
        for i, row in enumerate(x):
            node = root
            while is_split[node]:
                k = split[node]
                f = forest["feature"][k]
                threshold = forest["cut_points"][forest["cut_offsets"][f] + forest["cut"][k]]
                goes_right = missing_right[k] if np.isnan(row[f]) else row[f] > threshold
                node = root + 2 * (k - first) + 1 + int(goes_right)
            assert node < end
            total[i] += value[node]
    return total / (len(roots) - 1)


def calibrate(scores, calibration):
    """From the forest's scores to probabilities."""
    if calibration["method"] == "sigmoid":
        inside = np.clip(scores, 1e-6, 1 - 1e-6)
        logit = np.log(inside / (1 - inside))
        return 1 / (1 + np.exp(-(calibration["slope"] * logit + calibration["intercept"])))
    if calibration["method"] == "isotonic":
        return np.interp(scores, calibration["x"], calibration["y"])
    return scores


def predict(model, data):
    manifest = json.loads((Path(model) / "model.json").read_text(encoding="utf-8"))
    x = encode(read_columns(data, manifest), manifest)
    scores = predict_proba(load_file(Path(model) / "forest.safetensors"), x)
    probabilities = calibrate(scores, manifest["calibration"])
    return {"probabilities": probabilities.tolist(), "missing": int(np.isnan(x).sum())}


def exported(model, columns):
    """The forest's scores by scikit-learn. columns: per feature its values; None is missing."""
    x = np.array(columns, dtype=float).astype(np.float32).T
    return {"scores": scikit_learn_forest(model).predict_proba(x)[:, 1].tolist()}


def dependence(model, columns, feature, resolution):
    """scikit-learn's partial dependence of the forest's score on one feature."""
    x = np.array(columns, dtype=np.float32).T
    answer = partial_dependence(
        scikit_learn_forest(model), x, [feature], grid_resolution=resolution, method="brute", response_method="predict_proba"
    )
    return {"grid": answer["grid_values"][0].tolist(), "mean": answer["average"][0].tolist()}


def contributions(model, columns):
    """The features' contributions to the forest's scores by shap, nRows × nFeatures, and their base."""
    x = np.array(columns, dtype=float).T
    explainer = shap.TreeExplainer(shap_forest(model), feature_perturbation="tree_path_dependent")
    return {"base": explainer.expected_value.item(), "contributions": explainer.shap_values(x).tolist()}


def rms_calibration_error(labels, scores):
    """Of 15 bins of equal number, highest scores first, without what chance alone makes (Kumar, Liang & Ma 2019)."""
    order = np.argsort(-scores, kind="stable")
    edges = np.floor(np.arange(16) * len(scores) / 15 + 0.5).astype(int)
    square = 0
    for rows in (order[start:end] for start, end in zip(edges, edges[1:])):
        share, score = labels[rows].mean(), scores[rows].mean()
        square += len(rows) / len(scores) * ((share - score) ** 2 - score * (1 - score) / len(rows))
    return np.sign(square) * np.sqrt(abs(square))


def metrics(scores, labels, threshold):
    """By the names of this project, which are scikit-learn's."""
    labels, scores = np.array(labels), np.array(scores)
    predicted = scores >= threshold
    return {
        "roc_auc": roc_auc_score(labels, scores),
        "average_precision": average_precision_score(labels, scores),
        "log_loss": log_loss(labels, scores),
        "brier_score_loss": brier_score_loss(labels, scores),
        "rms_calibration_error": rms_calibration_error(labels, scores),
        "f1_score": f1_score(labels, predicted),
        "precision_score": precision_score(labels, predicted),
        "recall_score": recall_score(labels, predicted),
    }


def tables(parquet, csv_file):
    """How many cells differ between a Parquet file and the CSV file of the same rows, and how many there are."""
    left = pd.read_parquet(parquet)
    right = pd.read_csv(csv_file, keep_default_na=False, na_values=[""])
    names = list(right)
    assert list(left) == names
    differing = 0
    for name in names:
        a, b = left[name], right[name]
        a = a.map(str, na_action="ignore") if a.dtype == object else a
        b = b.map(str, na_action="ignore") if b.dtype == object else b
        differing += int(((a != b) & ~(a.isna() & b.isna())).sum())
    return {"differing": differing, "cells": left.size, "missing": int(left.isna().to_numpy().sum())}


COMMANDS = {
    "predict": predict,
    "exported": exported,
    "dependence": dependence,
    "contributions": contributions,
    "metrics": metrics,
    "tables": tables,
}

if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        answer = COMMANDS[request.pop("command")]
        print(json.dumps(answer(**request)), flush=True)
