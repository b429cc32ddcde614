/**
 * Batch prediction: a file of customers into a file of scores, in bounded memory, in the order of the rows.
 */
import { existsSync, realpathSync } from "node:fs";
import { ChurnError, Model } from "@churn/contract";
import { countFindings } from "./data/findings.ts";
import { type CustomerReader, openCustomers } from "./data/reader.ts";
import { findData } from "./data/source.ts";
import type { TableBlock, TableColumn } from "./data/table-block.ts";
import { writeTable } from "./data/table-writer.ts";

export interface PredictOptions {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly onProgress?: (rows: number) => void;
}

export interface PredictResult {
  readonly rows: number;
  readonly predictedChurn: number;
  readonly modelVersion: string;
  /** Values outside the specification's bounds, and levels that the model has not seen: column → how many. */
  readonly findings: Readonly<Record<string, number>>;
  /** Nullable columns that a file does not have; scored as unknown. */
  readonly missingColumns: readonly string[];
  /** Columns that the specification does not name; ignored. */
  readonly extraColumns: readonly string[];
}

/** Writes the key column if there is one, `churn_probability` and `churn_prediction`. */
export async function predict({ model: directory, data, out, onProgress }: PredictOptions): Promise<PredictResult> {
  const model = Model.load(directory);
  const { dataset, version } = model.manifest;
  const source = findData(data);
  if (source.files.some((file) => isSameFile(file, out))) {
    throw new ChurnError(
      "CHURN_ERR_OPTION_INVALID",
      `${out}: the scores would replace the customers: name another file with --out`,
    );
  }
  const reader = await openCustomers(source, dataset, { labelled: false });
  const findings = new Map<string, number>();
  let predictedChurn = 0;

  async function* score(): AsyncGenerator<TableBlock> {
    for await (const table of reader.tables()) {
      countFindings(dataset, table, findings, (name, level) => model.encoder.knowsLevel(name, level));
      const probabilities = model.predictTable(table);
      const decisions = Int32Array.from(probabilities, (probability) => model.decide(probability));
      predictedChurn += decisions.reduce((sum, decision) => sum + decision, 0);
      yield { rows: table.rows, columns: [...(table.keys ? [table.keys] : []), probabilities, decisions] };
    }
  }
  try {
    const rows = await writeTable(out, scoreColumns(reader, dataset.key), score(), onProgress);
    return {
      rows,
      predictedChurn,
      modelVersion: version,
      findings: Object.fromEntries(findings),
      missingColumns: reader.missingColumns,
      extraColumns: reader.extraColumns,
    };
  } finally {
    reader.close();
  }
}

/** Also by way of a link. */
function isSameFile(file: string, other: string): boolean {
  return existsSync(other) && realpathSync(file) === realpathSync(other);
}

function scoreColumns(reader: CustomerReader, key: string | undefined): TableColumn[] {
  const hasKey = key !== undefined && reader.columns.includes(key);
  return [
    ...(hasKey ? [{ name: key, type: "VARCHAR" } as const] : []),
    { name: "churn_probability", type: "DOUBLE" },
    { name: "churn_prediction", type: "INTEGER" },
  ];
}
