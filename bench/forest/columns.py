"""A data set's files as the peers read them: the columns as they stand, and the labels."""

import json
from pathlib import Path

import numpy as np
import pandas as pd


class Split:
    """Customers to learn from and customers to judge on.

    x, x_judge: data frames of float32, numbers and booleans as they are, categories as codes, NaN is missing;
    y, y_judge: 1 is churn; categories: column → how many levels; judge: the file that is judged on.
    """

    def __init__(self, dataset, train, judge):
        dataset = json.loads(Path(dataset).read_text(encoding="utf-8"))
        target = dataset["target"]
        special = {dataset.get("key"), dataset.get("time"), target["column"]}
        types = {
            name: column["type"]
            for name, column in dataset["columns"].items()
            if column.get("role", "feature") == "feature" and name not in special
        }
        train, self.judge = read(train), read(judge)
        levels = {name: sorted(train[name].dropna().unique()) for name, type in types.items() if type == "category"}
        self.categories = {name: len(values) for name, values in levels.items()}
        self.x, self.x_judge = [as_they_stand(data, types, levels) for data in (train, self.judge)]
        self.y, self.y_judge = [
            (data[target["column"]] == target["positive"]).to_numpy(int) for data in (train, self.judge)
        ]


def read(path):
    return pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)


def as_they_stand(data, types, levels):
    encoded = {}
    for name in types:
        if name in levels:
            codes = pd.Categorical(data[name], categories=levels[name]).codes
            encoded[name] = np.where(codes < 0, np.nan, codes)
        else:
            encoded[name] = pd.to_numeric(data[name], errors="coerce").astype("float64")  # blank cells are missing
    return pd.DataFrame(encoded).astype(np.float32)
