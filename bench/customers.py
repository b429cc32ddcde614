"""scikit-learn's side of bench/customers.ts: what can be learned from a file of generated customers?

One JSON request per line in (`{"data": path}`, a file with the true probability), one answer per line out: what a
perfect model, boosting, a forest, a linear model and rules with one threshold reach on held-out rows.
"""

import json
import platform
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, log_loss, precision_recall_curve, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

DATASET = Path(__file__).parent.parent / "datasets" / "customers" / "dataset.json"
TRUTH = "churn_truth"
HOLDOUT = 0.25


def best_f1(y, score):
    """F1 at the best threshold on the score."""
    precision, recall, _ = precision_recall_curve(y, score)
    return np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))


def best_threshold_rule(x, y):
    """Best AUC, best F1 and its column, over all rules "column ≥ t" or "≤ t", with or without the missing."""
    rules = []
    for name in x:
        for sign, missing in product((1, -1), (np.inf, -np.inf)):
            score = (sign * x[name]).fillna(missing).rank().to_numpy()
            order = np.argsort(-score, kind="stable")
            hits = np.cumsum(y[order])
            ends = np.append(np.flatnonzero(np.diff(score[order])), len(y) - 1)
            true, positive = hits[ends], ends + 1
            recall = true / y.sum()
            false_rate = (positive - true) / (len(y) - y.sum())
            f1 = 2 * true / (positive + y.sum())
            rules.append((np.max((recall + 1 - false_rate) / 2), np.max(f1), name))
    return max(rule[0] for rule in rules), max(rule[1] for rule in rules), max(rules, key=lambda rule: rule[1])[2]


def answer(path):
    dataset = json.loads(DATASET.read_text())
    target = dataset["target"]["column"]
    special = {dataset["key"], dataset["time"], target}
    columns = [n for n, c in dataset["columns"].items() if c.get("role", "feature") == "feature" and n not in special]
    categories = [n for n in columns if dataset["columns"][n]["type"] in ("category", "boolean")]
    numbers = [n for n in columns if n not in categories]

    data = pd.read_parquet(path)
    y = (data[target] == dataset["target"]["positive"]).to_numpy().astype(int)
    x = data[columns].copy()
    for name in categories:
        x[name] = x[name].astype(object).where(x[name].notna(), "missing").astype(str)
    for name in numbers:
        x[name] = x[name].astype(float)
    codes = OrdinalEncoder().fit_transform(x[categories])
    dense = pd.concat([x[numbers], pd.DataFrame(codes, columns=categories, index=x.index)], axis=1)
    onehot = pd.concat([x[numbers], pd.get_dummies(x[categories]).astype(float)], axis=1)

    test = np.random.default_rng(0).random(len(y)) < HOLDOUT
    train = ~test
    linear = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(), categories),
            (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
        ),
        LogisticRegression(max_iter=1000),
    )
    boosting = HistGradientBoostingClassifier(
        categorical_features=[name in categories for name in dense],
        max_iter=600,
        learning_rate=0.06,
        early_stopping=True,
        random_state=0,
    )
    forest = RandomForestClassifier(300, max_depth=12, min_samples_leaf=5, n_jobs=-1, random_state=0)
    stump = DecisionTreeClassifier(max_leaf_nodes=2)
    scores = {"the true probability": data[TRUTH].to_numpy()[test]}
    for name, model, features in (
        ("gradient boosting", boosting, dense),
        ("random forest, 300 trees of depth 12", forest, dense),
        ("logistic regression", linear, x),
        ("a tree of two leaves", stump, onehot.fillna(-999)),
    ):
        scores[name] = model.fit(features[train], y[train]).predict_proba(features[test])[:, 1]

    def judge(score):
        return {
            "auc": roc_auc_score(y[test], score),
            "logLoss": log_loss(y[test], score),
            "brier": brier_score_loss(y[test], score),
            "bestF1": best_f1(y[test], score),
        }

    rule_auc, rule_f1, rule_column = best_threshold_rule(onehot[test].reset_index(drop=True), y[test])
    return {
        "rows": len(y),
        "features": len(columns),
        "churn": y.mean(),
        "missing": {n: share for n, share in data[columns].isna().mean().items() if share > 0},
        "qualities": {name: judge(score) for name, score in scores.items()},
        "bestRule": {"auc": rule_auc, "f1": rule_f1, "column": rule_column},
        "everyoneF1": f1_score(y[test], np.ones(test.sum())),
        "versions": {
            "Python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "NumPy": np.__version__,
        },
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)["data"])), flush=True)
