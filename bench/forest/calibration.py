"""Python's side of calibration.ts: how far probabilities are from what happens, by numpy alone, and scikit-learn's
calibrated forests.

One JSON request per line in, one answer per line out.
"""

import json
import platform
import sys

import numpy as np
import sklearn
from columns import Split, read
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss

BINS = 15
DRAWS = 1000


def bins_of(scores):
    """Bins of equal number by score: the number of each row's bin."""
    ranks = np.empty(len(scores), int)
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    return ranks * BINS // len(scores)


def expected_calibration_error(y, scores, bins):
    """ECE = Σ n_b / n · |ȳ_b − s̄_b|."""
    return np.abs(np.bincount(bins, y - scores, BINS)).sum() / len(y)


def rms_calibration_error(y, scores, bins):
    """Debiased (Kumar, Liang & Ma 2019): √ of Σ n_b / n · ((ȳ_b − s̄_b)² − s̄_b (1 − s̄_b) / n_b), with its sign."""
    n = np.bincount(bins, minlength=BINS)
    rate, score = np.bincount(bins, y, BINS) / n, np.bincount(bins, scores, BINS) / n
    square = (n / len(y) * ((rate - score) ** 2 - score * (1 - score) / n)).sum()
    return np.sign(square) * np.sqrt(abs(square))


def judge(y, scores):
    """The figures of some scores, and the ECE of a perfect model: labels drawn with these very probabilities."""
    bins = bins_of(scores)
    random = np.random.default_rng(0)
    perfect = [expected_calibration_error(random.random(len(y)) < scores, scores, bins) for _ in range(DRAWS)]
    return {
        "rows": len(y),
        "logLoss": log_loss(y, scores),
        "rms": rms_calibration_error(y, scores, bins),
        "ece": expected_calibration_error(y, scores, bins),
        "floor": np.mean(perfect),
        "floor95": np.quantile(perfect, 0.95),
    }


def forest():
    return RandomForestClassifier(n_estimators=300, max_depth=12, n_jobs=-1, random_state=0)


PEERS = {
    "forest": forest(),
    "sigmoid": CalibratedClassifierCV(forest(), method="sigmoid"),
    "isotonic": CalibratedClassifierCV(forest(), method="isotonic"),
}


def compare(dataset, folds, peers):
    """Ours and the named peers, each judged on the scores of all folds together.

    folds: files `train`, `judge` and `scores`, ours of the customers of `judge`, in their order.
    """
    labels, scores = [], {name: [] for name in ["ours", *peers]}
    for fold in folds:
        split = Split(dataset, fold["train"], fold["judge"])
        labels.append(split.y_judge)
        scores["ours"].append(read(fold["scores"])["churn_probability"].to_numpy())
        for name in peers:
            model = PEERS[name].fit(split.x.to_numpy(), split.y)
            scores[name].append(model.predict_proba(split.x_judge.to_numpy())[:, 1])
    y = np.concatenate(labels)
    return {name: judge(y, np.concatenate(parts)) for name, parts in scores.items()}


def versions():
    return {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"compare": compare, "versions": versions}[request.pop("command")](**request)), flush=True)
