/**
 * A model as MLflow knows models: a folder with an `MLmodel` around the ONNX graph, and within it the model directory
 * that serving reads.
 *
 *     MLmodel  model.onnx  code/churn_pyfunc.py  requirements.txt …  model/{model.json, forest.safetensors, reference.safetensors, MODEL_CARD.md}
 *
 * `mlflow.pyfunc` reads it through churn_pyfunc.py, `mlflow.onnx` reads the graph; neither needs this program.
 */
import { fileURLToPath } from "node:url";
import type { ModelFiles } from "@churn/contract";
import { encodeOnnx } from "../onnx/model.ts";
import { PROGRAM_VERSION } from "../program-version.ts";
import type { Artifact } from "./artifact.ts";
import { signatureOf } from "./signature.ts";
import { encodeYaml } from "./yaml.ts";

const LOADER = "churn_pyfunc";
const LOADER_SOURCE = new URL("churn_pyfunc.py", import.meta.url);
const GRAPH_FILE = "model.onnx";
export const MLMODEL_FILE = "MLmodel";
/** Where the model directory stands within the folder. */
export const DIRECTORY = "model";

/** What the tests use; a Python of another kind costs a warning. */
const PYTHON_VERSION = "3.11.7";
/** The first onnxruntime that has the graph's operators; MLflow itself says which onnx it takes. */
const REQUIREMENTS = ["mlflow>=3", "numpy", "onnx>=1.17", "onnxruntime>=1.21", "pandas"];

/** Whom a logged model belongs to. */
export interface ModelIdentity {
  readonly modelId: string;
  readonly runId: string;
  /** URI of the folder. */
  readonly artifactPath: string;
}

/** The files of the folder; the same model gives the same bytes. @param directory The files of the model directory. */
export function mlflowModelFiles(
  files: ModelFiles,
  directory: Readonly<Record<string, string | Uint8Array>>,
): Artifact[] {
  const { manifest } = files;
  const graph = encodeOnnx(files, PROGRAM_VERSION);
  const example = {
    columns: Object.keys(manifest.inputExample),
    data: [Object.values(manifest.inputExample)],
  };
  const requirements = `${REQUIREMENTS.join("\n")}\n`;
  const pip = ["pip", { pip: REQUIREMENTS }];
  return [
    { path: MLMODEL_FILE, content: mlmodel(files, graph.length) },
    { path: GRAPH_FILE, content: graph },
    { path: `code/${LOADER}.py`, file: fileURLToPath(LOADER_SOURCE) },
    { path: "requirements.txt", content: requirements },
    {
      path: "conda.yaml",
      content: encodeYaml({
        name: "mlflow-env",
        channels: ["conda-forge"],
        dependencies: [`python=${PYTHON_VERSION}`, ...pip],
      }),
    },
    {
      path: "python_env.yaml",
      content: encodeYaml({
        python: PYTHON_VERSION,
        build_dependencies: ["pip", "setuptools", "wheel"],
        dependencies: ["-r requirements.txt"],
      }),
    },
    { path: "input_example.json", content: JSON.stringify(example) },
    { path: "serving_input_example.json", content: JSON.stringify({ dataframe_split: example }) },
    ...Object.entries(directory).map(([name, content]) => ({ path: `${DIRECTORY}/${name}`, content })),
  ];
}

function mlmodel({ manifest }: ModelFiles, sizeBytes: number): string {
  const { dataset, lineage, version, contentSha256 } = manifest;
  return encodeYaml({
    flavors: {
      onnx: {
        code: null,
        data: GRAPH_FILE,
        onnx_session_options: null,
        providers: ["CPUExecutionProvider"],
      },
      python_function: {
        code: "code",
        data: GRAPH_FILE,
        env: { conda: "conda.yaml", virtualenv: "python_env.yaml" },
        loader_module: LOADER,
        python_version: PYTHON_VERSION,
      },
    },
    is_signature_from_type_hint: false,
    metadata: { model_version: version, content_sha256: contentSha256 },
    model_size_bytes: sizeBytes,
    saved_input_example_info: {
      artifact_path: "input_example.json",
      pandas_orient: "split",
      serving_input_path: "serving_input_example.json",
      type: "dataframe",
    },
    signature: signatureOf(dataset),
    type_hint_from_example: false,
    utc_time_created: lineage.created.replace("T", " ").replace("Z", "000"),
  });
}

/** An MLmodel that says whose it is, whatever it said before. */
export function identified(mlmodelText: string, { modelId, runId, artifactPath }: ModelIdentity): string {
  const rest = mlmodelText.replaceAll(/^(artifact_path|model_id|model_uuid|run_id): .*\n/gm, "");
  const identity = { artifact_path: artifactPath, model_id: modelId, model_uuid: modelId, run_id: runId };
  return `${rest}${encodeYaml(identity)}`;
}
