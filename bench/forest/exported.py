"""Python's side of use.ts and explanations.ts: the model's forest in scikit-learn and in shap.

One JSON request per line in, one answer per line out. Rows are float32 features, column after column in a file.
"""

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import shap
import sklearn

sys.path.insert(0, str(Path(__file__).parents[1]))
from exported_forest import n_features, scikit_learn_forest, shap_forest  # noqa: E402


class Bench:
    def load(self, model, features):
        self.model = model
        columns = np.fromfile(features, dtype=np.float32).reshape(n_features(model), -1)
        self.x = np.ascontiguousarray(columns.T)
        self.forest = scikit_learn_forest(model)
        return {}

    def versions(self):
        modules = {"scikit-learn": sklearn, "shap": shap, "NumPy": np}
        return {"Python": platform.python_version(), **{name: module.__version__ for name, module in modules.items()}}

    def predict(self):
        return {"scores": self.forest.predict_proba(self.x)[:, 1].tolist()}

    def time_rows(self, start, calls, n_jobs):
        """Microseconds of each of some calls with one row."""
        self.forest.set_params(n_jobs=n_jobs)
        times = []
        for i in range(calls):
            row = self.x[(start + i) % len(self.x)][np.newaxis]
            begun = time.perf_counter()
            self.forest.predict_proba(row)
            times.append((time.perf_counter() - begun) * 1e6)
        return {"microseconds": times}

    def explain(self):
        """Contributions of all rows, and milliseconds a row; the explainer is made before."""
        explainer = shap.TreeExplainer(shap_forest(self.model), feature_perturbation="tree_path_dependent")
        begun = time.perf_counter()
        contributions = explainer.shap_values(self.x)
        milliseconds = (time.perf_counter() - begun) * 1e3 / len(self.x)
        return {"milliseconds": milliseconds, "contributions": contributions.reshape(self.x.shape).tolist()}


if __name__ == "__main__":
    bench = Bench()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(bench, request.pop("command"))(**request)), flush=True)
