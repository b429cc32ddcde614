"""scikit-learn's side of bench/telco.ts: judges our scores, and fits its own models on the same folds.

One JSON request in, one answer out, each a line. The encoding is the usual one: numbers with the median for
what is missing, one-hot categories (standardised for the linear model). Labels: Churn = Yes is 1.
"""

import json
import platform
import sys

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOREST = {"n_estimators": 300, "max_depth": 12, "n_jobs": -1, "random_state": 0}
MODELS = {
    "RandomForestClassifier, class_weight='balanced'": RandomForestClassifier(**FOREST, class_weight="balanced"),
    "RandomForestClassifier": RandomForestClassifier(**FOREST),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(random_state=0),
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
}


def judge(y, scores):
    return {"auc": roc_auc_score(y, scores), "logLoss": log_loss(y, scores)}


def answer(data, folds, ours):
    """Per model the quality on each fold. `ours`: name → one file of our scores per fold, rows in the data's order."""
    data = pd.read_csv(data)
    fold = pd.read_csv(folds)["fold"].to_numpy()
    y = (data["Churn"] == "Yes").to_numpy(int)
    x = data.drop(columns=["customerID", "Churn"])
    x["TotalCharges"] = pd.to_numeric(x["TotalCharges"], errors="coerce")  # 11 blanks
    numbers = x.select_dtypes("number").columns
    encoder = make_column_transformer(
        (SimpleImputer(strategy="median"), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), x.columns.difference(numbers, sort=False)),
    )
    qualities = {name: [] for name in [*ours, *MODELS]}
    for k in range(fold.max() + 1):
        test = fold == k
        for name, paths in ours.items():
            scores = pd.read_csv(paths[k])
            assert (scores["customerID"].to_numpy() == data.loc[test, "customerID"].to_numpy()).all()
            qualities[name].append(judge(y[test], scores["churn_probability"].to_numpy()))
        for name, model in MODELS.items():
            pipeline = make_pipeline(encoder, model).fit(x[~test], y[~test])
            qualities[name].append(judge(y[test], pipeline.predict_proba(x[test])[:, 1]))
    versions = {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}
    return {"qualities": qualities, "versions": versions}


if __name__ == "__main__":
    print(json.dumps(answer(**json.loads(sys.stdin.readline()))))
