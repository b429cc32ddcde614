/** A model in a form that other runtimes read. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  asidePath,
  ChurnError,
  MODEL_FILES,
  makeFolders,
  modelDirectory,
  readModelDirectory,
  removeAbandoned,
} from "@churn/contract";
import type { Artifact } from "./mlflow/artifact.ts";
import { mlflowModelFiles } from "./mlflow/model-folder.ts";
import { encodeOnnx } from "./onnx/model.ts";
import { PROGRAM_VERSION } from "./program-version.ts";
import { stageOutput, unwritable } from "./staged-output.ts";
import { writeArtifacts } from "./tracking/file-writer.ts";

/** What `--format` takes: a graph in one file, or the folder of an MLflow model around it. */
export const EXPORT_FORMATS = ["onnx", "mlflow"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly model: string;
  readonly format: ExportFormat;
  readonly out: string;
}

export interface ExportResult {
  readonly format: ExportFormat;
  readonly modelVersion: string;
  readonly sizeBytes: number;
}

/**
 * Writes the file or folder; the same model gives the same bytes.
 *
 * @throws CHURN_ERR_MODEL_INVALID, CHURN_ERR_DATASET_INVALID, CHURN_ERR_FILE_UNWRITABLE; CHURN_ERR_OPTION_INVALID for a place within a model directory, or a folder's that is taken
 */
export function exportModel({ model, format, out }: ExportOptions): ExportResult {
  const files = readModelDirectory(model);
  const modelVersion = files.manifest.version;
  if (format === "mlflow") {
    const artifacts = mlflowModelFiles(files, readFiles(model));
    return { format, modelVersion, sizeBytes: writeFolder(out, artifacts) };
  }
  const bytes = encodeOnnx(files, PROGRAM_VERSION);
  stageOutput(out).write(bytes);
  return { format, modelVersion, sizeBytes: bytes.length };
}

/** The files of a model directory, as they are. */
function readFiles(model: string): Record<string, Uint8Array> {
  const directory = modelDirectory(model);
  return Object.fromEntries(MODEL_FILES.map((name) => [name, readFileSync(join(directory, name))]));
}

/** @returns bytes written */
function writeFolder(out: string, artifacts: readonly Artifact[]): number {
  const folder = resolve(out);
  if (existsSync(folder)) {
    const message = `${out}: expected a path where nothing is: name another, or remove it first`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  const aside = asidePath(folder);
  const made: string[] = [];
  try {
    makeFolders(dirname(folder), made);
    removeAbandoned(folder);
    mkdirSync(aside);
    const sizeBytes = writeArtifacts(aside, artifacts);
    renameSync(aside, folder);
    return sizeBytes;
  } catch (error) {
    for (const path of [aside, ...made.toReversed()]) rmSync(path, { recursive: true, force: true });
    throw unwritable(out, error);
  }
}
