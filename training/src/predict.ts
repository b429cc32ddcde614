/**
 * Batch prediction: a file of customers into a file of scores, in bounded memory. The scores stand in the order of the
 * rows, or, when only the customers most worth a contact are wanted, with the best first.
 *
 *     read ─▶ count what is odd ─▶ score, on all threads ─▶ decide ─▶ (keep the top) ─▶ write
 */
import { existsSync, realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve, sep } from "node:path";
import { ChurnError, isFolder, Model, readModelDirectory } from "@churn/contract";
import { countsOf, countValues, type ValueCounts } from "./data/findings.ts";
import { type CustomerTable, openCustomers } from "./data/reader.ts";
import { type DataSource, findData } from "./data/source.ts";
import type { TableBlock } from "./data/table-block.ts";
import { writeTable } from "./data/table-writer.ts";
import { type Scores, ScoreTable } from "./scores.ts";
import { type Scorer, startScoring } from "./scoring-pool.ts";
import { topScores } from "./top-scores.ts";

export interface PredictOptions {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  /** Write only so many customers: those most worth a contact. All, in the order of the rows, without it. */
  readonly top?: number | undefined;
  /** Threads; all processors without it. Does not change the result. */
  readonly nJobs?: number | undefined;
  readonly onProgress?: (rows: number) => void;
}

export interface PredictResult {
  /** Customers scored. */
  readonly rows: number;
  /** Customers written: fewer with `top`. */
  readonly written: number;
  readonly predictedChurn: number;
  readonly modelVersion: string;
  /** Levels that the model has not seen, scored as unknown: column → how many. */
  readonly unknownLevels: Readonly<Record<string, number>>;
  /** Missing values, scored as unknown: column → how many. */
  readonly missing: Readonly<Record<string, number>>;
  /** Values outside the specification's bounds, scored as they are: column → how many. */
  readonly findings: Readonly<Record<string, number>>;
  /** Nullable columns that a file does not have; scored as unknown. */
  readonly missingColumns: readonly string[];
  /** Columns that the specification does not name; ignored. */
  readonly extraColumns: readonly string[];
}

/** What is counted while rows pass by. */
interface Tally {
  rows: number;
  predictedChurn: number;
  readonly values: ValueCounts;
}

/**
 * Writes the key column if there is one, `churn_probability`, `churn_prediction` and, with economics,
 * `expected_profit`: what contacting the customer gains on average.
 */
export async function predict(options: PredictOptions): Promise<PredictResult> {
  const { out, top, nJobs = availableParallelism(), onProgress = () => {} } = options;
  const files = readModelDirectory(options.model);
  const model = new Model(files);
  const { dataset, version } = model.manifest;
  const source = findData(options.data);
  checkOut(source, out);
  const reader = await openCustomers(source, dataset, { labelled: false });
  const scorer = startScoring(files, reader, nJobs);
  const tally: Tally = { rows: 0, predictedChurn: 0, values: new Map() };
  const form = new ScoreTable(model, dataset.key !== undefined && reader.columns.includes(dataset.key));
  try {
    const scores = decided(scoreInOrder(inspected(reader.tables(), model, tally), scorer), model, tally, onProgress);
    const wanted = top === undefined ? scores : topScores(scores, top, form.profit);
    const written = await writeTable(out, form.columns, blocks(wanted, form));
    return {
      rows: tally.rows,
      written,
      predictedChurn: tally.predictedChurn,
      modelVersion: version,
      unknownLevels: countsOf(tally.values, "unknownLevels"),
      missing: countsOf(tally.values, "missing"),
      findings: countsOf(tally.values, "outOfRange"),
      missingColumns: reader.missingColumns,
      extraColumns: reader.extraColumns,
    };
  } finally {
    await scorer.close();
    reader.close();
  }
}

/** @throws CHURN_ERR_OPTION_INVALID when the scores would replace the customers, also by way of a link, or be among them */
function checkOut({ path, files }: DataSource, out: string): void {
  const isAmong = isFolder(path) && resolve(out).startsWith(`${resolve(path)}${sep}`);
  const isOne = existsSync(out) && files.some((file) => realpathSync(file) === realpathSync(out));
  if (!isAmong && !isOne) return;
  throw new ChurnError(
    "CHURN_ERR_OPTION_INVALID",
    `${out}: the scores would ${isOne ? "replace" : "be among"} the customers: name another file with --out`,
  );
}

/** Counts what is odd in the tables that pass. */
async function* inspected(
  tables: AsyncIterable<CustomerTable>,
  { manifest, encoder }: Model,
  { values }: Tally,
): AsyncGenerator<CustomerTable> {
  for await (const table of tables) {
    countValues(manifest.dataset, table, values, (name, level) => encoder.knowsLevel(name, level));
    yield table;
  }
}

/** Keeps the scorer busy with tables ahead of the one whose turn it is. */
async function* scoreInOrder(tables: AsyncIterable<CustomerTable>, scorer: Scorer): AsyncGenerator<Scores> {
  const ahead: { readonly keys: Scores["keys"]; readonly answer: Promise<Float64Array> }[] = [];
  for await (const table of tables) {
    const answer = scorer.score(table);
    ahead.push({ keys: table.keys, answer });
    if (ahead.length < scorer.inFlight) continue;
    const [{ keys, answer: next }] = ahead.splice(0, 1);
    yield { keys, probabilities: await next };
  }
  for (const { keys, answer } of ahead) yield { keys, probabilities: await answer };
}

/** Counts the customers that pass, and those who are predicted to churn. */
async function* decided(
  scores: AsyncIterable<Scores>,
  model: Model,
  tally: Tally,
  onProgress: (rows: number) => void,
): AsyncGenerator<Scores> {
  for await (const scored of scores) {
    tally.rows += scored.probabilities.length;
    for (const probability of scored.probabilities) tally.predictedChurn += model.decide(probability);
    onProgress(tally.rows);
    yield scored;
  }
}

async function* blocks(scores: AsyncIterable<Scores>, form: ScoreTable): AsyncGenerator<TableBlock> {
  for await (const scored of scores) yield form.block(scored);
}
