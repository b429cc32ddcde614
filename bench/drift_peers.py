"""What others do to compare two tables, for bench/drift-peers.ts: a JSON document per line in, one out.

{"tables": [REFERENCE, CURRENT], "columns": {NAME: "number" | "category"}}   Parquet files -> {"rows": [N, N]}
{"scipy": true}       scipy's test of each column, in a loop                 -> {"seconds": S, "drifted": COLUMNS}
{"evidently": true}   Evidently's DataDriftPreset as it stands                -> {"seconds": S, "drifted": COLUMNS, "isDrift": BOOLEAN}
{"take": [ROWS, ROWS]}  the same of these rows of the first table from now on -> {"rows": [N, N]}
"""

import json
import os
import sys
import time

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from scipy.stats import chi2_contingency, ks_2samp

LEVEL = 0.05


class Tables:
    def load(self, paths, columns):
        self.numbers = [name for name, kind in columns.items() if kind == "number"]
        self.categories = [name for name, kind in columns.items() if kind == "category"]
        self.loaded = [self.read(path, columns) for path in paths]
        self.reference, self.current = self.loaded[0], self.loaded[-1]

    def read(self, path, columns):
        table = pd.read_parquet(path, columns=list(columns))
        for name in self.categories:
            table[name] = table[name].astype("object")  # booleans, too: as text
        table[self.categories] = table[self.categories].where(table[self.categories].isna(), table[self.categories].astype(str))
        table[self.numbers] = table[self.numbers].astype("float64")
        return table

    def take(self, reference, current):
        self.reference, self.current = self.loaded[0].iloc[reference], self.loaded[0].iloc[current]

    def scipy(self):
        drifted = []
        for name in self.numbers:
            if ks_2samp(self.reference[name].dropna(), self.current[name].dropna()).pvalue < LEVEL:
                drifted.append(name)
        for name in self.categories:
            counts = pd.concat([self.reference[name].value_counts(), self.current[name].value_counts()], axis=1)
            if chi2_contingency(counts.fillna(0)).pvalue < LEVEL:
                drifted.append(name)
        return {"drifted": drifted}

    def evidently(self):
        definition = DataDefinition(numerical_columns=self.numbers, categorical_columns=self.categories)
        current, reference = (Dataset.from_pandas(table, data_definition=definition) for table in (self.current, self.reference))
        found = Report([DataDriftPreset()]).run(current, reference).dict()["metrics"]
        count, columns = found[0], found[1:]
        drifted = [one["config"]["column"] for one in columns if is_drifted(one["config"], one["value"])]
        if len(drifted) != count["value"]["count"]:
            raise ValueError(f"expected {count['value']['count']} columns with drift, counted {len(drifted)}")
        return {"drifted": drifted, "isDrift": bool(count["value"]["share"] >= count["config"]["drift_share"])}


def is_drifted(config, value):
    """A distance is drift above its threshold, a p-value below it."""
    return value < config["threshold"] if "p_value" in config["method"] else value >= config["threshold"]


tables = Tables()
for line in sys.stdin:
    request = json.loads(line)
    if "tables" in request:
        tables.load(request["tables"], request["columns"])
    elif "take" in request:
        tables.take(*request["take"])
    if "scipy" in request or "evidently" in request:
        start = time.perf_counter()
        answer = tables.scipy() if "scipy" in request else tables.evidently()
        answer["seconds"] = time.perf_counter() - start
    else:
        answer = {"rows": [len(tables.reference), len(tables.current)]}
    print(json.dumps(answer), flush=True)
