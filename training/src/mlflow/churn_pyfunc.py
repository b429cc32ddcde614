"""MLflow's way into an exported model: a DataFrame of customers' raw columns -> P(churn) and the decision.

mlflow.onnx could feed the graph only with columns that are there, are numbers and texts to the last cell, and come in
the graph's own types. Here a column may be absent, a cell None or NaN, a flag a bool, and all mean what they mean to
`churn predict`. It needs numpy, onnxruntime and pandas.
"""

import numpy as np
import onnxruntime
import pandas as pd


def _load_pyfunc(path):
    return ChurnModel(path)


class ChurnModel:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def get_raw_model(self):
        return self.session

    def predict(self, data, params=None):
        """churn_probability and churn_prediction of each row, under the rows' index."""
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        feeds = {one.name: _column(frame, one.name, one.type == "tensor(string)") for one in self.session.get_inputs()}
        names = [one.name for one in self.session.get_outputs()]
        return pd.DataFrame(dict(zip(names, self.session.run(names, feeds))), index=frame.index)


def _column(frame, name, is_text):
    """A missing number is NaN, a missing text is empty: what the graph expects."""
    if name not in frame:
        return np.full(len(frame), "" if is_text else np.nan, dtype=object if is_text else np.float64)
    if is_text:
        return np.array(["" if pd.isna(cell) else str(cell) for cell in frame[name]], dtype=object)
    return pd.to_numeric(frame[name]).to_numpy(dtype=np.float64, na_value=np.nan)
