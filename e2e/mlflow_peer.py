"""The Python half of mlflow-file-store.test.ts: MLflow itself reads runs, registered models and models, and writes runs.

One JSON request per line in, one answer per line out. A run is told in the shape of training/src/tracking/run.ts.
"""

import hashlib
import json
import math
import os
import sys
from pathlib import Path

os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow.artifacts import download_artifacts  # noqa: E402
from mlflow.pyfunc import scoring_server  # noqa: E402
from mlflow.tracking.client import MlflowClient  # noqa: E402


def number(value):
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")


def point(metric):
    return {"key": metric.key, "value": number(metric.value), "step": metric.step, "timestamp": metric.timestamp}


def files(list_artifacts, root, path=None):
    """The SHA-256 of each file that a listing has."""
    hashes = {}
    for entry in list_artifacts(path):
        if entry.is_dir:
            hashes |= files(list_artifacts, root, entry.path)
        else:
            content = Path(root, entry.path).read_bytes()
            assert len(content) == entry.file_size, entry.path
            hashes[entry.path] = hashlib.sha256(content).hexdigest()
    return hashes


def read_run(uri, run_id):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    run = client.get_run(run_id)
    info, data = run.info, run.data
    history = [client.get_metric_history(run_id, key) for key in data.metrics]
    outputs = run.outputs.model_outputs if run.outputs else []
    root = download_artifacts(run_id=run_id, artifact_path="")
    return {
        "experiment": client.get_experiment(info.experiment_id).name,
        "runId": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "startTime": info.start_time,
        "endTime": info.end_time,
        "params": data.params,
        "metrics": [point(metric) for metrics in history for metric in metrics],
        "tags": data.tags,
        "inputs": [dataset_input(one) for one in run.inputs.dataset_inputs],
        "artifacts": files(lambda path: client.list_artifacts(run_id, path), root),
        "models": [read_model(client, output.model_id) for output in outputs],
    }


def dataset_input(one):
    dataset = one.dataset
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "sourceType": dataset.source_type,
        "source": dataset.source,
        "schema": dataset.schema,
        "profile": dataset.profile,
        "context": {tag.key: tag.value for tag in one.tags}["mlflow.data.context"],
    }


def read_model(client, model_id):
    model = client.get_logged_model(model_id)
    root = download_artifacts(f"models:/{model_id}")
    metrics = [
        {**point(metric), "datasetName": metric.dataset_name, "datasetDigest": metric.dataset_digest}
        for metric in model.metrics
    ]
    return {
        "modelId": model.model_id,
        "name": model.name,
        "status": str(model.status),
        "sourceRunId": model.source_run_id,
        "params": model.params,
        "metrics": metrics,
        "tags": model.tags,
        "files": files(lambda path: client.list_logged_model_artifacts(model_id, path), root),
    }


def read_version(uri, name, alias):
    mlflow.set_tracking_uri(uri)
    version = MlflowClient().get_model_version_by_alias(name, alias)
    return {
        "version": str(version.version),
        "modelId": version.model_id,
        "source": version.source,
        "runId": version.run_id,
        "description": version.description,
        "tags": version.tags,
        "aliases": list(version.aliases),
        "status": version.status,
    }


def write_runs(uri):
    """The id of a run, of its child, and of one that is deleted."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("of MLflow/itself ünï")
    with mlflow.start_run(run_name="parent: 0123") as parent:
        mlflow.log_params({"number": 0.1, "text": "yes", "empty": "", "lines": "a\nb\n", "a/b": "ünï ☃"})
        for step, value in enumerate([1.0, 0.1, 1e-7, 1e300, math.nan, math.inf, -math.inf]):
            mlflow.log_metric("curve/loss", value, step=step)
        mlflow.log_metrics({"whole": 3, "below zero": -0.5}, step=7)
        mlflow.set_tags({"yes": "no", "mlflow.note.content": "# a note\n"})
        mlflow.log_text("ünï", "folder/deep/text.txt")
        mlflow.log_dict({"a": [1]}, "a.json")
        frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
        for context in ["training", "test"]:
            dataset = mlflow.data.from_pandas(frame, name=f"data of {context}")
            mlflow.log_input(dataset, context=context)
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("whole", 4)
    with mlflow.start_run() as deleted:
        pass
    mlflow.delete_run(deleted.info.run_id)
    return [run.info.run_id for run in (parent, child, deleted)]


def predict(uri, model, columns, way):
    """What a model says of customers, fed in one of several ways; a missing cell is null."""
    mlflow.set_tracking_uri(uri)
    if way == "onnx":
        return predict_by_graph(mlflow.onnx.load_model(model), columns)
    loaded = mlflow.pyfunc.load_model(model)
    if way == "json":
        frame = {"columns": list(columns), "data": list(zip(*columns.values()))}
        body = json.dumps({"dataframe_split": frame})
        answer = scoring_server.invocations(body, "application/json", loaded, loaded.metadata.get_input_schema())
        assert answer.status == 200, answer.response
        predictions = pd.DataFrame(json.loads(answer.response)["predictions"])
    else:
        frame = pd.DataFrame(columns)
        predictions = loaded.predict(frame.convert_dtypes() if way == "extension types" else frame)
    return {name: predictions[name].tolist() for name in ["churn_probability", "churn_prediction"]}


def predict_by_graph(graph, columns):
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    feeds = {}
    for one in session.get_inputs():
        is_text = one.type == "tensor(string)"
        missing = "" if is_text else np.nan
        cells = [missing if cell is None else cell for cell in columns[one.name]]
        feeds[one.name] = np.array(cells, dtype=object if is_text else np.float64)
    names = [one.name for one in session.get_outputs()]
    return {name: values.tolist() for name, values in zip(names, session.run(names, feeds))}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        commands = {"run": read_run, "version": read_version, "write": write_runs, "predict": predict}
        print(json.dumps(commands[request.pop("command")](**request)), flush=True)
