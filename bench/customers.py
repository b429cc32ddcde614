"""How learnable is the world of `customers`?

Reads a generated file with the true probability (`churn generate --with-truth`) and prints what a perfect
model, boosting, a forest, a linear model and two-leaf rules reach on held-out rows.

    npx churn generate --with-truth
    bench/python.sh bench/customers.py data/raw/customers.parquet
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
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


def main(path):
    dataset = json.loads(DATASET.read_text())
    target = dataset["target"]["column"]
    special = {dataset["key"], dataset["time"], target}
    columns = [n for n, c in dataset["columns"].items() if c.get("role", "feature") == "feature" and n not in special]
    categories = [n for n in columns if dataset["columns"][n]["type"] in ("category", "boolean")]
    numbers = [n for n in columns if n not in categories]

    data = pd.read_parquet(path)
    y = (data[target] == dataset["target"]["positive"]).to_numpy().astype(int)
    truth = data[TRUTH].to_numpy()
    x = data[columns].copy()
    for name in categories:
        x[name] = x[name].astype(object).where(x[name].notna(), "missing").astype(str)
    for name in numbers:
        x[name] = x[name].astype(float)
    codes = OrdinalEncoder().fit_transform(x[categories])
    dense = pd.concat([x[numbers], pd.DataFrame(codes, columns=categories, index=x.index)], axis=1)

    test = np.random.default_rng(0).random(len(y)) < HOLDOUT
    train = ~test
    print(f"{len(y)} rows, {len(columns)} features, churn {y.mean():.4f}; held out {test.sum()}")
    missing = data[columns].isna().mean()
    print("missing:", ", ".join(f"{n} {share:.3f}" for n, share in missing.items() if share > 0))

    scores = {"truth": truth[test]}

    linear = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(), categories),
            (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
        ),
        LogisticRegression(max_iter=1000),
    )
    scores["logistic regression"] = linear.fit(x[train], y[train]).predict_proba(x[test])[:, 1]

    is_category = [name in categories for name in dense]
    boosting = HistGradientBoostingClassifier(
        categorical_features=is_category, max_iter=600, learning_rate=0.06, early_stopping=True, random_state=0
    )
    scores["boosting"] = boosting.fit(dense[train], y[train]).predict_proba(dense[test])[:, 1]

    if "--no-forest" not in sys.argv:
        filled = dense.fillna(-999)
        forest = RandomForestClassifier(300, max_depth=12, min_samples_leaf=5, n_jobs=-1, random_state=0)
        scores["forest 300 × 12"] = forest.fit(filled[train], y[train]).predict_proba(filled[test])[:, 1]

    onehot = pd.concat([x[numbers], pd.get_dummies(x[categories]).astype(float)], axis=1)
    stump = DecisionTreeClassifier(max_leaf_nodes=2).fit(onehot[train].fillna(-999), y[train])
    scores["two-leaf tree"] = stump.predict_proba(onehot[test].fillna(-999))[:, 1]

    bayes = roc_auc_score(y[test], truth[test])
    print(f"{'':22}{'AUC':>8}{'share':>8}{'log-loss':>10}{'Brier':>8}{'best F1':>9}")
    for name, score in scores.items():
        auc = roc_auc_score(y[test], score)
        share = (auc - 0.5) / (bayes - 0.5)
        print(
            f"{name:22}{auc:8.4f}{share:8.4f}{log_loss(y[test], score):10.4f}"
            f"{brier_score_loss(y[test], score):8.4f}{best_f1(y[test], score):9.4f}"
        )
    rule_auc, rule_f1, rule_column = best_threshold_rule(onehot[test].reset_index(drop=True), y[test])
    print(f"{'best single threshold':22}{rule_auc:8.4f}{'':26}{rule_f1:9.4f}  ({rule_column})")
    everyone = f1_score(y[test], np.ones(test.sum()))
    print(f"{'everyone churns':22}{0.5:8.4f}{'':26}{everyone:9.4f}")
    lead = roc_auc_score(y[test], scores["boosting"]) - roc_auc_score(y[test], scores["logistic regression"])
    print(f"boosting ahead of logistic regression: {lead:.4f} AUC")


if __name__ == "__main__":
    main(sys.argv[1])
