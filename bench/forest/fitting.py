"""The peers' side of fitting.ts: fits on the same rows when asked to, and judges everybody's scores.

One JSON request per line in, one answer per line out. Only `fit` itself is timed: its input is ready.
"""

import json
import os
import platform
import sys
import time

import lightgbm
import numpy as np
import pandas as pd
import sklearn
import xgboost
import ydf
from columns import Split
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss, roc_auc_score

TRUTH = "churn_truth"
TREES = 300
DEPTH = 12
CORES = os.cpu_count()
BOOTSTRAP_SHARE = 0.632  # distinct rows of a bootstrap sample, for libraries that draw without replacement


class ScikitLearn:
    def __init__(self, estimator):
        self.estimator = estimator

    def prepare(self, x, y, categories):
        self.x, self.y = np.ascontiguousarray(x.to_numpy()), y
        if categories:
            self.estimator.set_params(categorical_features=[name in categories for name in x])

    def fit(self):
        self.estimator.fit(self.x, self.y)

    def scores(self, x):
        return self.estimator.predict_proba(x.to_numpy())[:, 1]


class LightGbm:
    """Regression on 0 and 1: the variance it lowers is Gini's index, and its leaves are unweighted rates."""

    def prepare(self, x, y, categories):
        self.model = lightgbm.LGBMRegressor(
            boosting_type="rf",
            n_estimators=TREES,
            max_depth=DEPTH,
            num_leaves=2**DEPTH,
            bagging_freq=1,
            bagging_fraction=BOOTSTRAP_SHARE,
            feature_fraction_bynode=np.sqrt(x.shape[1]) / x.shape[1],
            n_jobs=CORES,
            verbosity=-1,
            random_state=0,
        )
        self.x, self.y = x.to_numpy(), y
        self.categories = [i for i, name in enumerate(x) if name in categories]

    def fit(self):
        self.model.fit(self.x, self.y, categorical_feature=self.categories)

    def scores(self, x):
        return np.clip(self.model.predict(x.to_numpy()), 0, 1)


class XgBoost:
    """As XGBoost's tutorial on random forests; squared error for the same reason as LightGBM's regression."""

    def prepare(self, x, y, categories):
        self.model = xgboost.XGBRFRegressor(
            n_estimators=TREES,
            max_depth=DEPTH,
            tree_method="hist",
            n_jobs=CORES,
            random_state=0,
            enable_categorical=True,
        )
        self.categories = categories
        self.x, self.y = self.table(x), y

    def table(self, x):
        return x.astype({name: pd.CategoricalDtype(range(n)) for name, n in self.categories.items()})

    def fit(self):
        self.model.fit(self.x, self.y)

    def scores(self, x):
        return np.clip(self.model.predict(self.table(x)), 0, 1)


class Ydf:
    def prepare(self, x, y, categories):
        self.categories = categories
        self.data = {**self.table(x), "label": y}
        self.learner = ydf.RandomForestLearner(
            label="label",
            features=[
                (name, ydf.Semantic.CATEGORICAL if name in categories else ydf.Semantic.NUMERICAL) for name in x
            ],
            num_trees=TREES,
            max_depth=DEPTH + 1,  # the root counts
            winner_take_all=False,
            compute_oob_performances=False,
            num_threads=CORES,
            discretize_numerical_columns=True,
            random_seed=0,
        )

    def table(self, x):
        """YDF's way: categories are strings, and an empty one is missing."""
        return {
            name: np.where(x[name].isna(), "", x[name].astype(str)) if name in self.categories else x[name].to_numpy()
            for name in x
        }

    def fit(self):
        self.model = self.learner.train(self.data, verbose=0)

    def scores(self, x):
        return self.model.predict(self.table(x))


def forest(**parameters):
    return ScikitLearn(
        RandomForestClassifier(n_estimators=TREES, max_depth=DEPTH, n_jobs=-1, random_state=0, **parameters)
    )


def boosting():
    return ScikitLearn(HistGradientBoostingClassifier(random_state=0))


class Bench:
    def load(self, dataset, train, judge, train_features, judge_features, our_parameters):
        """Reads the two files, and our features of the same rows (column after column, float32)."""
        self.our_parameters = our_parameters
        self.split = split = Split(dataset, train, judge)
        self.plain = [split.x, split.x_judge]
        self.ours = [
            pd.DataFrame(np.fromfile(path, dtype=np.float32).reshape(-1, len(x)).T)
            for path, x in ((train_features, split.x), (judge_features, split.x_judge))
        ]
        return {}

    def versions(self):
        modules = {"scikit-learn": sklearn, "LightGBM": lightgbm, "XGBoost": xgboost, "YDF": ydf, "NumPy": np}
        return {"Python": platform.python_version(), **{name: module.__version__ for name, module in modules.items()}}

    def fit(self, model):
        """Fits a model and judges its scores."""
        contestant, (x, x_judge), categories = {
            "forest": lambda: (forest(), self.plain, {}),
            "forestOurFeatures": lambda: (forest(), self.ours, {}),
            "forestOurParameters": lambda: (forest(**self.our_parameters), self.ours, {}),
            "lightGbm": lambda: (LightGbm(), self.plain, self.split.categories),
            "xgBoost": lambda: (XgBoost(), self.plain, self.split.categories),
            "ydf": lambda: (Ydf(), self.plain, self.split.categories),
            "boosting": lambda: (boosting(), self.plain, self.split.categories),
        }[model]()
        contestant.prepare(x, self.split.y, categories)
        start = time.perf_counter()
        contestant.fit()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, **self.judge(contestant.scores(x_judge))}

    def score(self, scores):
        """Judges scores from a file of doubles."""
        return self.judge(np.fromfile(scores, dtype=np.float64))

    def truth(self):
        return self.judge(self.split.judge[TRUTH])

    def judge(self, scores):
        return {"auc": roc_auc_score(self.split.y_judge, scores), "logLoss": log_loss(self.split.y_judge, scores)}


if __name__ == "__main__":
    bench = Bench()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(bench, request.pop("command"))(**request)), flush=True)
