/**
 * A model as one ONNX graph, from a customer's raw columns to P(churn) and the decision:
 *
 *     columns ─▶ expressions ─▶ float32 features ─▶ forest ─▶ calibration ─▶ churn_probability ─▶ churn_prediction
 *
 * Each column is an input of one dimension, by its name. Numbers, integers and booleans (0 and 1) are doubles, NaN is
 * missing; a category is text, the empty text is missing.
 */
import { ChurnError, type ColumnSpecification, type ModelFiles } from "@churn/contract";
import { addCalibration } from "./calibration.ts";
import { addFeatures } from "./features.ts";
import { addForest } from "./forest.ts";
import { Graph, ML_DOMAIN } from "./graph.ts";
import { PREDICTION, PROBABILITY } from "./outputs.ts";
import { DataType, encodeModel, int, type ValueInfoProto } from "./protobuf.ts";

// The first that have TreeEnsemble.
const IR_VERSION = 10;
const OPSETS = [
  { domain: "", version: 21 },
  { domain: ML_DOMAIN, version: 5 },
];

/**
 * The bytes of a .onnx file; they follow from the model.
 *
 * @param producerVersion Of this program.
 * @throws CHURN_ERR_DATASET_INVALID when a column has the name of an output
 */
export function encodeOnnx({ manifest, features, forest }: ModelFiles, producerVersion: string): Uint8Array {
  const { dataset, encodings, calibration, threshold } = manifest;
  const columns = features.filter(({ expression }) => expression === undefined).map(({ name }) => name);
  for (const name of columns.filter((column) => column === PROBABILITY || column === PREDICTION)) {
    const message = `model.json: /dataset/columns/${name}: expected another name: the graph has an output "${name}"`;
    throw new ChurnError("CHURN_ERR_DATASET_INVALID", message);
  }
  const graph = new Graph([...columns, PROBABILITY, PREDICTION]);
  const scores = addForest(graph, forest, addFeatures(graph, features, encodings, columns));
  const axis = graph.constant(BigInt64Array.of(1n));
  graph.add("Squeeze", [addCalibration(graph, calibration, scores), axis], {}, PROBABILITY);
  const reaches = graph.add("GreaterOrEqual", [PROBABILITY, graph.scalar(threshold.value)]);
  graph.add("Cast", [reaches], { to: int(DataType.INT64) }, PREDICTION);

  return encodeModel({
    ir_version: IR_VERSION,
    opset_import: OPSETS,
    producer_name: "churn",
    producer_version: producerVersion,
    doc_string: `${manifest.name}, version ${manifest.version}: P(churn) from a customer's columns. A missing number is NaN, a missing text is empty.`,
    metadata_props: Object.entries({
      version: manifest.version,
      content_sha256: manifest.contentSha256,
      dataset: dataset.name,
      threshold: String(threshold.value),
      calibration: calibration.method,
    }).map(([key, value]) => ({ key, value })),
    graph: {
      name: manifest.name,
      node: graph.nodes,
      initializer: graph.initializers,
      input: columns.map((name) => inputOf(name, dataset.columns[name])),
      output: [
        value(PROBABILITY, DataType.DOUBLE, "P(churn), in [0, 1]"),
        value(PREDICTION, DataType.INT64, `1 when ${PROBABILITY} ≥ ${threshold.value}`),
      ],
    },
  });
}

function inputOf(name: string, { type, unit, description }: ColumnSpecification): ValueInfoProto {
  const notes = [description, unit && `in ${unit}`].filter((note) => note !== undefined).join(" ");
  return value(name, type === "category" ? DataType.STRING : DataType.DOUBLE, notes);
}

function value(name: string, type: DataType, doc: string): ValueInfoProto {
  const shape = { dim: [{ dim_param: "N" }] };
  return { name, doc_string: doc, type: { tensor_type: { elem_type: type, shape } } };
}
