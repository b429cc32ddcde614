"""Pickles a model directory's forest as the service of bench/seed_service.py loads it: the same trees as scikit-learn's
forest, with the names of its inputs and the codes of their categories.

    bench/python.sh --serve bench/seed_model.py models/best_model model.pkl
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np

from exported_forest import scikit_learn_forest

model, out = sys.argv[1:]
manifest = json.loads((Path(model) / "model.json").read_text(encoding="utf-8"))
forest = scikit_learn_forest(model)
forest.feature_names_in_ = np.array([feature["name"] for feature in manifest["features"]], dtype=object)
codes = {name: {level: code for code, level in enumerate(levels)} for name, levels in manifest["encodings"].items()}
with open(out, "wb") as file:
    pickle.dump({"forest": forest, "codes": codes}, file)
