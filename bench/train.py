"""scikit-learn's side of bench/train.ts: fits on the same rows when asked to, and judges everybody's scores.

One JSON request per line in, one answer per line out; see `answer`. Only `fit` itself is timed: its input is
float32 already, as scikit-learn's trees want it.
"""

import json
import platform
import sys
import time

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss, roc_auc_score

TRUTH = "churn_truth"


def encode(data, columns, levels):
    """The columns as they stand: numbers, booleans as 0 and 1, categories as codes; NaN is missing."""
    encoded = np.full((len(data), len(columns)), np.nan, dtype=np.float32)
    for i, name in enumerate(columns):
        if name in levels:
            codes = pd.Categorical(data[name], categories=levels[name]).codes
            encoded[:, i] = np.where(codes < 0, np.nan, codes)
        else:
            encoded[:, i] = data[name].astype("float64")
    return encoded


class Bench:
    def load(self, dataset, train, test, train_features, test_features, n_features, our_parameters):
        """Reads the two Parquet files, and our features of the same rows (column after column, float32)."""
        self.our_parameters = our_parameters
        with open(dataset, encoding="utf-8") as file:
            dataset = json.load(file)
        target = dataset["target"]
        special = {dataset["key"], dataset["time"], target["column"]}
        described = {n: c for n, c in dataset["columns"].items() if c.get("role", "feature") == "feature"}
        columns = [name for name in described if name not in special]
        train, test = pd.read_parquet(train), pd.read_parquet(test)
        levels = {n: sorted(train[n].dropna().unique()) for n in columns if described[n]["type"] == "category"}
        self.is_category = [name in levels for name in columns]
        self.plain = [encode(data, columns, levels) for data in (train, test)]
        self.ours = [
            np.ascontiguousarray(np.fromfile(path, dtype=np.float32).reshape(n_features, -1).T)
            for path in (train_features, test_features)
        ]
        self.y, self.y_test = [(d[target["column"]] == target["positive"]).to_numpy(int) for d in (train, test)]
        self.truth = test[TRUTH].to_numpy()
        return {"rows": len(self.y), "testRows": len(self.y_test), "churn": self.y.mean()}

    def versions(self):
        return {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}

    def fit(self, model):
        """Fits a model and judges its scores."""
        forest = RandomForestClassifier(n_estimators=300, max_depth=12, n_jobs=-1, random_state=0)
        same = clone(forest).set_params(**self.our_parameters)
        boosting = HistGradientBoostingClassifier(categorical_features=self.is_category, random_state=0)
        estimator, (x, x_test) = {
            "forest": (forest, self.plain),
            "forestOurFeatures": (forest, self.ours),
            "forestOurParameters": (same, self.ours),
            "boosting": (boosting, self.plain),
        }[model]
        start = time.perf_counter()
        estimator.fit(x, self.y)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, **self.judge(estimator.predict_proba(x_test)[:, 1])}

    def score(self, scores):
        """Judges scores from a file of doubles."""
        return self.judge(np.fromfile(scores, dtype=np.float64))

    def score_truth(self):
        return self.judge(self.truth)

    def judge(self, scores):
        return {"auc": roc_auc_score(self.y_test, scores), "logLoss": log_loss(self.y_test, scores)}


def main():
    bench = Bench()
    commands = {
        "load": bench.load,
        "versions": bench.versions,
        "fit": bench.fit,
        "score": bench.score,
        "truth": bench.score_truth,
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(commands[request.pop("command")](**request)), flush=True)


if __name__ == "__main__":
    main()
