/** What a training leaves with MLflow: everything that went into it, every figure that came out, and the model. */
import { userInfo } from "node:os";
import { resolve } from "node:path";
import {
  CARD_FILE,
  type ConfusionMatrix,
  type ForestParameters,
  featureColumnNames,
  type Metrics,
  type ModelManifest,
} from "@churn/contract";
import type { FittedForest } from "../forest/random-forest.ts";
import type { Artifact } from "../mlflow/artifact.ts";
import { datasetSchema } from "../mlflow/signature.ts";
import { describeModel } from "../model-card.ts";
import { standaloneSvg } from "../report/standalone-svg.ts";
import { METRIC_LABELS, metricsTable, PREDICTOR_LABELS } from "../report/text.ts";
import type { TrainingReport } from "../training-report.ts";
import type { Trial } from "../tuning/search.ts";
import { type DatasetInput, type MetricPoint, newModelId, newRunId, type Run } from "./run.ts";

/** The alias of a version that has yet to prove itself. */
export const CHALLENGER = "challenger";

/** Characters of a data set's sha256 that name its state. */
const DIGEST_LENGTH = 16;

export interface TrainingFacts {
  readonly runId: string;
  /** One that is empty is none: a server would give another, and then refuse both. */
  readonly name?: string | undefined;
  readonly manifest: ModelManifest;
  readonly started: Date;
  readonly ended: Date;
  /** What was asked for, by the names of the command's options. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Where the customers are. */
  readonly data: string;
  readonly outOfBagCurve: FittedForest["outOfBagCurve"];
  readonly foldLogLoss: Readonly<Record<string, readonly number[]>>;
  /** Null where there is no report. */
  readonly report: Pick<TrainingReport, "html" | "charts" | "explanation"> | null;
  /** Files of the logged model; undefined where it could not be made. */
  readonly modelFiles: readonly Artifact[] | undefined;
  readonly register: boolean;
}

export function trainingRun(facts: TrainingFacts): Run {
  const { runId, manifest, started, ended, settings } = facts;
  const { version, contentSha256, metrics, lineage, name: modelName } = manifest;
  const timestamp = ended.getTime();
  const tables = tablesOf(facts);
  const inputs = datasetInputs(facts);
  const holdout = inputs[1];
  const tags = {
    model_version: version,
    content_sha256: contentSha256,
    calibration: manifest.calibration.method,
  };
  const params = Object.fromEntries(
    Object.entries({ ...manifestParameters(manifest), ...settings }).map(([key, value]) => [key, String(value)]),
  );
  return {
    runId,
    name: facts.name?.trim() || `train ${version}`,
    status: "FINISHED",
    startTime: started.getTime(),
    endTime: timestamp,
    params,
    metrics: metricPoints(facts, timestamp),
    tags: {
      ...tags,
      ...sourceTags("churn train", lineage.code.commit),
      "mlflow.note.content": noteOf(manifest),
      "mlflow.loggedArtifacts": JSON.stringify(tables.map(({ path }) => ({ path, type: "table" }))),
    },
    inputs,
    artifacts: [
      { path: CARD_FILE, content: describeModel(manifest) }, // another training may have replaced the one on disk
      ...(facts.report === null ? [] : [{ path: "report.html", content: facts.report.html }]),
      ...(facts.report?.charts ?? []).map(({ id, svg }) => ({ path: `plots/${id}.svg`, content: standaloneSvg(svg) })),
      ...tables,
    ],
    model: facts.modelFiles && {
      modelId: newModelId(),
      name: modelName,
      params,
      metrics: points(valuesOf(metrics), timestamp).map((point) => ({
        ...point,
        datasetName: holdout.name,
        datasetDigest: holdout.digest,
      })),
      tags,
      files: facts.modelFiles,
      registration: facts.register
        ? { name: modelName, alias: CHALLENGER, description: noteOf(manifest), tags }
        : undefined,
    },
  };
}

/** The run of one forest that a search has tried, under that of the training. */
export function trialRun(
  { parameters, logLoss, gain }: Trial,
  facts: { readonly number: number; readonly parentRunId: string; readonly started: Date; readonly ended: Date } & {
    readonly settings: Readonly<Record<string, string | number>>;
  },
): Run {
  const { number, parentRunId, started, ended, settings } = facts;
  const figures = {
    ...valuesOf({ out_of_bag_log_loss: logLoss, gain }),
    ...intervalsOf({ out_of_bag_log_loss: logLoss, gain }),
  };
  const params = Object.entries({ ...snakeCased(parameters), ...settings });
  return {
    runId: newRunId(),
    name: `trial ${number}`,
    status: "FINISHED",
    startTime: started.getTime(),
    endTime: ended.getTime(),
    params: Object.fromEntries(params.map(([key, value]) => [key, String(value)])),
    metrics: points(figures, ended.getTime()),
    tags: { ...sourceTags("churn train --tune", null), "mlflow.parentRunId": parentRunId },
    inputs: [],
    artifacts: [],
  };
}

// --- parts -------------------------------------------------------------------------------------------------

const manifestParameters = ({ forest: { nNodes: _, ...parameters }, dataset, lineage }: ModelManifest) => ({
  ...snakeCased(parameters),
  seed: lineage.seed,
  dataset: dataset.name,
});

/** scikit-learn's spelling of its parameters. */
function snakeCased(parameters: ForestParameters): Record<string, number> {
  const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [snake(name), value]));
}

/** Figures stand at step 0, which MLflow's page draws as bars; curves begin above it. */
function metricPoints({ manifest, outOfBagCurve, foldLogLoss }: TrainingFacts, timestamp: number): MetricPoint[] {
  const { metrics, uncalibrated, threshold, calibrationError, confusionMatrix, forest } = manifest;
  const figures = {
    ...valuesOf(metrics),
    threshold: threshold.value,
    n_nodes: forest.nNodes,
    expected_calibration_error: calibrationError.ece,
    ...prefixed("interval", intervalsOf(metrics)),
    ...prefixed("confusion", snakeCounts(confusionMatrix)),
    ...(uncalibrated && prefixed("uncalibrated", valuesOf(uncalibrated))),
  };
  return [
    ...points(figures, timestamp),
    ...outOfBagCurve.map(({ nTrees, logLoss }) => ({
      key: "out_of_bag/log_loss",
      value: logLoss,
      step: nTrees,
      timestamp,
    })),
    ...Object.entries(foldLogLoss).flatMap(([method, folds]) =>
      folds.map((value, fold) => ({ key: `calibration/${method}_log_loss`, value, step: fold + 1, timestamp })),
    ),
  ];
}

function points(figures: Readonly<Record<string, number>>, timestamp: number): MetricPoint[] {
  return Object.entries(figures).map(([key, value]) => ({ key, value, step: 0, timestamp }));
}

const valuesOf = (metrics: Metrics): Record<string, number> =>
  Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]));

/** 95 %. */
function intervalsOf(metrics: Metrics): Record<string, number> {
  const ends = Object.entries(metrics).flatMap(([name, { low, high }]) => [
    [`${name}_low`, low],
    [`${name}_high`, high],
  ]);
  return Object.fromEntries(ends);
}

const prefixed = (prefix: string, figures: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}/${name}`, value]));

const snakeCounts = ({ truePositives, falsePositives, falseNegatives, trueNegatives }: ConfusionMatrix) => ({
  true_positives: truePositives,
  false_positives: falsePositives,
  false_negatives: falseNegatives,
  true_negatives: trueNegatives,
});

/** The customers that were trained on, and those that judge. */
function datasetInputs({
  manifest: { dataset, lineage, reference, confusionMatrix },
  data,
}: TrainingFacts): DatasetInput[] {
  const { sha256, rows, trainingRows, trainingChurners = 0 } = lineage.data;
  const { truePositives, falseNegatives } = confusionMatrix;
  const columns = featureColumnNames(dataset);
  const missing = columns.reduce((sum, name) => sum + (reference.features[name]?.missing ?? 0), 0);
  const profile = (count: number, churners: number, more = {}): string =>
    JSON.stringify({
      num_rows: count,
      num_elements: count * (columns.length + 1),
      churners,
      churn_rate: Number((churners / count).toPrecision(6)),
      ...more,
    });
  const shared = {
    digest: sha256.slice(0, DIGEST_LENGTH),
    sourceType: "local",
    source: JSON.stringify({ uri: resolve(data) }),
    schema: JSON.stringify({ mlflow_colspec: datasetSchema(dataset) }),
  };
  return [
    {
      ...shared,
      name: dataset.name,
      profile: profile(trainingRows, trainingChurners, { missing_values: missing }),
      context: "training",
    },
    {
      ...shared,
      name: `${dataset.name}-holdout`,
      profile: profile(rows - trainingRows, truePositives + falseNegatives),
      context: "test",
    },
  ];
}

/** Tables as MLflow's page shows them. */
function tablesOf({ manifest, report }: TrainingFacts): { readonly path: string; readonly content: string }[] {
  const { metrics, baselines, slices } = manifest;
  const others = Object.keys(PREDICTOR_LABELS).filter((name) => baselines[name] !== undefined);
  const table = (path: string, columns: readonly string[], data: readonly unknown[][]) => ({
    path: `tables/${path}.json`,
    content: JSON.stringify({ columns, data }),
  });
  const sliceMetrics = Object.keys(METRIC_LABELS).filter((name) => metrics[name] !== undefined);
  return [
    table(
      "metrics",
      ["metric", "value", "low", "high", ...others],
      Object.entries(metrics).map(([name, { value, low, high }]) => [
        name,
        value,
        low,
        high,
        ...others.map((other) => baselines[other][name]?.value ?? null),
      ]),
    ),
    ...(slices.length === 0
      ? []
      : [
          table(
            "slices",
            ["column", "level", "rows", ...sliceMetrics],
            slices.map((slice) => [
              slice.column,
              slice.level,
              slice.rows,
              ...sliceMetrics.map((name) => slice.metrics[name]?.value ?? null),
            ]),
          ),
        ]),
    ...(report === null
      ? []
      : [
          table(
            "importances",
            ["column", "importance", "low", "high"],
            report.explanation.importances.map(({ column, value, low, high }) => [column, value, low, high]),
          ),
        ]),
  ];
}

/** Who ran what, from which code, under the names that MLflow's page looks for. */
export function sourceTags(command: string, commit: string | null): Record<string, string> {
  return {
    "mlflow.user": userName(),
    "mlflow.source.name": command,
    "mlflow.source.type": "LOCAL",
    ...(commit !== null && { "mlflow.source.git.commit": commit }),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown"; // a container may run under a number without a name
  }
}

function noteOf(manifest: ModelManifest): string {
  const { dataset, version, lineage, threshold } = manifest;
  const { rows, trainingRows } = lineage.data;
  return [
    `Churn model **${version}** of the data set \`${dataset.name}\`: ${trainingRows} customers trained on, ${rows - trainingRows} held out.`,
    metricsTable(manifest),
    `Threshold ${threshold.value.toFixed(4)}: ${threshold.reason}.`,
  ].join("\n\n");
}
