/** A model in a form that other runtimes read. */
import { readModelDirectory } from "@churn/contract";
import { encodeOnnx } from "./onnx/model.ts";
import { PROGRAM_VERSION } from "./program-version.ts";
import { stageOutput } from "./staged-output.ts";

/** What `--format` takes. */
export const EXPORT_FORMATS = ["onnx"] as const;
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
 * Writes the file; the same model gives the same bytes.
 *
 * @throws CHURN_ERR_MODEL_INVALID, CHURN_ERR_DATASET_INVALID, CHURN_ERR_FILE_UNWRITABLE; CHURN_ERR_OPTION_INVALID for a place within a model directory
 */
export function exportModel({ model, format, out }: ExportOptions): ExportResult {
  const files = readModelDirectory(model);
  const bytes = encodeOnnx(files, PROGRAM_VERSION);
  stageOutput(out).write(bytes);
  return { format, modelVersion: files.manifest.version, sizeBytes: bytes.length };
}
