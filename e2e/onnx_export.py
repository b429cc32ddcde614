"""The Python half of onnx-export.test.ts: exported models checked by onnx, and run by onnxruntime.

One JSON request per line in, one answer per line out.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

NO_JSON = {"Infinity": np.inf, "-Infinity": -np.inf, "-0": -0.0}


def inputs(model, columns):
    """Columns of JSON values as the arrays that the model's inputs take; null is missing."""
    arrays = {}
    for entry in model.graph.input:
        values = columns[entry.name]
        if entry.type.tensor_type.elem_type == onnx.TensorProto.STRING:
            arrays[entry.name] = np.array(["" if value is None else value for value in values], dtype=object)
        else:
            numbers = [np.nan if value is None else NO_JSON.get(value, value) for value in values]
            arrays[entry.name] = np.array(numbers, dtype=np.float64)
    return arrays


def check(path):
    """What the file says of itself, when onnx finds no fault."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return {"producer": model.producer_name, "metadata": metadata, "nInputs": len(model.graph.input)}


def schema():
    return (Path(onnx.__file__).parent / "onnx-ml.proto").read_text(encoding="utf-8")


def predict(path, columns):
    model = onnx.load(path)
    session = onnxruntime.InferenceSession(path)
    probabilities, predictions = session.run(["churn_probability", "churn_prediction"], inputs(model, columns))
    assert probabilities.dtype == np.float64 and predictions.dtype == np.int64 and probabilities.ndim == 1
    return {"probabilities": probabilities.tolist(), "predictions": predictions.tolist()}


def features(path, columns):
    """The bits of the values that the forest reads, feature by feature."""
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["N", "F"]))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (matrix,) = session.run(["features"], inputs(model, columns))
    matrix += 0.0  # no threshold tells -0 from 0
    matrix[np.isnan(matrix)] = np.nan  # the bits of a NaN are nobody's promise
    return {"bits": matrix.T.copy().view(np.uint32).tolist()}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        commands = {"check": check, "schema": schema, "predict": predict, "features": features}
        print(json.dumps(commands[request.pop("command")](**request)), flush=True)
